from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost
from facelet.nets.spec import KEY, NetSpec

SMALL = {"classes": 8, "size": 48, "width": 0.125}


@pytest.fixture
def saved(tmp_path):
    spec = nets.resolve("resnet18", **SMALL, mean=(0.4,), std=(0.2,))
    net = spec.build().eval()
    nets.save(net, spec, tmp_path / "net.safetensors")
    return net, spec, tmp_path / "net.safetensors"


def rewritten(path, change):
    """The file with its spec's JSON changed."""
    tensors, spec = load_file(path), json.loads(nets.load(path)[1].to_json())
    change(spec, tensors)
    save_file(tensors, path, metadata={KEY: json.dumps(spec)})
    return path


def test_round_trip(saved, faces):
    net, spec, path = saved
    again, found = nets.load(path)
    assert found == spec
    assert not again.training
    assert torch.equal(again(faces), net(faces))
    assert [file.name for file in path.parent.iterdir()] == ["net.safetensors"]


def test_channels_last_and_double_weights_are_kept(saved, faces, tmp_path):
    net, spec, _ = saved
    nets.save(net.to(memory_format=torch.channels_last), spec, tmp_path / "last.safetensors")
    torch.testing.assert_close(nets.load(tmp_path / "last.safetensors")[0](faces), net(faces))


def test_json_round_trip(saved):
    assert NetSpec.from_json(saved[1].to_json()) == saved[1]


def test_statistics_of_one_value_hold_for_every_channel():
    spec = nets.resolve("resnet18", classes=8, channels=3, width=0.125)
    assert (spec.mean, spec.std) == ((0.5,) * 3, (0.25,) * 3)


def test_loading_and_resolving_leave_the_random_state_alone(saved):
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    nets.load(saved[2])
    nets.resolve("shufflenet-v2", classes=8)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": -1}, "classes is -1"),
        ({"classes": 8, "size": 4}, "size is 4"),
        ({"classes": 8, "channels": 2}, "channels is 2"),
        ({"classes": 8, "channels": 3, "mean": (0.5, 0.5)}, "mean has 2 values for 3 channels"),
        ({"classes": 8, "std": (0.0,)}, "std"),
    ],
)
def test_bad_values_are_named(arguments, said):
    with pytest.raises(FaceletError, match=said):
        nets.resolve("resnet18", **arguments)


@pytest.mark.parametrize("size", [0, 5, 40, 2000, -100])
def test_torn_files_are_refused(saved, size):
    data = saved[2].read_bytes()
    saved[2].write_bytes(data[:size])
    with pytest.raises(FaceletError, match="damaged or not a safetensors file"):
        nets.load(saved[2])


def test_missing_and_foreign_files_are_refused(saved, tmp_path):
    with pytest.raises(FaceletError, match="no such file"):
        nets.load(tmp_path / "nothing.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(FaceletError, match="no net spec"):
        nets.load(tmp_path / "foreign.safetensors")
    (tmp_path / "photo.safetensors").write_bytes(b"\x89PNG" * 100)
    with pytest.raises(FaceletError, match="damaged or not a safetensors file"):
        nets.load(tmp_path / "photo.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda spec, tensors: spec.update(classes=7), "'fc.* has shape .*8.*, its net expects .*7"),
        (lambda spec, tensors: tensors.pop("fc.bias"), "1 weights are missing, first 'fc.bias'"),
        (lambda spec, tensors: tensors.update(extra=torch.zeros(1)), "its net has no weight 'extra'"),
        (lambda spec, tensors: spec.update(format=2), "format 2, this version of Facelet reads 1"),
        (lambda spec, tensors: spec.update(colour=3), "damaged at 'colour'"),
        (lambda spec, tensors: spec.update(size="big"), "damaged at 'size'"),
        (lambda spec, tensors: spec.update(size=10**9), "size is 1000000000"),
        (lambda spec, tensors: spec.update(name="resnet19"), "did you mean 'resnet18'"),
        (lambda spec, tensors: spec["options"].update(checkpoint_path="x"), "unknown option"),
        (lambda spec, tensors: spec.update(widths={"fc.weight": [10**9, 10**9]}), "has shape"),
        (lambda spec, tensors: spec.update(widths={"fc.weight": [-1, 8]}), r"the size \[-1, 8\]"),
        (lambda spec, tensors: spec.update(widths={"fc.weight": []}), r"the size \[\]"),
        (lambda spec, tensors: spec.update(widths={"gone.weight": [1]}), "'gone.weight', which the net does not have"),
        (lambda spec, tensors: spec.update(classes=10_000_000), "has shape"),
    ],
)
def test_files_that_do_not_fit_their_spec_are_refused(saved, change, said):
    with pytest.raises(FaceletError, match=said):
        nets.load(rewritten(saved[2], change))


def test_a_net_of_another_spec_is_not_saved(saved, tmp_path):
    other = nets.resolve("shufflenet-v2", classes=8)
    with pytest.raises(FaceletError, match="layers differ from those its spec builds"):
        nets.save(saved[0], other, tmp_path / "wrong.safetensors")
    assert not (tmp_path / "wrong.safetensors").exists()


def test_a_wider_classifier_is_not_taken_for_a_cut(saved, tmp_path):
    with pytest.raises(FaceletError, match="'fc' has 8 outputs, its spec has 7 classes"):
        nets.save(saved[0], replace(saved[1], classes=7), tmp_path / "wrong.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "width"),
    [
        ("resnet18", {"width": 0.125}, 64),
        ("vgg11", {"width": 0.125}, 64),
        ("squeezenet", {}, 512),
        ("shufflenet-v2-x0.5", {}, 1024),
        ("mobilefacenet", {"width": 0.25, "embedding": 96}, 96),
        ("timm/mobilenetv3_small_050", {}, 1024),
        ("timm/mobilenetv3_small_050", {"embedding": 64}, 64),
        ("timm/vit_tiny_patch16_224", {}, 192),
    ],
)
def test_without_classes_any_net_answers_with_its_embedding_and_returns_from_its_file(
    name, options, width, faces, tmp_path
):
    spec = nets.resolve(name, classes=0, size=48, **options)
    net = spec.build().eval()
    answer = net(faces)
    assert torch.equal(answer, net.embed(net.stages(faces)))
    assert answer.shape == (2, width) == (2, net.embedding_width)
    assert net_cost(net, spec).params == net_cost(spec.skeleton(), spec).params
    nets.save(net, spec, tmp_path / "net.safetensors")
    again, found = nets.load(tmp_path / "net.safetensors")
    assert found == spec
    assert torch.equal(again(faces), answer)


def test_what_needs_classes_says_so():
    with pytest.raises(FaceletError, match="rescaps needs classes"):
        nets.resolve("rescaps", classes=0)
    with pytest.raises(FaceletError, match="exits need classes"):
        replace(nets.resolve("resnet18", classes=0, width=0.125), exits="eca")
