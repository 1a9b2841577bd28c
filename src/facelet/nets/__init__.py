"""Network architectures. Importing this package registers them; "timm/NAME" resolves any timm model."""

from facelet.nets import (  # noqa: F401  (they register themselves)
    light,
    mobilefacenet,
    mobilenet,
    repvgg,
    rescaps,
    resnet,
    seresnet,
    shufflenet,
    squeezenet,
    vgg,
)
from facelet.nets.base import NETS, FaceNet
from facelet.nets.spec import NetSpec, load, resolve, save

__all__ = ["NETS", "FaceNet", "NetSpec", "load", "resolve", "save"]
