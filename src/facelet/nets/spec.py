"""Net specifications (name, options, channel widths, input) and checkpoints, without pickle.

>>> spec = resolve("shufflenet-v2", classes=8, size=48, width=0.5)
>>> net = spec.build()
>>> save(net, spec, "student.safetensors"); net, spec = load("student.safetensors")

A checkpoint is one safetensors file with the spec as JSON in its header, so that weights and spec cannot be separated.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from facelet.errors import FaceletError
from facelet.io.files import writing
from facelet.nets import widths as cut
from facelet.nets.base import FaceNet
from facelet.nets.builders import builder, checked_options
from facelet.nets.layers.exits import Attention, ExitHeads, ExitNet
from facelet.nets.widths import difference

KEY = "facelet"
FORMAT = 1


@dataclass(frozen=True)
class NetSpec:
    """Everything needed to rebuild a net except its weights.

    Attributes:
        name: registered name, or "timm/NAME".
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: 1 grey, 3 RGB.
        options: keyword arguments of the net, JSON values.
        widths: path of a tensor or attribute -> its size, for everything that pruning changed (see nets.widths); empty for
            an unpruned net.
        mean: input mean used in training, per channel, for pixels in [0, 1].
        std: input standard deviation used in training, as ``mean``.
        exits: attention of the net's exits ("eca", ...); None without exits.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    classes: int
    size: int = 48
    channels: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    widths: Mapping[str, list[int]] = field(default_factory=dict)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    exits: Attention | None = None

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("classes", self.classes, 0, 10_000_000),
            ("size", self.size, 8, 1024),
        ):
            if not low <= value <= high:
                raise FaceletError(f"{name} is {value}, expected {low} to {high}")
        if self.channels not in (1, 3):
            raise FaceletError(f"channels is {self.channels}, expected 1 (grey) or 3 (RGB)")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise FaceletError(f"{name} has {len(values)} values for {self.channels} channels")
        if not all(value > 0 for value in self.std):
            raise FaceletError(f"std is {self.std}, expected positive numbers")
        if self.exits is not None and not self.classes:
            raise FaceletError("exits need classes, and this net returns an embedding")

    def build(self) -> FaceNet:
        """The net with fresh weights (from torch's random state) and the spec's ``widths``.

        Raises FaceletError when the name or an option is unknown, or the size too small.
        """
        net = self._whole()
        cut.apply(net, self.widths)
        return net if self.exits is None else ExitNet(net, self._heads(net))

    def skeleton(self) -> FaceNet:
        """``build`` for shapes and counts: without memory for weights where the net allows it, and no random number."""
        with torch.random.fork_rng(devices=[]):
            try:
                with torch.device("meta"):
                    return self.build()
            except (RuntimeError, NotImplementedError):  # a net whose constructor computes with its weights
                return self.build()

    def measured(self, net: nn.Module) -> NetSpec:
        """This spec with the current widths of ``net``; also updates the attributes of a pruned net."""
        if isinstance(net, ExitNet):
            return replace(replace(self, exits=None).measured(net.net), exits=self.exits)
        if changed_widths(net, self) and isinstance(net, FaceNet):
            net.remeasure(self.size, self.channels)
        return replace(self, widths=changed_widths(net, self))

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str, source: str = "net spec") -> NetSpec:
        """Raises FaceletError, naming ``source``, when the text is not a spec."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise FaceletError(f"{source}: its net spec is not JSON ({error})") from None
        if not isinstance(values, dict) or (version := values.pop("format", None)) != FORMAT:
            actual = version if isinstance(values, dict) else type(values).__name__
            raise FaceletError(f"{source}: its net spec has format {actual!r}, this version of Facelet reads {FORMAT}")
        try:
            return _ADAPTER.validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise FaceletError(f"{source}: its net spec is damaged at {where!r}: {first['msg']}") from None

    def _heads(self, net: FaceNet) -> ExitHeads:
        assert self.exits is not None
        return ExitHeads.of(net, self.size, self.channels, self.classes, self.exits)

    def _whole(self) -> FaceNet:
        make = builder(self.name)
        return make(self.classes, self.size, self.channels, **checked_options(self.name, self.options))


_ADAPTER = TypeAdapter(NetSpec)


def resolve(
    name: str,
    *,
    classes: int,
    size: int = 48,
    channels: int = 1,
    mean: tuple[float, ...] = (0.5,),
    std: tuple[float, ...] = (0.25,),
    **options: Any,
) -> NetSpec:
    """A validated spec: the net was built once, without memory for weights.

    A single value of ``mean`` or ``std`` applies to every channel.

    Raises FaceletError, with the nearest valid name, when the net or an option is unknown or does not fit the size.
    """
    mean, std = (tuple(values) * channels if len(values) == 1 else tuple(values) for values in (mean, std))
    spec = NetSpec(name, classes, size, channels, checked_options(name, options), {}, mean, std)
    spec.skeleton()
    return spec


def save(net: nn.Module, spec: NetSpec, path: str | Path) -> None:
    """Writes weights and spec, with the current widths of ``net``, to one ``.safetensors`` file.

    Raises FaceletError when ``net`` is not a (pruned) net of ``spec``, or the file cannot be written.
    """
    save_weights(net, path, {KEY: spec.measured(net).to_json()})


def save_weights(module: nn.Module, path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Writes a module's weights to a ``.safetensors`` file. Raises FaceletError when it cannot be written."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    with writing(path) as beside:
        try:
            save_file(state, beside, metadata=metadata)
        except SafetensorError as error:  # it reports a full disk only as "os error 28" in the text
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Loads a file of ``save_weights`` into a module. Raises FaceletError when it is damaged or does not fit the module."""
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise FaceletError(f"{path} is damaged, or holds the weights of another net: {error}") from None


def load(path: str | Path) -> tuple[FaceNet, NetSpec]:
    """The net of a checkpoint, in eval mode on the CPU, and its spec. Does not change torch's random state.

    Raises FaceletError when the file is missing, damaged, not a Facelet checkpoint, or its weights do not fit its spec.
    """
    if not Path(path).is_file():
        raise FaceletError(f"cannot read {path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise FaceletError(f"{path} is not a Facelet checkpoint: its header has no net spec")
            spec = NetSpec.from_json(metadata[KEY], str(path))
            expected = {name: list(tensor.shape) for name, tensor in spec.skeleton().state_dict().items()}
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (not a dict)
            _require_equal(shapes, expected, path)
            state = {name: file.get_tensor(name) for name in shapes}
    except (SafetensorError, OSError) as error:
        raise FaceletError(f"{path} is damaged or not a safetensors file: {error}") from None
    with torch.random.fork_rng(devices=[]):
        net = spec.build()
    net.load_state_dict(state)
    return net.eval(), spec


def _require_equal(shapes: dict[str, list[int]], expected: dict[str, list[int]], path: str | Path) -> None:
    if missing := sorted(expected.keys() - shapes.keys()):
        raise FaceletError(f"{path}: {len(missing)} weights are missing, first {missing[0]!r}")
    for name, shape in shapes.items():
        if name not in expected:
            raise FaceletError(f"{path}: its net has no weight {name!r}")
        if shape != expected[name]:
            raise FaceletError(f"{path}: {name!r} has shape {shape}, its net expects {expected[name]}")


def changed_widths(net: nn.Module, spec: NetSpec) -> dict[str, list[int]]:
    """Path of each tensor and integer attribute that differs from the spec's unpruned net -> its shape or value.

    Raises FaceletError when the two do not have the same modules and tensors, or the same number of classes.
    """
    fresh = replace(spec, widths={}).skeleton()
    changed = difference(net, fresh)
    classifier = fresh.uncut()[0]
    for name, module in fresh.named_modules():
        if module is classifier and (outputs := changed.get(f"{name}.out_features")):
            raise FaceletError(f"the net's {name!r} has {outputs[0]} outputs, its spec has {spec.classes} classes")
    return changed
