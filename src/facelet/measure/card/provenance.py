"""Provenance of a model file: command, recipe, time and ancestors, read from the folder of its run.

>>> origin = read_origin("runs/tsnet", "student-int8.onnx")
>>> origin.command, [row.name for row in origin.lineage]
('facelet run tsnet --faces ferplus:ferplus.zip', ['teacher', 'student', 'student-int8'])

The file is matched with the run's models by a hash of graph and weights, so it may have been renamed or contain a card.
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
        command: command line of the run. recipe: the resolved recipe as YAML; both without folders of the machine.
        facelet: version of Facelet.
        machine: machine it was trained on; "" if unknown.
        lineage: ledger rows of the model's ancestors and, last, of the model itself.
        controls: ledger rows of controls for any of these.
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
        """Total time of all steps of the lineage."""
        return sum(row.seconds for row in self.lineage)


def read_origin(folder: str | Path, model: str | Path) -> Provenance:
    """Reads the provenance of the file ``model`` from the folder of its run.

    Raises FaceletError when ``folder`` holds no finished run, or the model is not part of it.
    """
    place = existing(folder, "folder of a run")
    for name, hint in (
        ("run.json", "give the folder that `facelet run` filled"),
        ("ledger.json", f"finish the run first: facelet run --resume {shlex.quote(str(folder))}"),
    ):
        if not (place / name).exists():
            raise FaceletError(f"{folder} holds no {name}; {hint}")
    record, ledger = files.read_json(place / "run.json"), Ledger.load(place / "ledger.json")
    own = _row_of(place, ledger, Path(model))
    lineage = (*_ancestors(ledger, own), own)
    names = {row.name for row in lineage}
    return Provenance(
        command=shareable_command(str(record.get("command", ""))),
        recipe=shareable_recipe((place / "recipe.yaml").read_text("utf-8")) if (place / "recipe.yaml").exists() else "",
        facelet=str(record.get("facelet", "")),
        machine=str(record.get("machine", "")),
        lineage=lineage,
        controls=tuple(row for row in ledger.rows if row.control and row.seed == own.seed and row.against in names),
        spread=over_seeds([row.accuracy for row in ledger.rows if row.name == own.name]),
    )


def _row_of(folder: Path, ledger: Ledger, model: Path) -> Row:
    """Returns the ledger row whose model file has the same graph as ``model``."""
    wanted = graph_hash(model)
    for row in ledger.rows:
        candidate = folder / f"{row.label}.onnx"
        if candidate.exists() and graph_hash(candidate) == wanted:
            return row
    raise FaceletError(
        f"{model} is none of the {len(ledger.rows)} models of {folder} ({', '.join(row.label for row in ledger.rows)}): "
        "no graph is the same; give the folder of the run that made it"
    )


def _ancestors(ledger: Ledger, row: Row) -> list[Row]:
    """Returns the rows of all models that ``row`` derives from or was taught by, directly or not, in the ledger's order.

    A model with fewer seeds than ``row`` is represented by its last seed.
    """
    children, known = [row], dict[str, Row]()
    while children:
        child = children.pop()
        for name in child.needs or [child.parent]:
            seeds = [candidate for candidate in ledger.rows if candidate.name == name and candidate.seed <= row.seed]
            if seeds and name not in known:
                known[name] = max(seeds, key=lambda candidate: candidate.seed)
                children.append(known[name])
    ancestors = {id(ancestor) for ancestor in known.values()}
    return [candidate for candidate in ledger.rows if candidate is not row and id(candidate) in ancestors]


def graph_hash(path: str | Path) -> str:
    """Returns the SHA-256 of an ONNX file without its metadata. Raises FaceletError for other or damaged files."""
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # protobuf raises its own classes
        raise FaceletError(f"{path} is not a whole ONNX file (cut short or damaged)") from None
    del model.metadata_props[:]
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
