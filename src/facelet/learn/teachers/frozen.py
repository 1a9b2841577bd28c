"""Eval-mode, no-grad wrapper around a trained net, in the requested precision.

>>> net = FrozenNet(*nets.load("teacher.safetensors"), wish="fp32")
>>> net.place(device)
>>> net(faces).logits  # faces (N, C, S, S) in [0, 1], of any size and colour
"""

from __future__ import annotations

import torch
from torch import Tensor

from facelet.learn.data.normalise import Normalise
from facelet.learn.device import precision
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.nets import FaceNet, NetSpec


class FrozenNet:
    """Resizes and normalises faces for the net, and runs it without gradients."""

    def __init__(self, net: FaceNet, spec: NetSpec, wish: precision.Wish = "auto") -> None:
        self.net, self.normalise, self.wish = net.eval().requires_grad_(False), Normalise(spec), wish
        self.classes = spec.classes

    def place(self, device: torch.device) -> None:
        choice = precision.choose(device, self.wish)
        self.net.to(device).to(memory_format=choice.memory_format)
        self.normalise.to(device)
        self.normalise.channels_last, self.bf16 = choice.channels_last, choice.bf16

    def __call__(self, faces: Tensor) -> ModelOutputs:
        """Logits (None for an embedding net) and embedding in float32, stages in the precision of the net."""
        faces = self.normalise(faces)
        with torch.no_grad(), torch.autocast(faces.device.type, torch.bfloat16, enabled=self.bf16):
            stages = self.net.stages(faces)
            embedding = self.net.embed(stages)
            logits = self.net.classify(embedding).float() if self.classes else None
        return ModelOutputs(logits, embedding.float(), stages)
