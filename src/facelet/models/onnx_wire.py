"""Reads an ONNX file's metadata, and whether it refers to other files, with the standard library only.

An ONNX file is one protobuf message. Fields that are not needed are skipped by their length, so reading takes well under a
millisecond per megabyte.
Encoding: https://protobuf.dev/programming-guides/encoding; field numbers: onnx.proto of the ONNX project.

>>> metadata(Path("student.onnx").read_bytes())["facelet"][:13]
'{"format":1,"'

Incomplete messages raise ValueError(BROKEN), without offsets, which would not help the user. Only the structure is read: an
accepted file may still hold a graph that no runtime can run.
"""

from __future__ import annotations

from collections.abc import Iterator

BROKEN = "cut short or damaged"
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

# message -> field number -> message, for every path that leads to a tensor
_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_METADATA, _KEY, _VALUE = 14, 1, 2
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def metadata(data: bytes) -> dict[str, str]:
    """``ModelProto.metadata_props``. Raises ValueError when ``data`` is not a complete protobuf message."""
    properties = {}
    for number, value in fields(memoryview(data)):
        if number == _METADATA and isinstance(value, memoryview):
            entry = {key: bytes(part) for key, part in fields(value) if isinstance(part, memoryview)}
            try:
                properties[entry.get(_KEY, b"").decode()] = entry.get(_VALUE, b"").decode()
            except UnicodeDecodeError as error:
                raise ValueError(BROKEN) from error
    return properties


def has_external_data(data: bytes) -> bool:
    """Whether any tensor, in any subgraph, has external data. Raises ValueError as ``metadata`` does."""
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in fields(message):
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1)):
                return True
            if number in _INSIDE[kind] and isinstance(value, memoryview):
                waiting.append((_INSIDE[kind][number], value))
    return False


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, integer or bytes) of one message, in order. Raises ValueError when it is incomplete or no message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == LENGTH:
            length, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(BROKEN)
        if number == 0 or at + length > len(message):
            raise ValueError(BROKEN)
        yield number, message[at : at + length]
        at += length


def packed_varints(message: memoryview) -> list[int]:
    """Integers of a packed repeated field. Raises ValueError as ``fields`` does."""
    values, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values


def field(number: int, value: int | bytes | str) -> bytes:
    """One encoded field: an integer as a varint, bytes and text with their length. For small hand-written messages."""
    if isinstance(value, int):
        return _encoded(number << 3 | VARINT) + _encoded(value)
    data = value.encode() if isinstance(value, str) else value
    return _encoded(number << 3 | LENGTH) + _encoded(len(data)) + data


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(message):
            raise ValueError(BROKEN)
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(BROKEN)
