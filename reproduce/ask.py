"""Stores a net's outputs for the training faces of a run in a file, for distillation with `answers: teacher.npz`.

    python reproduce/ask.py runs/large/steps/teacher/net.safetensors --size 96 --faces ferplus:ferplus.zip \\
        --also 'rafdb:rafdb.zip?test=0.2' --out teacher.npz

The faces are loaded as in `facelet run`, at the size of the net's run; each net resizes them to its input. A run with another
face size can use the same file, if its splits are the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.learn.teachers.predictions import answer
from facelet.recipes.context import read_faces
from facelet.recipes.runner import written
from facelet.recipes.schema import FacesChoice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path, help="a checkpoint, .safetensors, or a model file, .onnx")
    parser.add_argument("--faces", required=True)
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        plain = FacesChoice(size=args.size, channels=args.channels, also=args.also)
        faces = read_faces(written(args.faces, plain))
        train = faces.split("train")
        found = answer(args.net, train, protocol=faces.protocol.split_hash)
        found.save(args.out)
    except (FaceletError, ValidationError) as error:
        sys.exit(f"error: {error}")
    print(
        f"{args.out}: answers to {len(train):,} training faces and their mirror images [{faces.protocol.split_hash[:8]}]"
    )


if __name__ == "__main__":
    main()
