"""Initialises a net from another net's weights, for fine-tuning, also to other classes.

>>> inherit(net, before, "student", "pretrained")
'fresh classifier: fc.bias, fc.weight'
"""

from __future__ import annotations

from facelet.errors import FaceletError
from facelet.nets import FaceNet


def inherit(net: FaceNet, before: FaceNet, name: str, of: str) -> str:
    """Copies the weights of ``before`` into ``net``; only the classifier may differ. Returns a note of weights left fresh."""
    state, own = before.state_dict(), net.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    fresh = sorted(set(own) - set(fitting))
    classifiers = [path for path, module in net.named_modules() if module is net.uncut()[0]]
    classifier = {f"{path}.{kind}" for path in classifiers for kind in ("weight", "bias")}
    if stray := [key for key in fresh if key not in classifier]:
        raise FaceletError(f"{name}: the weights of {of!r} do not fit at {stray[0]!r} ({len(stray)} tensors in all)")
    net.load_state_dict({**own, **fitting})
    return f"fresh classifier: {', '.join(fresh)}" if fresh else ""
