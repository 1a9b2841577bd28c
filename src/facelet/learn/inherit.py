"""Starts a net from an earlier one's weights: fine-tuning, also to other classes.

>>> inherit(net, before, "student", "pretrained")
'fresh classifier: fc.bias, fc.weight'
"""

from __future__ import annotations

from torch import nn

from facelet.errors import FaceletError
from facelet.nets import FaceNet


def inherit(net: FaceNet, before: FaceNet, name: str, of: str) -> str:
    """Copies the weights of ``before`` that fit ``net``; only the classifier may differ. Says what was left fresh."""
    state, own = before.state_dict(), net.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    fresh = sorted(set(own) - set(fitting))
    classifier = {f"{path}.{kind}" for path in _classifiers(net) for kind in ("weight", "bias")}
    if stray := [key for key in fresh if key not in classifier]:
        raise FaceletError(f"{name}: the weights of {of!r} do not fit at {stray[0]!r} ({len(stray)} tensors in all)")
    net.load_state_dict({**own, **fitting})
    return f"fresh classifier: {', '.join(fresh)}" if fresh else ""


def _classifiers(net: FaceNet) -> list[str]:
    """Paths of linear layers as wide as the net's answers."""
    linear = [(path, module) for path, module in net.named_modules() if isinstance(module, nn.Linear)]
    return [path for path, _ in linear[-1:]]
