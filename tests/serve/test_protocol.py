"""A connection without a whole header is closed; one that sends headers is not."""

from __future__ import annotations

import asyncio

import uvicorn

from facelet.serve.protocol import bounded


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def test_silent_and_dripping_connections_are_closed():
    async def main():
        config = uvicorn.Config(hello, http=bounded(0.3), lifespan="off", log_level="error", port=0)
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def drip(parts: list[bytes]) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for part in parts:
                await asyncio.sleep(0.1)
                writer.write(part)
            answer = await asyncio.wait_for(reader.read(), 3)
            writer.close()
            return answer

        async def alive() -> bytes:
            """Two requests on one connection, further apart than the limit."""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = await asyncio.wait_for(reader.readuntil(b"hi"), 3)
                await asyncio.sleep(0.5)
            writer.close()
            return answer

        silent, dripping, whole = await asyncio.gather(
            drip([]), drip([b"GET / HTTP/1.1\r\n"] + [b"a: b\r\n"] * 3), alive()
        )
        assert (silent, dripping) == (b"", b"")
        assert whole.startswith(b"HTTP/1.1 200")
        server.should_exit = True
        await serving

    asyncio.run(main())
