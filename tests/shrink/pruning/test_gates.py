"""Gates that hang on a net by hooks: what they see, what they score, and that nothing of them stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.augment import augmentation
from facelet.learn.data.batches import FaceBatches, Faces
from facelet.learn.device.precision import Precision
from facelet.learn.engine.optimizer import Optimization
from facelet.learn.tasks.task import ClassificationTask
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.gates import Gates, GateScore, probe

FP32 = Precision(bf16=False, channels_last=False)


@pytest.fixture
def spec():
    return nets.resolve("resnet18", classes=8, size=16, width=0.125, stem_stride=1)


def probed(net, spec, steps=6, lr=0.01):
    torch.manual_seed(2)
    gates = Gates(Channels(net, spec))
    train = load("toy?faces=200", size=16).split("train")
    batches = FaceBatches(Faces.of(train), size=32, seed=1, augment=augmentation(1.0))
    probe(
        net, gates, ClassificationTask(spec), batches, steps, Optimization("adamw", lr, 0.05), torch.device("cpu"), FP32
    )
    return gates


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet18-finegrained", "rescaps", "vgg11", "repvgg", "timm/mobilenetv3_small_050"]
)
def test_every_layer_that_can_be_cut_is_scored(name):
    spec = nets.resolve(name, classes=8, size=32)
    net = spec.build()
    channels = Channels(net, spec)
    gates = Gates(channels)
    with gates.placed():
        net.train()(torch.randn(2, 1, 32, 32)).sum().backward()
    scores = channels.scores(GateScore(gates))
    assert scores.keys() == channels.widths.keys()
    for name, score in scores.items():
        assert score.shape == (channels.widths[name] // channels.blocks[name],)
        assert ((score > 0) & (score <= channels.blocks[name])).all()
    assert len(gates.means) == len(gates.layers)


def test_a_score_is_the_mean_gate_of_all_layers_that_share_the_channels(spec):
    net = spec.build()
    channels = Channels(net, spec)
    gates, seen = Gates(channels), {}
    for layer, gate in zip(gates.layers, gates.gates, strict=True):
        gate.gate.register_forward_hook(lambda _, __, out, layer=layer: seen.setdefault(layer, []).append(out.detach()))
    with gates.placed():
        for _ in range(3):
            net.train()(torch.randn(4, 1, 16, 16))
    scores = channels.scores(GateScore(gates))
    names = {module: name for name, module in net.named_modules()}
    means = {names[layer]: torch.stack(outs).mean((0, 1, 3, 4)).double() for layer, outs in seen.items()}
    torch.testing.assert_close(scores["layer1.0.conv1"], means["layer1.0.bn1"])
    joined = next(name for name in scores if name.startswith("stem") or name == "layer1.0.conv2")
    expected = torch.stack([means["stem.bn"], means["layer1.0.bn2"], means["layer1.1.bn2"]]).mean(0)
    torch.testing.assert_close(scores[joined], expected)


def test_a_gate_multiplies_what_comes_out_of_the_batch_norm_and_leaves_again(spec):
    net, faces = spec.build().eval(), torch.randn(2, 1, 16, 16)
    before, keys = net(faces), list(net.state_dict())
    gates = Gates(Channels(net, spec))
    place = gates.layers.index(net.stem.bn)
    for gate in gates.gates:
        nn.init.zeros_(gate.fc2.weight)
        nn.init.constant_(gate.fc2.bias, 50.0)  # open
    with gates.placed():
        torch.testing.assert_close(net(faces), before)
        nn.init.constant_(gates.gates[place].fc2.bias, -50.0)  # shut
        torch.testing.assert_close(net.stem(faces), torch.zeros_like(net.stem(faces)), atol=1e-6, rtol=0)
    torch.testing.assert_close(net(faces), before)
    assert list(net.state_dict()) == keys


@pytest.mark.slow
def test_a_probe_trains_both_and_repeats_itself(spec):
    scores = []
    for _ in range(2):
        torch.manual_seed(5)
        net = spec.build()
        first = net.fc.weight.detach().clone()
        gates = probed(net, spec)
        assert not torch.equal(net.fc.weight, first)
        assert set(gates._count) == {3}  # the last half of the steps
        scores.append(Channels(net, spec).scores(GateScore(gates)))
    assert all(torch.equal(scores[0][name], scores[1][name]) for name in scores[0])
    assert all(score.std() > 0 for score in scores[0].values())


def test_a_probe_that_diverges_is_said(spec):
    net = spec.build()
    gates = probed(net, spec, lr=1e30)
    with pytest.raises(FaceletError, match=r"the training of the gates diverged.* try a lower lr"):
        GateScore(gates)
