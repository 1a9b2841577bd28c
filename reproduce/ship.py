"""Puts a model file into the package: checked, copied into src/facelet/models/, entered in its models.json.

    python reproduce/ship.py runs/ferplus/student-int8.onnx expression --named expression.onnx
    facelet card expression.onnx --faces ferplus:ferplus.zip --out docs/models/expression.md --into-file
    python reproduce/ship.py expression.onnx expression --description "T-SNet's student on FERPlus, int8"

The first only writes a copy that has its name inside and no card, for the card to be about. A name begins with its task; the
one that is the task alone answers where no model is given; one that ends in -fp32 is the twin of the name before it. The same
name again replaces the model. A model is limited to 5 MB, since git keeps them all.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import onnx

from facelet.errors import FaceletError
from facelet.io.files import existing, read_bytes, read_json, write_json, writing
from facelet.models import model_file, saturation, session
from facelet.models.bundled import MANIFEST, BundledModel, found
from facelet.shrink.export import reference_outputs, self_tested

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src" / "facelet" / "models"
LIMIT = 5_000_000
TWIN = "-fp32"


def ship(model: str | Path, name: str, description: str = "", folder: Path = FOLDER) -> BundledModel:
    """The model's new line in the manifest; without a ``description`` it keeps the one that it had.

    Raises FaceletError for a file that is no working model file or too large, and for a name that does not fit it.
    """
    path = existing(model, "model file")
    session.open_session(path, 1)
    info, data = model_file.read(path), read_bytes(path, model_file.MAX_BYTES)
    if len(data) > LIMIT:
        raise FaceletError(f"{path} has {len(data):,} bytes; a model in the package has at most {LIMIT:,}")
    if not re.fullmatch(rf"{info.task}(-[a-z0-9]+)*", name):
        raise FaceletError(
            f"{path} is a model for {info.task}; its name is {info.task} or {info.task}-WORD, not {name!r}"
        )
    if name.endswith(TWIN) and info.precision != "fp32":
        raise FaceletError(f"{path} is {info.precision}; a name that ends in {TWIN} is for fp32, not {name!r}")
    if info.precision == "int8" and (info.target != "portable" or saturation.risks(data)):
        raise FaceletError(f"{path} is not portable; a model in the package must compute the same on every machine")
    if info.selftest is None:
        raise FaceletError(f"{path} has no self-test; a model in the package must have one (see --named)")
    if "\n" in description:
        raise FaceletError("the description has more than one line")
    lines = {entry["name"]: BundledModel(**entry) for entry in read_json(folder / MANIFEST)}
    before = lines[name].description if name in lines else f"{info.recipe or info.net}, {info.precision}"
    file, digest = f"{name}.onnx", hashlib.sha256(data).hexdigest()
    lines[name] = BundledModel(name, file, info.task, digest, len(data), description or before)
    with writing(folder / file) as beside:
        beside.write_bytes(data)
    for one in lines.values():
        twin, card = f"{one.name}{TWIN}", f"docs/models/{one.name}.md"
        extra = {"twin": twin if twin in lines else "", "card": card if (ROOT / card).is_file() else ""}
        lines[one.name] = replace(one, **extra)
    write_json(folder / MANIFEST, [asdict(lines[key]) for key in sorted(lines)])
    return lines[name]


def named(model: str | Path, name: str, out: Path, smallest: int = 0) -> None:
    """A copy at ``out`` that calls itself ``name``; under a new name its card is still to be written.

    An fp32 file without a self-test gets one, of its own outputs.
    ``smallest``: pixels a side of the smallest faces that the card will be about; 0 leaves what the file says.
    """
    path = found(model)
    before = model_file.read(path)
    card = before.card if before.name == name else ""
    info = before.model_copy(update={"name": name, "card": card, "smallest": smallest or before.smallest})
    model = onnx.load(path)
    if info.selftest is None and info.precision == "fp32":
        info = self_tested(model, info, *reference_outputs(path, info))
    model_file.write(model, info, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model file")
    parser.add_argument("name", help="as expression, expression-tiny, expression-fp32, identity")
    parser.add_argument("--description", default="", help="one line for `facelet models`")
    parser.add_argument("--named", type=Path, help="only write a copy of that name here")
    parser.add_argument(
        "--smallest", type=int, default=0, help="with --named: side of the smallest faces it is measured on"
    )
    asked = parser.parse_args()
    try:
        if asked.named:
            named(asked.model, asked.name, asked.named, asked.smallest)
            return
        line = ship(asked.model, asked.name, asked.description)
    except FaceletError as error:
        sys.exit(f"error: {error}")
    print(f"{line.name}: {line.bytes:,} bytes, SHA-256 {line.sha256}, in {FOLDER / line.file}")
    print(f"card: {line.card or 'none yet; write it, then run this again'}; fp32 twin: {line.twin or 'none yet'}")


if __name__ == "__main__":
    main()
