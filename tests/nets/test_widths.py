"""Cut by torch-pruning, saved, loaded in a clean process: the same answers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import torch_pruning
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets import widths
from facelet.nets.spec import changed_widths

CLEAN = """
import sys, torch
from safetensors.torch import load_file
from facelet import nets
io = load_file(sys.argv[1])
for name in sys.argv[2:]:
    net, spec = nets.load(name)
    assert spec.widths
    assert tuple(each.shape[1] for each in net.stages(io["faces"])) == net.stage_widths
    assert torch.equal(net(io["faces"]), io[name]), name
assert "torch_pruning" not in sys.modules
"""


def prune(net, faces, ratio=0.4):
    torch_pruning.pruner.BasePruner(
        net,
        faces,
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=ratio,
        ignored_layers=net.uncut(),
        round_to=4,
    ).step()


def prune_fine_grained(net, faces):
    graph = torch_pruning.DependencyGraph().build_dependency(net, faces)
    quarter = net.stage_widths[0] // 4
    channels = [part * quarter + channel for part in range(4) for channel in (0, 2)]
    group = graph.get_pruning_group(net.stem.conv, torch_pruning.prune_conv_out_channels, channels)
    assert graph.check_pruning_group(group)
    group.prune()


def trained(net):
    """Statistics and scales as after training, so that no channel is silent."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
    return net.eval()


@pytest.mark.slow
def test_cut_nets_return_in_a_clean_process(tmp_path, faces):
    from safetensors.torch import save_file

    answers = {"faces": faces}
    for name, options, cut in (
        ("resnet18", {"local": True, "width": 0.5}, prune),
        ("resnet18-finegrained", {"width": 0.5}, prune_fine_grained),
        ("shufflenet-v2", {}, prune),
        ("timm/mobilenetv2_100", {}, prune),
    ):
        spec = nets.resolve(name, classes=8, size=48, **options)
        net = trained(spec.build())
        before = sum(weight.numel() for weight in net.parameters())
        cut(net, faces)
        assert sum(weight.numel() for weight in net.parameters()) < before
        path = str(tmp_path / f"{name.replace('/', '-')}.safetensors")
        nets.save(net, spec, path)
        answers[path] = net(faces).detach()
    save_file(answers, tmp_path / "answers")
    found = subprocess.run(
        [sys.executable, "-c", CLEAN, tmp_path / "answers", *[path for path in answers if path != "faces"]],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr


def test_read_names_what_changed_and_apply_repeats_it(faces):
    spec = nets.resolve("resnet18", classes=8, width=0.25)
    net = spec.build()
    assert changed_widths(net, spec) == {}
    graph = torch_pruning.DependencyGraph().build_dependency(net, faces)
    graph.get_pruning_group(net.layer1[0].conv1, torch_pruning.prune_conv_out_channels, [0, 1, 2]).prune()
    found = changed_widths(net, spec)
    assert found["layer1.0.conv1.out_channels"] == [13]
    assert found["layer1.0.bn1.num_features"] == [13]
    assert found["layer1.0.conv2.weight"] == [16, 13, 3, 3]
    assert {path.rsplit(".", 1)[0] for path in found} == {"layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2"}
    fresh = spec.build()
    widths.apply(fresh, found)
    fresh.load_state_dict(net.state_dict())
    assert torch.equal(fresh.eval()(faces), net.eval()(faces))


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        (nn.Linear(8, 6), nn.Linear(5, 6)),
        (nn.GroupNorm(2, 8), nn.GroupNorm(1, 6)),
        (nn.LayerNorm(8), nn.LayerNorm(6)),
        (nn.PReLU(8), nn.PReLU(6)),
        (nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(6, 6, 3, groups=6)),
    ],
)
def test_every_kind_of_layer(layer, change):
    found = widths.difference(change, layer)
    widths.apply(layer, found)
    assert widths.difference(change, layer) == {}
    layer.load_state_dict(change.state_dict())
    assert repr(layer) == repr(change)


def test_removed_layers_are_refused():
    spec = nets.resolve("resnet18", classes=8, width=0.125)
    net = spec.build()
    net.layer4 = net.layer4[:1]
    with pytest.raises(FaceletError, match=r"layers differ from those its spec builds, first at 'layer4\.1"):
        changed_widths(net, spec)


def test_building_with_widths_gives_the_cut_shapes():
    spec = nets.resolve("shufflenet-v2", classes=8)
    net = spec.build()
    prune(net.eval(), torch.zeros(1, 1, 48, 48), 0.5)
    cut = replace(spec, widths=changed_widths(net, spec))
    assert [weight.shape for weight in cut.build().parameters()] == [weight.shape for weight in net.parameters()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resvgg19", "shufflenet-v2-x0.5", "timm/mobilenetv3_small_050"])
def test_a_net_built_with_widths_has_fresh_weights_as_wide_nets_have(name, faces):
    """By hand: variance 2 / (k k outputs) for convolutions, 1 / (3 inputs) for linear layers; zeros and ones where there were."""
    spec = nets.resolve(name, classes=8)
    whole, net = spec.build(), spec.build()
    prune(net.eval(), faces, 0.5)
    fresh = replace(spec, widths=changed_widths(net, spec)).build()
    for (path, module), (_, before) in zip(fresh.named_modules(), whole.named_modules(), strict=True):
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, before.weight[: module.num_features])
            assert (module.running_var == 1).all()
            assert not module.running_mean.any()
        elif isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and not name.startswith("timm/")):
            weight = module.weight.detach()
            by_hand = 2 / (weight[0, 0].numel() * weight.shape[0]) if weight.ndim == 4 else 1 / (3 * weight.shape[1])
            if weight.numel() > 1000 and not name.startswith("timm/"):
                assert weight.var().item() == pytest.approx(by_hand, rel=0.2), path
            assert weight.abs().max() > 0
    assert fresh.train()(faces).std() > 0
