"""Any model of timm, as teacher or student.

https://github.com/huggingface/pytorch-image-models

>>> net = facelet.nets.resolve("timm/mobilenetv4_conv_small", classes=8, size=48, stem_stride=1).build()

timm's models are designed for 224 px: most reduce the input by 32, which leaves 2 x 2 positions of a 48 px face. ``stem_stride=1``
doubles the resolution of all maps at up to four times the compute. ``embedding=256`` adds an embedding of that length.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facelet.errors import FaceletError
from facelet.nets.base import Dropout, FaceNet, classifier
from facelet.nets.layers.embedding_head import Width

TRIED_SIZES = (32, 48, 64, 96, 112, 128, 160, 192, 224, 256, 384)


class _UnlikeError(Exception):
    """A model that cannot be split into maps, one embedding and one classifier."""


class TimmNet(FaceNet):
    """A timm model with the interface of FaceNet.

    ``stages`` returns the model's intermediate maps, followed by the input of its head when that is not the last map. Tokens
    (N, L, D) are returned as maps (N, D, L, 1).

    Args:
        model: the timm model, without a classifier if ``embedding`` is given.
        size: side of the input in pixels.
        channels: channels of the input.
        embedding: length of an embedding (Linear - BN) to add after the model's own feature, followed by the classifier.
        classes: number of outputs of the classifier after ``embedding``.
    """

    model: Any

    def __init__(
        self, model: nn.Module, size: int, channels: int, embedding: int | None = None, classes: int = 0
    ) -> None:
        super().__init__()
        self.model = model
        if not isinstance(self.model.get_classifier(), nn.Module):
            raise _UnlikeError("it has several classifiers")
        training = model.training
        model.eval()
        with torch.no_grad():
            weight = next(model.parameters())
            side = torch.linspace(-1, 1, size, device=weight.device)
            probe = (side[:, None] * side).expand(1, channels, size, size)
            features, maps = self._features_and_maps(probe)
            # The head's input may have the layout NCHW, NHWC (Swin) or NLD (ViT).
            self._layout = _layout(features, model)
            self._repeats = bool(maps) and maps[-1].shape == _as_maps(features, self._layout).shape
            stages = self.stages(probe)
            feature = self._feature(stages)
            if not isinstance(feature, Tensor) or feature.ndim != 2:
                raise _UnlikeError("its head does not return one embedding")
            logits = self.model.get_classifier()(feature)
            if not weight.is_meta and not torch.allclose(logits, model(probe), atol=1e-4):
                raise _UnlikeError("its output is not its classifier's output")
        self.stage_widths = tuple(stage.shape[1] for stage in stages)
        self.embedding_width = embedding or feature.shape[1]
        self.neck = None
        if embedding is not None:
            # With a bias it is exported as a Gemm, into which the batch norm is folded.
            self.neck = nn.Sequential(nn.Linear(feature.shape[1], embedding), nn.BatchNorm1d(embedding))
            self.fc = classifier(embedding, classes)
        model.train(training)

    def _features_and_maps(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        if hasattr(self.model, "forward_intermediates"):
            features, maps = self.model.forward_intermediates(images)
            return features, maps
        return self.model.forward_features(images), []

    def stages(self, images: Tensor) -> list[Tensor]:
        features, maps = self._features_and_maps(images)
        return [*(maps[:-1] if self._repeats else maps), _as_maps(features, self._layout)]

    def embed(self, stages: list[Tensor]) -> Tensor:
        feature = self._feature(stages)
        return feature if self.neck is None else self.neck(feature)

    def _feature(self, stages: list[Tensor]) -> Tensor:
        return self.model.forward_head(_as_features(stages[-1], self._layout), pre_logits=True)

    def classify(self, embedding: Tensor) -> Tensor:
        return (self.model.get_classifier() if self.neck is None else self.fc)(embedding)

    def uncut(self) -> list[nn.Module]:
        return [self.model.get_classifier()] if self.neck is None else [self.fc, self.neck[0]]


Layout = Literal["NCHW", "NHWC", "NLD", "ND"]


def _layout(features: Tensor, model: nn.Module) -> Layout:
    if not isinstance(features, Tensor):
        raise _UnlikeError("its features are not one tensor")
    if features.ndim == 4:
        return "NHWC" if getattr(model, "output_fmt", "NCHW") == "NHWC" else "NCHW"
    if features.ndim in (2, 3):
        return "NLD" if features.ndim == 3 else "ND"
    raise _UnlikeError(f"its features have shape {tuple(features.shape)}")


def _as_maps(features: Tensor, layout: Layout) -> Tensor:
    if layout == "NHWC":
        return features.permute(0, 3, 1, 2)
    if layout == "NLD":
        return features.transpose(1, 2)[..., None]
    return features[..., None, None] if layout == "ND" else features


def _as_features(maps: Tensor, layout: Layout) -> Tensor:
    if layout == "NHWC":
        return maps.permute(0, 2, 3, 1)
    if layout == "NLD":
        return maps[..., 0].transpose(1, 2)
    return maps[..., 0, 0] if layout == "ND" else maps


def build(
    name: str,
    classes: int,
    size: int,
    channels: int,
    *,
    drop_rate: Dropout = 0.0,
    drop_path_rate: Dropout | None = None,
    stem_stride: Literal[1] | None = None,
    embedding: Width | None = None,
) -> TimmNet:
    """A timm model as a FaceNet.

    Args:
        name: model name in timm.
        classes: number of outputs; 0 for an embedding net.
        size: side of the input in pixels.
        channels: channels of the input.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth.
        stem_stride: 1 removes the stride of the first convolution.
        embedding: length, 64 to 1024, of an embedding (Linear - BN) after the model's own feature; None uses that feature.

    Raises FaceletError when the size is too small or the model's head is not supported; RuntimeError when the default device
    is "meta" and the model's constructor needs real values.
    """
    try:
        return _make(name, classes, size, channels, drop_rate, drop_path_rate, stem_stride, embedding)
    except FaceletError:
        raise
    except _UnlikeError as error:
        raise FaceletError(f"net 'timm/{name}' cannot be used: {error}") from None
    except Exception as error:  # timm's many models raise exceptions of any class
        if torch.empty(0).is_meta:  # the model may need real values: NetSpec.skeleton then retries with them
            raise RuntimeError(str(error)) from error
        for larger in (tried for tried in TRIED_SIZES if tried > size):
            if _takes(name, larger, channels, stem_stride):
                raise FaceletError(
                    f"{size} px faces are too small for net 'timm/{name}'; {larger} px is the smallest it takes "
                    f"(of {', '.join(map(str, TRIED_SIZES))})"
                ) from error
        raise FaceletError(f"net 'timm/{name}' cannot be used: {str(error).splitlines()[0]}") from error


def _make(
    name: str,
    classes: int,
    size: int,
    channels: int,
    drop_rate: float,
    drop_path_rate: float | None,
    stem_stride: int | None,
    embedding: int | None = None,
) -> TimmNet:
    import timm

    own = classes if embedding is None else 0
    arguments: dict[str, Any] = {"num_classes": own, "in_chans": channels, "drop_rate": drop_rate}
    if drop_path_rate is not None:
        arguments["drop_path_rate"] = drop_path_rate
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        arguments["img_size"] = size
    model = timm.create_model(name, pretrained=False, **arguments)
    if stem_stride is not None:
        _refine(model, name)
    return TimmNet(model, size, channels, embedding, classes)


def _refine(model: nn.Module, name: str) -> None:
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.stride[0] == 1 or first.stride[0] >= first.kernel_size[0]:
        raise FaceletError(f"option 'stem_stride' does not fit net 'timm/{name}': its stem has no strided convolution")
    first.stride = (1, 1)


def _takes(name: str, size: int, channels: int, stem_stride: int | None) -> bool:
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            _make(name, 2, size, channels, 0.0, None, stem_stride)
    except Exception:  # as in build: any exception means that this size is too small
        return False
    return True


def exists(name: str) -> bool:
    """Whether timm has a model of this name (a pretrained tag after a dot is allowed, and ignored).

    Only registered names pass, since ``timm.create_model`` would also download from an address.
    """
    import timm

    return timm.is_model(name)


def require(name: str) -> None:
    """Raises FaceletError, with the nearest names, when timm has no such model."""
    import timm

    if not exists(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.4)
        raise FaceletError(
            f"timm has no net {name!r}; did you mean {' or '.join(repr('timm/' + choice) for choice in close)}?"
            if close
            else f"timm has no net {name!r}; timm.list_models() lists what it has"
        )
