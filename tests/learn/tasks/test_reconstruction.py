"""Capsules in training: the margin loss in every step's place for a loss, and the decoder that is left behind."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.reconstruction import ReconstructionTask
from facelet.nets.layers.capsule import squash

CAPSULES = {"net": "rescaps", "net_options": {"width": 0.0625, "stem_stride": 1, "types": 4}, "loss": "margin"}


def batch(labels, votes=None):
    rows, mirrored = torch.arange(len(labels)), torch.zeros(len(labels), dtype=torch.bool)
    return Batch(torch.rand(len(labels), 1, 16, 16), torch.tensor(labels), rows, mirrored, votes)


def test_the_decoder_sees_the_labels_capsule_alone():
    spec = nets.resolve("rescaps", classes=3, size=16, width=0.0625, types=2)
    objective = ReconstructionTask(spec, 0.5, 48, loss="margin")
    embedding, labels = torch.randn(2, 48), torch.tensor([1, 2])
    shown = torch.zeros(2, 48)
    for face, label in enumerate(labels):
        part = slice(16 * label, 16 * label + 16)
        shown[face, part] = squash(embedding[face, part])
    torch.testing.assert_close(objective.rebuild(embedding, labels), objective.decoder(shown))
    net, some = spec.build().eval(), batch([1, 2])
    found = objective(net, some)
    rebuilt = objective.rebuild(net.embed(net.stages(objective.normalise(some.faces))), some.labels)
    expected = 0.5 * sum((a - b).square().sum() for a, b in zip(rebuilt, some.faces.flatten(1), strict=True)) / 2
    assert found["reconstruction"].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.slow
def test_capsules_learn_and_leave_their_decoder_behind(step, job):
    faces = load("toy?faces=500&noise=0.2", size=16)
    made = step(epochs=12, lr=0.01, augment=0.3, reconstruct=0.0005, **CAPSULES).run(job(faces=faces))
    net, spec = nets.load(made.net)
    assert {name.split(".")[0] for name in load_file(made.net)} == {name for name, _ in net.named_children()}
    val = faces.split("val")
    with torch.no_grad():
        pixels = torch.from_numpy(val.images).permute(0, 3, 1, 2) / 255
        right = (net((pixels - spec.mean[0]) / spec.std[0]).argmax(1).numpy() == val.labels).mean()
    assert right > 0.5, right


def test_a_net_without_capsules_is_refused(step, faces):
    with pytest.raises(
        FaceletError, match="reconstruct needs a capsule net, such as rescaps; resnet18 has no capsules"
    ):
        step(epochs=1, reconstruct=0.1).plan(faces, {})
