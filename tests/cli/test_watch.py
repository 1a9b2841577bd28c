"""``facelet predict`` on a video: the table, JSON lines, a drawn MP4."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from facelet.cli import identify, predict, watch
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.runtime.media.video import Video
from facelet.runtime.people.gallery import Gallery

SIDE = 48


@pytest.fixture
def said(studio, tiny):
    def make(*places, **options):
        console = Console(file=io.StringIO(), width=120)
        predict.command([str(place) for place in places], **{"model": str(tiny), "console": console, **options})
        return console.file.getvalue()

    return make


def test_a_line_for_each_face(said, dusk):
    head, first, second, summary = said(dusk).splitlines()
    assert head.split() == ["face", "from", "to", "frames", "expression"]
    assert first.split()[:4] == ["1", "0:00.0", "0:01.9", "20"]
    assert "bright" in first
    assert "dark" in first
    assert second.split()[4:] == ["dark", "100%"]
    assert summary == "20 frames, 2 faces tracked"


def test_json_is_a_line_for_each_frame(said, dusk, capsys):
    assert said(dusk, form="json", every=0.5) == ""
    head, *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert head["video"]["fps"] == 10
    summary = last["summary"]
    assert (summary["frames"], summary["dropped"], summary["tracked"]) == (4, 0, 2)
    bright = summary["tracks"][0]
    assert (bright["track"], bright["frames"], bright["answers"]) == (1, 4, {"bright": 2, "dark": 2})
    assert bright["flicker"] == {
        "frames": pytest.approx(1 / 1.5, abs=1e-3),
        "averaged": pytest.approx(1 / 1.5, abs=1e-3),
    }
    assert head["model"]["name"] == "tiny"
    assert [line["seconds"] for line in lines] == pytest.approx([0, 0.5, 1, 1.5], abs=0.02)
    assert [face["track"] for face in lines[0]["faces"]] == [1, 2]
    assert lines[0]["faces"][0]["expression"] == "bright"
    assert sum(lines[0]["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_a_drawn_video_is_left(said, dusk, studio):
    assert "drawn: out" in said(dusk, save="out", every=0.2)
    with Video(studio.folder / "out" / "film.faces.mp4") as video:
        assert video.fps == 5
        assert len(list(video.frames())) == 10
        assert video.size[0] == 640


def test_a_stream_is_followed_and_its_password_is_not_printed(said, studio, benchmark_script, monkeypatch, capfd):
    jpeg = pixels.cv2.imencode(".jpg", studio.shot(1, 2))[1].tobytes()
    frames = []
    monkeypatch.setattr(watch, "_document", lambda *result: frames.append(result) or _stop(len(frames) == 5) or {})
    with benchmark_script("mjpeg_server").MjpegServer([jpeg], fps=50) as server:
        said(server.url.replace("http://", "http://admin:secret@"), form="json")
    printed = capfd.readouterr()
    assert f"watching {server.url}; stop with Ctrl-C" in printed.err
    assert json.loads(printed.out.splitlines()[0])["video"]["file"] == server.url
    assert json.loads(printed.out.splitlines()[-1])["summary"]["tracked"] == 2
    assert "secret" not in "".join(printed)


def _stop(now: bool) -> None:
    if now:
        raise KeyboardInterrupt


def test_small_faces_are_said(said, dusk, make_model, make_info, tmp_path, capsys):
    model = str(make_model(tmp_path / "strict.onnx", make_info(smallest=60)))
    assert said(dusk, model=model).count("small in 20 frames") == 2
    said(dusk, model=model, form="json", every=1)
    faces = json.loads(capsys.readouterr().out.splitlines()[1])["faces"]
    assert [face["warnings"] for face in faces] == [["small: 48 px, measured from 60 px"]] * 2


def test_a_video_without_faces_says_so(said, film):
    place = film(lambda number: np.zeros((SIDE, SIDE, 3), np.uint8))
    assert said(place) == "20 frames, 0 faces tracked\n"


def test_ctrl_c_ends_a_webcam_with_its_table(said, dusk, monkeypatch, capsys):
    real = Video

    def camera(place):
        video = real(dusk)
        video.live = True
        frames = video.frames

        def until(every):
            for frame in frames(0):
                if frame.number == 5:
                    raise KeyboardInterrupt
                yield frame

        video.frames = until
        return video

    monkeypatch.setattr("facelet.runtime.media.stream.open_footage", camera)
    assert "5 frames, 2 faces tracked" in said("0")
    assert "stop with Ctrl-C" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("places", "options", "said_"),
    [
        (["film.avi"], {"form": "csv"}, "--cropped and --csv do not work with a video"),
        (["film.avi"], {"cropped": True}, "--cropped and --csv do not work with a video"),
        (["film.avi"], {"every": -1}, "--every -1"),
        (["film.avi", "photo.jpg"], {}, "without other photos"),
        (["gone.mp4"], {}, "no video"),
        (["rtsp://me:secret@camera/1", "photo.jpg"], {}, "rtsp://camera/1 is the address of a stream, not a photo"),
    ],
)
def test_what_cannot_be_watched(said, dusk, places, options, said_, monkeypatch):
    monkeypatch.chdir(dusk.parent)
    with pytest.raises(FaceletError, match=said_):
        said(*places, **options)


def test_the_video_that_is_read_is_not_written_over(said, film, studio):
    place = film(lambda number: np.zeros((SIDE, SIDE, 3), np.uint8), name="film.faces.mp4")
    place = place.rename(place.with_name("film.mp4"))
    (place.parent / "out").mkdir()
    (place.parent / "out" / "film.faces.mp4").symlink_to(place)
    with pytest.raises(FaceletError, match="is the input video"):
        said(place, save=str(place.parent / "out"))


def test_clock():
    assert [watch.clock(seconds) for seconds in (0, 7.24, 59.96, 754)] == ["0:00.0", "0:07.2", "1:00.0", "12:34.0"]


@pytest.mark.parametrize("every", [-1.0, float("nan"), float("inf")])
def test_a_time_between_looks_is_checked_wherever_it_is_given(said, studio, dusk, every):
    photo = studio.photo("a.png", 1)
    for place in (photo, dusk):
        with pytest.raises(FaceletError, match="seconds between frames are 0"):
            said(place, every=every)
        with pytest.raises(FaceletError, match="seconds between frames are 0"):
            identify.command([str(place)], Gallery(), every=every, console=Console(file=io.StringIO()))
