"""The YAML fields of every step that trains a net, and what is wrong with them; see docs/make-a-model.md.

>>> class TrainingStep(TrainingOptions): ...
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from facelet import losses
from facelet.errors import FaceletError, unknown
from facelet.learn.data.augment import augmentation
from facelet.learn.device import precision as precisions
from facelet.step import Step


class TrainingOptions(Step):
    """What is trained, for how long and how."""

    trains: ClassVar[bool] = True

    net: str | None = Field(None, description="a net's name, or timm/NAME; not needed with `of`")
    net_options: dict[str, Any] = Field({}, description="options of the net, such as {width: 0.5}")
    of: str | None = Field(None, description="earlier model whose weights this one starts from")
    widths_of: str | None = Field(
        None, description="earlier, pruned model whose net this one trains from fresh weights"
    )
    checkpoint: Path | None = Field(
        None, description="net.safetensors of another run, whose weights this one starts from"
    )
    size: int | None = Field(None, ge=8, le=512, description="side of the net's input, in pixels; the faces' own")
    epochs: float | None = Field(None, gt=0, le=100_000)
    minutes: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="instead of epochs: of training on this machine; a control takes as many steps as the model it is compared "
        "with",
    )
    batch: int = Field(128, ge=2, le=65_536, description="faces a step, over all devices")
    lr: float | None = Field(None, gt=0, le=100, description="top of the cycle; 0.002 for adamw, 0.05 for sgd")
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float | None = Field(None, ge=0, le=10, description="0.05 for adamw, 0.0005 for sgd")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    clip: float = Field(5.0, ge=0, description="largest norm of the gradient, 0 for no limit")
    loss: str = Field("ce", description="on labels or votes: ce, or margin for nets of capsules")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    targets: Literal["labels", "votes"] = "labels"
    balance: Literal["none", "class-weights", "sampler"] = "none"
    synthetic: str | None = Field(None, description="earlier step balance, whose made faces are trained on, too")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the running mean of the weights, 0 for none")
    augment: float | dict[str, float] = Field(1.0, description="strength, 0 for none; or fields of Augmentation")
    precision: precisions.Wish = Field(
        "auto", description="auto, fp32, or bf16: bfloat16 where the device has it itself"
    )
    record: bool = Field(
        True, description="on one GPU: a step is recorded once and replayed, which spares Python's time"
    )
    tensorboard: bool = False
    _matched: str = PrivateAttr("")

    @field_validator("loss")
    @classmethod
    def _check_loss(cls, value: str) -> str:
        if value != "ce" and value not in losses.HARD:
            raise ValueError(str(unknown("loss", value, ["ce", *losses.HARD])))
        return value

    @field_validator("augment")
    @classmethod
    def _check_augment(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        try:
            augmentation(value)
        except FaceletError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _check_choices(self) -> TrainingOptions:
        if (self.epochs is None) == (self.minutes is None):
            raise ValueError("give either epochs or minutes")
        if [self.net, self.of, self.widths_of, self.checkpoint].count(None) != 3:
            raise ValueError(
                "give either net (a fresh one), of (an earlier model to start from), widths_of (its shape alone) or "
                "checkpoint (a file to start from)"
            )
        if not self.net and self.net_options:
            raise ValueError("net_options belong to a fresh net; with another's weights or widths the net is as it was")
        return self

    def as_long_as(self, models: str) -> Self:
        shown = self.model_copy()
        shown._matched = models
        return shown

    def length(self, faces: int) -> str:
        """ "20 epochs of 25,060 faces", "5 minutes of 25,060 faces", "as many steps as student on 25,060 faces"."""
        if self._matched:
            return f"as many steps as {self._matched} on {faces:,} faces"
        count, unit = (self.epochs, "epoch") if self.epochs else (self.minutes, "minute")
        return f"{count:g} {unit}{'' if count == 1 else 's'} of {faces:,} faces"

    def starts_from(self) -> str | None:
        return self.of

    def shape_of(self) -> str | None:
        return self.widths_of

    def design(self) -> tuple[Any, ...]:
        parts = (self.net, self.net_options, self.of)
        return (*parts, self.do if self.kind == "shrinking" else "") if any(parts) else ()

    def timed(self) -> bool:
        return self.minutes is not None

    @property
    def before(self) -> str | None:
        """The earlier model whose weights, or whose shape alone, this one has."""
        return self.of or self.widths_of
