"""Options of every step that trains a net, and their validation; see docs/make-a-model.md.

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
from facelet.learn.engine.optimizer import LR, WEIGHT_DECAY, Optimization
from facelet.step import Step

ADJUSTED = ("balanced-softmax", "logit-adjustment")
"""Values of ``balance`` that add the classes' shares to the logits, see losses.adjustment."""


class TrainingOptions(Step):
    """The net to train, the length of the training, and its settings."""

    trains: ClassVar[bool] = True

    net: str | None = Field(
        None, description="name of a net, or `timm/NAME`; give one of `net`, `of`, `widths_of` and `checkpoint`"
    )
    net_options: dict[str, Any] = Field({}, description="options of the net, such as `{width: 0.5}`")
    of: str | None = Field(None, description="earlier model whose weights this one starts from")
    widths_of: str | None = Field(
        None, description="earlier, pruned model whose net is trained here from fresh weights"
    )
    checkpoint: Path | None = Field(
        None,
        description="`net.safetensors` in the step's folder of another run: its net, and its weights except the "
        "classifier's",
    )
    size: int | None = Field(
        None,
        ge=8,
        le=512,
        description="side of the net's input in pixels; faces are resized to it in training and in use; default: the side of "
        "the faces",
    )
    epochs: float | None = Field(
        None, gt=0, le=100_000, description="length of the training; give either `epochs` or `minutes`"
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="length of the training on this machine, instead of `epochs`; a control takes as many steps as the model it "
        "is compared with",
    )
    batch: int = Field(128, ge=2, le=65_536, description="faces per step, over all devices")
    lr: float | None = Field(
        None,
        gt=0,
        le=100,
        description="peak learning rate of the one-cycle schedule; default: 0.002 for `adamw`, 0.01 for `muon` and 0.05 "
        "for `sgd`, a quarter of it for `prune`",
    )
    optimizer: Literal["adamw", "muon", "sgd"] = Field(
        "adamw",
        description="the optimizer; `muon` trains the dense convolutions, and AdamW what is not one",
    )
    weight_decay: float | None = Field(
        None, ge=0, le=10, description="weight decay; default: 0.05 for `adamw` and `muon`, 0.0005 for `sgd`"
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    clip: float = Field(5.0, ge=0, description="largest norm of the gradient; 0 for no limit")
    loss: str = Field(
        "ce",
        description="loss on labels or votes: cross-entropy (`ce`), or the margin loss of each class (`margin`) for "
        "`net: rescaps`",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target that is spread evenly over all classes"
    )
    targets: Literal["labels", "votes"] = Field(
        "labels", description="training targets: the labels, or the shares of the annotators' votes"
    )
    balance: Literal["none", "class-weights", "sampler", "balanced-softmax", "logit-adjustment"] = Field(
        "none",
        description="correction of uneven classes: `class-weights` weights the loss, `sampler` draws rare classes more often, "
        "`balanced-softmax` adds the logarithm of the classes' shares to the logits in the loss, and `logit-adjustment` adds "
        "`tau` times it",
    )
    tau: float = Field(1.0, ge=0, le=10, description="strength of `logit-adjustment`; with 1 it is `balanced-softmax`")
    synthetic: str | None = Field(
        None,
        description="earlier `balance` step whose synthetic faces are added to the training faces; the length of an epoch does "
        "not change",
    )
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the moving average of the weights; 0 for none")
    augment: float | dict[str, float] = Field(
        1.0,
        description="strength of the augmentation, 0 for none; or values for `flip`, `shift`, `scale`, `turn`, `erase`, "
        "`gain` and `bias`, for `gamma` (0.5: exponents from 1/1.5 to 1.5), and the shares of faces that get a `blur`, "
        "`downscale`, `grey`, `jpeg`, `vignette`, or a wider or closer `crop` (a strength includes none of these seven)",
    )
    precision: precisions.Wish = Field(
        "auto",
        description="`bf16` is bfloat16 on devices with native support, else fp32 with a note; `auto` depends on the device",
    )
    record: bool = Field(
        True,
        description="on one GPU: capture the training step as a CUDA graph and replay it, which is faster for small nets",
    )
    tensorboard: bool = Field(False, description="also write the curves for TensorBoard")
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
                "give one of net (fresh weights), of (an earlier model to start from), widths_of (an earlier model's widths, "
                "fresh weights) and checkpoint (a file to start from)"
            )
        if self.tau != 1 and self.balance != "logit-adjustment":
            raise ValueError(f"tau applies only with balance: logit-adjustment, not with {self.balance}")
        if self.balance in ADJUSTED and self.loss != "ce":
            raise ValueError(
                f"balance: {self.balance} changes the cross-entropy, and cannot be used with the loss {self.loss}"
            )
        if not self.net and self.net_options:
            raise ValueError("net_options apply only with net; of, widths_of and checkpoint take the net as it is")
        return self

    def as_long_as(self, models: str) -> Self:
        shown = self.model_copy()
        shown._matched = models
        return shown

    def length(self, faces: int) -> str:
        """Text such as "20 epochs of 25,060 faces", "5 minutes of ..." or "as many steps as student on 25,060 faces"."""
        if self._matched:
            return f"as many steps as {self._matched} on {faces:,} faces"
        count, unit = (self.epochs, "epoch") if self.epochs else (self.minutes, "minute")
        return f"{count:g} {unit}{'' if count == 1 else 's'} of {faces:,} faces"

    def optimization(self) -> Optimization:
        decay = WEIGHT_DECAY[self.optimizer] if self.weight_decay is None else self.weight_decay
        return Optimization(self.optimizer, self.lr or LR[self.optimizer], decay, self.clip)

    def described(self) -> dict[str, Any]:
        """Fields of ModelInfo that follow from the options."""
        return {"adjusted": self.tau} if self.balance in ADJUSTED else {}

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
        """The earlier model that gives the initial weights, or only the widths."""
        return self.of or self.widths_of
