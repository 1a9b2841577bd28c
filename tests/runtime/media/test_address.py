"""Places: what is live, and what may be printed of an address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.runtime.media import address

SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=12).filter(
    lambda text: text not in "rtsp://camera:554/live...@"
)


@pytest.mark.parametrize(
    ("place", "webcam", "live", "video"),
    [
        ("0", True, True, True),
        ("clip.MP4", False, False, True),
        ("photo.jpg", False, False, False),
        ("rtsp://camera/1", False, True, True),
        ("HTTP://camera:8080/video.mjpg?x=1", False, True, True),
        ("https://host/clip.mp4?x=1", False, False, True),
        ("a\0b", False, False, False),
        ("/dev/null", True, True, True),
    ],
)
def test_places_are_told_apart(place, webcam, live, video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (address.is_webcam(place), address.is_live(place), address.is_video(place)) == (webcam, live, video)


def test_a_file_named_as_a_number_is_no_webcam(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").touch()
    assert not address.is_webcam("0")


def test_footage_is_alone():
    assert address.is_footage(["rtsp://camera/1"])
    assert not address.is_footage(["clip.mp4", "photo.jpg"])
    assert not address.is_footage([])


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("rtsp://camera/1", "rtsp://camera/1"),
        ("rtsp://admin:secret@camera:554/live/1", "rtsp://camera:554/live/1"),
        ("rtsp://admin:se/c?r#e@t@camera/1", "rtsp://camera/1"),
        ("http://camera/video.mjpg?user=admin&pwd=secret", "http://camera/video.mjpg..."),
        ("rtsp://camera/user=admin_password=secret_channel=1", "rtsp://camera/..."),
        ("rtsp://camera#secret", "rtsp://camera..."),
        ("http://camera/a\nb", "http://camera/..."),
        ("ftp://u:secret@host/f", "ftp://host/f"),
    ],
)
def test_what_is_printed(place, shown):
    assert address.shown(place) == shown


@given(SECRET, SECRET)
def test_user_and_password_are_never_printed(user, password):
    assert address.shown(f"rtsp://{user}:{password}@camera:554/live") == "rtsp://camera:554/live"


@pytest.mark.parametrize("place", ["ftp://u:secret@host/f", "rtsp://", "http://host:port/", "http://[::1/x"])
def test_other_addresses_are_refused_without_their_password(place):
    with pytest.raises(FaceletError, match="is not the address of a stream; expected rtsp://, rtsps://") as raised:
        address.require_scheme(place)
    assert "secret" not in str(raised.value)
