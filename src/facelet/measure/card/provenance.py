"""Provenance: how a model file was made, as the folder of its run tells it.

>>> origin = read_origin("runs/tsnet", "student-int8.onnx")
>>> origin.command, [row.name for row in origin.lineage]
('facelet run tsnet --faces ferplus:ferplus.zip', ['teacher', 'student', 'student-int8'])

The file is found among the run's models by its graph, weights and all: it may have another name by now, and a card of its own.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from facelet.errors import FaceletError
from facelet.io import files
from facelet.io.files import existing
from facelet.measure.ledger.ledger import Ledger, Row
from facelet.measure.ledger.shareable import shareable_command, shareable_recipe
from facelet.measure.metrics.intervals import Spread, over_seeds


@dataclass(frozen=True)
class Provenance:
    """How a model was made.

    Attributes:
        command: what was typed. recipe: the whole recipe as it was run, YAML; both without folders of the machine.
        facelet: the version.
        machine: what it was trained on, "" where the run does not say.
        lineage: rows of the model and of those that it comes from, the model's own last.
        controls: rows of the controls of any of these.
        spread: accuracy over the seeds of the model.
    """

    command: str
    recipe: str
    facelet: str
    machine: str
    lineage: tuple[Row, ...]
    controls: tuple[Row, ...]
    spread: Spread

    @property
    def seconds(self) -> float:
        """Of all steps of the lineage."""
        return sum(row.seconds for row in self.lineage)


def read_origin(folder: str | Path, model: str | Path) -> Provenance:
    """Raises FaceletError when ``folder`` holds no finished run, or none of its models is the file ``model``."""
    place = existing(folder, "folder of a run")
    for name, hint in (
        ("run.json", "give the folder that `facelet run` filled"),
        ("ledger.json", f"finish the run first: facelet run --resume {shlex.quote(str(folder))}"),
    ):
        if not (place / name).exists():
            raise FaceletError(f"{folder} holds no {name}; {hint}")
    told, ledger = files.read_json(place / "run.json"), Ledger.load(place / "ledger.json")
    own = _row_of(place, ledger, Path(model))
    lineage = (*_ancestors(ledger, own), own)
    names = {row.name for row in lineage}
    return Provenance(
        command=shareable_command(str(told.get("command", ""))),
        recipe=shareable_recipe((place / "recipe.yaml").read_text("utf-8")) if (place / "recipe.yaml").exists() else "",
        facelet=str(told.get("facelet", "")),
        machine=str(told.get("machine", "")),
        lineage=lineage,
        controls=tuple(row for row in ledger.rows if row.control and row.seed == own.seed and row.against in names),
        spread=over_seeds([row.accuracy for row in ledger.rows if row.name == own.name]),
    )


def _row_of(folder: Path, ledger: Ledger, model: Path) -> Row:
    """The ledger's row of the model file that has the graph of ``model``."""
    wanted = graph_hash(model)
    for row in ledger.rows:
        made = folder / f"{row.label}.onnx"
        if made.exists() and graph_hash(made) == wanted:
            return row
    raise FaceletError(
        f"{model} is none of the {len(ledger.rows)} models of {folder} ({', '.join(row.label for row in ledger.rows)}): "
        "no graph is the same; give the folder of the run that made it"
    )


def _ancestors(ledger: Ledger, row: Row) -> list[Row]:
    """All that ``row`` is made of or taught by, and what they are, in the ledger's order; one of fewer seeds with its last."""
    children, known = [row], dict[str, Row]()
    while children:
        child = children.pop()
        for name in child.needs or [child.parent]:
            same = [one for one in ledger.rows if one.name == name and one.seed <= row.seed]
            if same and name not in known:
                known[name] = max(same, key=lambda one: one.seed)
                children.append(known[name])
    return [one for one in ledger.rows if one is not row and any(one is other for other in known.values())]


def graph_hash(path: str | Path) -> str:
    """SHA-256 of an ONNX file without its metadata. Raises FaceletError for what is no ONNX file."""
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf raises its own classes
        raise FaceletError(f"{path} is not a whole ONNX file (cut short or damaged)") from None
    del model.metadata_props[:]
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
