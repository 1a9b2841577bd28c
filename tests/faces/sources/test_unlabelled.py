from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.io import pixels

FILES = [f"{folder}{number}.png" for folder in ("", "a/", "a/b/") for number in range(10)]


def test_all_images_however_deep(lay_out, zipped):
    folder = lay_out(FILES, channels=3)
    faces = load(f"faces:{folder}")
    assert sorted(faces.names) == sorted(FILES)
    assert (faces.classes, faces.identities, faces.groups, set(faces.labels.tolist())) == ((), None, None, {-1})
    assert faces.protocol.counts == {"train": {"faces": 30}}
    for image, name in zip(faces.images, faces.names, strict=True):
        assert np.array_equal(image, pixels.read(folder / name))
    packed = load(f"faces:{zipped(folder)}")
    assert packed.protocol == faces.protocol


def test_a_share_for_validation(lay_out):
    faces = load(f"faces:{lay_out(FILES)}?val=0.2")
    assert faces.protocol.counts == {"train": {"faces": 24}, "val": {"faces": 6}}


def test_mistakes(lay_out, tmp_path):
    with pytest.raises(FaceletError, match="share val=-1"):
        load(f"faces:{lay_out(FILES)}?val=-1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaceletError, match="holds no images; expected"):
        load(f"faces:{tmp_path / 'empty'}")
    with pytest.raises(FaceletError, match="has no labelled train faces"):
        load(f"faces:{tmp_path / 'faces'}").labelled("train")


def test_what_is_no_image_is_counted(lay_out):
    folder = lay_out(FILES)
    for name in ("a/1.heic", "a/2.HEIC", "clip.mp4"):
        (folder / name).write_bytes(b"x")
    assert load(f"faces:{folder}").notes == ("3 other files ignored (.heic, .mp4)",)
