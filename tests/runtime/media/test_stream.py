"""A camera on loopback that is slow, stops, comes back, stalls, freezes; and devices that end."""

from __future__ import annotations

import subprocess
import threading
import time
import warnings

import numpy as np
import pytest

from facelet.errors import FaceletError, FaceletWarning
from facelet.io.pixels import cv2
from facelet.runtime.media import stream as room
from facelet.runtime.media.stream import Stream, open_footage
from facelet.runtime.media.video import Video


def jpeg(number: int) -> bytes:
    """A picture whose brightness is its number, over noise."""
    noise = np.random.default_rng(number).integers(0, 40, (48, 64, 3))
    return cv2.imencode(".jpg", (noise + number).astype(np.uint8))[1].tobytes()


@pytest.fixture
def server(benchmark_script):
    with benchmark_script("mjpeg_server").MjpegServer([jpeg(number) for number in range(0, 200, 2)], fps=50) as running:
        yield running


def followed(stream: Stream, seconds: float, act=lambda frame: None) -> tuple[list, list[str]]:
    """The frames of some seconds, and the notes."""
    frames = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        end = time.monotonic() + seconds
        for frame in stream.frames():
            frames.append(frame)
            act(frame)
            if time.monotonic() > end:
                break
    assert all(warning.category is FaceletWarning for warning in caught)
    return frames, [str(warning.message) for warning in caught]


def after(seconds: float, *acts) -> None:
    """Does one thing after the other in the background, ``seconds`` apart."""

    def run() -> None:
        for act in acts:
            time.sleep(seconds)
            act()

    threading.Thread(target=run, daemon=True).start()


def test_frames_come_in_order_with_their_time(server):
    with open_footage(server.url) as stream:
        assert isinstance(stream, Stream)
        assert (stream.size, stream.live, stream.count, stream.place) == ((64, 48), True, 0, server.url)
        frames, notes = followed(stream, 1)
    assert notes == []
    assert len(frames) > 10
    assert np.all(np.diff([frame.number for frame in frames]) > 0)
    assert np.all(np.diff([frame.seconds for frame in frames]) > 0)
    assert frames[0].image.shape == (48, 64, 3)


def test_the_newest_frame_wins_and_the_others_are_counted(server):
    with Stream(server.url) as stream:
        frames, _ = followed(stream, 1.5, act=lambda frame: time.sleep(0.2))
        assert stream.dropped > 20
    assert 5 <= len(frames) <= 9
    assert np.diff([frame.number for frame in frames[1:]]).min() > 5


def test_frames_between_are_not_dropped_but_not_due(server):
    with Stream(server.url) as stream:
        seconds = [frame.seconds for frame, _ in zip(stream.frames(every=0.2), range(5), strict=False)]
        assert stream.dropped == 0
    assert np.diff(seconds) == pytest.approx(0.2, abs=0.12)


def test_a_connection_that_is_lost_is_opened_again(server):
    with Stream(server.url, waits=(0.1, 0.4)) as stream:
        after(0.7, server.stop, server.start)
        frames, notes = followed(stream, 3.5)
        assert stream.reconnected == 1
    assert [note.split(": ", 1)[1] for note in notes] == ["connection lost; trying again in 0.1 s", "connected again"]
    assert max(np.diff([frame.seconds for frame in frames])) > 0.5
    assert frames[-1].seconds > 2.5


def test_waits_double_up_to_the_longest(server, monkeypatch):
    waits = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) > 5:
            stream._closing.set()
        return stream._closing.is_set()

    with Stream(server.url, waits=(0.01, 0.05)) as stream:
        monkeypatch.setattr(stream._closing, "wait", wait)
        monkeypatch.setattr(stream, "_opened", lambda: None)
        after(0.3, server.stop)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream._read()
    assert waits == [0.01, 0.02, 0.04, 0.05, 0.05, 0.05]


def test_a_stream_that_stalls_is_said_and_goes_on(server):
    with Stream(server.url, stall=0.6) as stream:

        def stall(frame) -> None:
            if frame.number > 20 and server.sent and not stalls:
                stalls.append(frame.number)
                server.stalled = True
                after(1.0, lambda: setattr(server, "stalled", False))

        stalls: list[int] = []
        _, notes = followed(stream, 3, stall)
    assert [note.split(": ", 1)[1] for note in notes[:2]] == ["no frame for 1 s", "frames again"]


def test_a_frozen_and_a_grey_picture_are_said(server):
    with Stream(server.url, patience=0.3) as stream:
        after(0.4, lambda: setattr(server, "frozen", True))
        _, notes = followed(stream, 1.5)
    assert [note.split(": ", 1)[1] for note in notes] == ["the picture has not changed for 0 s"]
    server.frozen = False
    server.pictures = [cv2.imencode(".jpg", np.full((48, 64, 3), 128, np.uint8))[1].tobytes()]
    with Stream(server.url, patience=0.3) as stream:
        _, notes = followed(stream, 0.8)
    assert [note.split(": ", 1)[1] for note in notes] == ["the picture has been of a single colour for 0 s"]


def test_an_address_that_does_not_answer_is_an_error_without_its_password(server, capfd):
    server.stop()
    place = server.url.replace("http://", "http://admin:secret@")
    with pytest.raises(FaceletError, match=r"cannot open http://127.0.0.1:\d+/video.mjpg; expected a camera") as raised:
        Stream(place)
    assert "secret" not in str(raised.value) + "".join(capfd.readouterr())


def test_notes_have_no_password(server, capfd):
    place = server.url.replace("http://", "http://admin:secret@") + "?token=secret"
    with Stream(place, waits=(0.1, 0.1)) as stream:
        after(0.4, server.stop, server.start)
        _, notes = followed(stream, 2.5)
        assert "secret" not in stream.place
    assert notes
    assert "secret" not in "".join([*notes, *capfd.readouterr()])


def test_what_is_no_stream():
    with pytest.raises(FaceletError, match="cannot open webcam 97; expected a webcam's number"):
        open_footage("97")
    with pytest.raises(FaceletError, match="cannot open webcam /dev/null"):
        open_footage("/dev/null")
    with pytest.raises(FaceletError, match="ftp://host/f is not the address of a stream"):
        open_footage("ftp://me:secret@host/f")


def test_a_video_on_a_web_server_is_a_file(monkeypatch):
    opened = []
    monkeypatch.setattr(room, "Video", lambda place: opened.append(place))
    open_footage("http://host/clip.mp4")
    assert opened == ["http://host/clip.mp4"]
    assert Video.live is False


class Camera:
    """In place of cv2.VideoCapture: some frames, then none, or none for ever."""

    def __init__(self, frames: int, hangs: bool = False) -> None:
        self.left, self.hangs, self.released = frames, hangs, threading.Event()

    def isOpened(self) -> bool:
        return True

    def get(self, key) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48}.get(key, 0.0)

    def grab(self) -> bool:
        self.left -= 1
        time.sleep(0.02)
        if self.left < 0 and self.hangs:
            self.released.wait(3)
        return self.left >= 0

    def retrieve(self):
        return True, np.random.default_rng(self.left).integers(0, 256, (48, 64, 3), dtype=np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.mark.parametrize(
    ("hangs", "said"), [(False, "it gives no more frames; it may be unplugged"), (True, "no frame for 0 s; it may be")]
)
def test_a_webcam_that_is_unplugged_is_an_error(monkeypatch, hangs, said):
    camera = Camera(5, hangs)
    monkeypatch.setattr(Stream, "_opened", lambda self: camera)
    seen = []
    with pytest.raises(FaceletError, match=f"webcam 0: {said}"), Stream("0", stall=0.4) as stream:
        seen.extend(stream.frames())
    assert camera.released.is_set() or hangs
    assert (stream.size, stream.fps) == ((64, 48), 25)


def test_closing_ends_the_reader(server):
    with Stream(server.url) as stream:
        next(iter(stream.frames()))
        reader = stream._reader
    assert not reader.is_alive()


RTSP = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
source = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1"
factory.set_launch(f"( {source} ! jpegenc ! rtpjpegpay name=pay0 )")
factory.set_shared(True)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture
def rtsp():
    """The port of GStreamer's RTSP server, which is stopped by ``rtsp.kill()``."""
    try:
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", RTSP], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError:
        pytest.skip("no /usr/bin/python3")
    line = process.stdout.readline()
    if not line:
        pytest.skip(f"no GStreamer RTSP server: {process.stderr.read().splitlines()[-1]}")
    process.port = int(line)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_rtsp(rtsp, capfd):
    """Debian: apt install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good python3-gi."""
    with Stream(f"rtsp://admin:secret@127.0.0.1:{rtsp.port}/live", stall=2, waits=(0.1, 0.1)) as stream:
        assert stream.size == (320, 240)
        assert stream.place == f"rtsp://127.0.0.1:{rtsp.port}/live"
        after(1.5, rtsp.kill)
        frames = []
        with warnings.catch_warnings():
            warnings.simplefilter("error", FaceletWarning)
            with pytest.raises(FaceletWarning, match=r"connection lost|no frame") as note:
                frames.extend(stream.frames())
    assert len(frames) > 20
    assert "secret" not in "".join([str(note.value), *capfd.readouterr()])
