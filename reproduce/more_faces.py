"""Makes additional training faces for embedding distillation: aligned faces and mixes, with a teacher's embeddings.

    python reproduce/more_faces.py sface.onnx --align rafdb:rafdb.zip --mix faces:utkface.zip --mixes 50000 \\
        --unlike lfw:lfw_112.zip --answers teacher_sface.npz --out more

Writes OUT.pack, for `--also pack:OUT.pack`, and OUT.npz with the given and the new embeddings. A mix is the weighted mean of two
aligned training faces, for which the teacher computes an embedding (Beyer et al. 2022, https://arxiv.org/abs/2106.05237).
Faces that the teacher matches with a person of the evaluation pairs are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from framing import in_a_picture, nearest_the_middle
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from facelet.errors import FaceletError
from facelet.faces import FaceSet, load, load_pairs
from facelet.faces.concat import concat
from facelet.faces.sources.pack_writer import write_pack
from facelet.learn.teachers.predictions import Predictions
from facelet.models.model_file import CropInfo
from facelet.runtime.align import cut
from facelet.runtime.detector import SCORE_OF_CROPS, Detector
from facelet.runtime.model import Model

SIDE = 112
CROP = CropInfo(align="five-points")
WEIGHTS = 0.3, 0.7
"""Range of the first face's weight in a mix, so that both faces stay visible."""
BATCH = 512
Images = NDArray[np.uint8]


def aligned(faces: FaceSet, detector: Detector, console: Console) -> FaceSet:
    """Detects and aligns faces to ArcFace's template; returns unlabelled training faces."""
    rows, images = [], []
    for row, face in enumerate(
        track(faces.images, f"aligning {len(faces):,} faces of {faces.source}", console=console)
    ):
        picture = in_a_picture(face)
        if one := nearest_the_middle(detector(picture), faces.size):
            rows.append(row)
            images.append(cut(picture, one.box, one.landmarks, CROP, SIDE))
    if not rows:
        raise FaceletError(f"the detector finds none of {len(faces):,} faces of {faces.source}")
    console.print(f"{faces.source}: {len(rows):,} of {len(faces):,} faces found")
    names = np.char.add(f"{faces.source}/", faces.names[rows])
    return unknown_faces(np.stack(images), names, faces.source, faces.licence)


def unknown_faces(images: Images, names: NDArray[np.str_], source: str, licence: str) -> FaceSet:
    count = len(images)
    return FaceSet(
        images,
        np.full(count, -1, np.int64),
        np.zeros(count, np.int8),
        names,
        classes=(),
        source=source,
        licence=licence,
    )


def mixed(faces: FaceSet, count: int) -> FaceSet:
    """Returns ``count`` mixes of two of ``faces`` each."""
    rng = np.random.default_rng(0)
    images = np.empty((count, *faces.images.shape[1:]), np.uint8)
    for number in range(count):
        one, other = (faces.images[row].astype(np.float32) for row in rng.choice(len(faces), 2, replace=False))
        images[number] = np.rint(other + rng.uniform(*WEIGHTS) * (one - other))
    names = np.array([f"mixes/{number:06d}" for number in range(count)])
    return unknown_faces(images, names, "mixes", faces.licence)


def nearest(embeddings: NDArray[np.floating], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maximum cosine (N,) of each vector to ``others``; all are unit vectors."""
    starts = range(0, len(embeddings), 2048)
    return np.concatenate([(embeddings[start : start + 2048].astype(np.float32) @ others.T).max(1) for start in starts])


def embeddings(model: Model, images: Images, what: str, console: Console) -> NDArray[np.float32]:
    """Unit vectors (N, D) of the teacher."""
    starts = range(0, len(images), BATCH)
    shown = track(starts, f"asking about {what}", console=console)
    return np.concatenate([model.embeddings(images[start : start + BATCH]) for start in shown])


def make(args: argparse.Namespace, console: Console) -> None:
    model, detector = Model.load(args.teacher), Detector(score=SCORE_OF_CROPS, detail=640, again=False, turns="never")
    if (model.info.task, model.info.input.size, model.info.input.channels) != ("identity", SIDE, 3):
        raise FaceletError(
            f"{args.teacher} should be an identity model of {SIDE} px in colour, as the step adopt leaves it"
        )

    def in_colour(source: str) -> FaceSet:
        return load(source, size=SIDE, channels=3)

    found = [aligned(in_colour(source), detector, console) for source in args.align]
    if args.mixes:
        found.append(mixed(concat([in_colour(one).split("train") for one in args.mix]), args.mixes))
    answers, kept, others = [Predictions.load(path) for path in args.answers], [], None
    if args.unlike:
        others = embeddings(model, load_pairs(args.unlike, size=SIDE, channels=3).images, args.unlike, console)
    for faces in found:
        vectors = embeddings(model, faces.images, f"{len(faces):,} faces of {faces.source}", console)
        keep = np.ones(len(faces), bool) if others is None else nearest(vectors, others) < args.limit
        console.print(
            f"{faces.source}: {int((~keep).sum()):,} left out as possible matches with {args.unlike or 'no pairs'}"
        )
        kept.append(faces.take(keep).fitted(args.size, 3, args.margin))
        answers.append(Predictions(faces.names[keep], embeddings=vectors[keep].astype(np.float16)))
    whole = concat(kept)
    together_answers = Predictions(
        np.concatenate([one.names for one in answers]),
        embeddings=np.concatenate([one.embeddings for one in answers]),
        teacher=Path(args.teacher).stem,
    )
    together_answers.save(f"{args.out}.npz")
    console.print(f"{len(whole):,} faces, {write_pack(whole, f'{args.out}.pack') / 1e6:.0f} MB, in {args.out}.pack")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", help="identity model file, such as the output of `adopt` or `embed`")
    parser.add_argument("--align", action="append", default=[], help="source of unaligned faces")
    parser.add_argument(
        "--mix", action="append", default=[], help="source of aligned faces, whose training faces are mixed"
    )
    parser.add_argument("--mixes", type=int, default=0, help="number of mixes")
    parser.add_argument("--unlike", default="", help="pairs of people to leave out")
    parser.add_argument("--limit", type=float, default=0.5, help="minimum cosine of a match with those people")
    parser.add_argument("--answers", action="append", default=[], help="file of teacher outputs to prepend")
    parser.add_argument("--size", type=int, default=48, help="side of the faces in the pack: the student's input size")
    parser.add_argument(
        "--margin", type=float, default=0.0, help="margin of the faces in the pack, as in the option of sources"
    )
    parser.add_argument("--out", required=True, help="output path without suffix")
    try:
        make(parser.parse_args(), Console())
    except FaceletError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
