"""Adds a model file to the package: checks it, copies it to src/facelet/models/, and adds it to models.json.

    python reproduce/ship.py runs/ferplus/student-int8.onnx expression --named expression.onnx
    facelet card expression.onnx --faces ferplus:ferplus.zip --out docs/models/expression.md --into-file
    python reproduce/ship.py expression.onnx expression --description "T-SNet's student on FERPlus, int8"

The first command only writes a copy with the new name and without a card, for which the card is then measured. A name begins with
its task; the name that equals the task is the default model; a name that ends in -fp32 is the twin of the name before it. An
existing name is replaced. A model is limited to 5 MB, since git keeps all versions.
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
    """Adds the model and returns its line in the manifest; without ``description`` the previous one is kept.

    Raises FaceletError if the file does not work or is too large, or if the name does not fit the model.
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
    """Writes a copy named ``name`` to ``out``; a copy with a new name has no card.

    An fp32 file without a self-test gets one from its own outputs.
    ``smallest``: side in pixels of the smallest faces of its evaluation; 0 keeps the value in the file.
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
    parser.add_argument("name", help="such as expression, expression-tiny, expression-fp32, identity")
    parser.add_argument("--description", default="", help="one line for `facelet models`")
    parser.add_argument("--named", type=Path, help="only write a copy with that name to this file")
    parser.add_argument(
        "--smallest", type=int, default=0, help="with --named: side of the smallest faces of its evaluation"
    )
    args = parser.parse_args()
    try:
        if args.named:
            named(args.model, args.name, args.named, args.smallest)
            return
        line = ship(args.model, args.name, args.description)
    except FaceletError as error:
        sys.exit(f"error: {error}")
    print(f"{line.name}: {line.bytes:,} bytes, SHA-256 {line.sha256}, in {FOLDER / line.file}")
    print(f"card: {line.card or 'none yet; write it, then run this again'}; fp32 twin: {line.twin or 'none yet'}")


if __name__ == "__main__":
    main()
