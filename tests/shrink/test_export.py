from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import tiny
import torch
from torch import nn

import facelet.nets  # noqa: F401
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import file_cost, net_cost
from facelet.models import model_file
from facelet.models import session as model_session
from facelet.nets import spec as checkpoints
from facelet.nets.repvgg import RepVGGBlock
from facelet.runtime.model import Model
from facelet.shrink.export import export, export_checkpoint, torch_logits

INFO = {"labels": tiny.LABELS}


def test_a_model_file_says_what_it_is_and_answers_as_its_net(fp32):
    info = model_file.read(fp32)
    assert (info.name, info.labels, info.precision, info.net) == ("tiny", tiny.LABELS, "fp32", "tiny")
    assert (info.input.size, info.input.channels, info.input.mean, info.input.std) == (16, 1, (0.4,), (0.2,))
    assert info.params == sum(parameter.numel() for parameter in tiny.Tiny().parameters())
    session = model_session.open_session(fp32)
    faces = tiny.faces().images[:7]
    prepared = ((faces / 255 - 0.4) / 0.2).astype(np.float32).transpose(0, 3, 1, 2)
    theirs = torch_logits(tiny.trained(), tiny.SPEC, faces)
    np.testing.assert_allclose(session.run(None, {"images": prepared})[0], theirs, atol=1e-4)


def test_the_graph_is_bare_and_folded(fp32):
    model = onnx.load(fp32)
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert b"stack_trace" not in fp32.read_bytes()
    assert b".py" not in fp32.read_bytes()
    assert not any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)


@pytest.mark.slow
def test_the_same_net_gives_the_same_bytes(fp32, tmp_path):
    again = tmp_path / "again.onnx"
    export(tiny.trained(), tiny.SPEC, again, {**INFO, "name": "tiny"}, tiny.faces().images[:16])
    assert again.read_bytes() == fp32.read_bytes()


@pytest.mark.slow
def test_the_gate_refuses_a_net_that_depends_on_chance_and_leaves_no_file(tmp_path):
    class Moody(tiny.Tiny):
        def forward(self, images):
            if torch.compiler.is_compiling():
                return super().forward(images)
            return super().forward(images) + 1e-2

    with pytest.raises(FaceletError, match=r"moody\.onnx does not match its net"):
        export(Moody().eval(), tiny.SPEC, tmp_path / "moody.onnx", INFO, tiny.faces().images[:2])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_net_that_cannot_be_traced_is_named(tmp_path):
    class Fickle(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(256, 3)

        def forward(self, images):
            logits = self.fc(images.flatten(1))
            return logits if logits.sum() > 0 else -logits

    with pytest.raises(FaceletError, match="tiny cannot be exported to ONNX: "):
        export(Fickle().eval(), tiny.SPEC, tmp_path / "fickle.onnx", INFO, tiny.faces().images[:2])
    assert not list(tmp_path.iterdir())


def test_without_golden_faces_there_is_no_file(tmp_path):
    with pytest.raises(FaceletError, match="no faces"):
        export(tiny.Tiny().eval(), tiny.SPEC, tmp_path / "a.onnx", INFO, tiny.faces().images[:0])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_golden_faces_of_another_size_and_colour_go_through_the_preprocessing(tmp_path):
    faces, net = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8), tiny.Tiny().train()
    seen = export(net, tiny.SPEC, tmp_path / "a.onnx", INFO, faces).input
    assert (seen.size, seen.cut, seen.cut_size) == (16, 40, 40)
    assert net.training
    seen = export(net, tiny.SPEC, tmp_path / "b.onnx", INFO, faces[:, :16, :16]).input
    assert (seen.size, seen.cut, seen.cut_size) == (16, 0, 16)


@pytest.mark.slow
def test_a_checkpoint_of_a_real_net_takes_its_description_from_the_faces(tmp_path):
    spec = checkpoints.resolve("shufflenet-v2-x0.5", classes=3, size=32, channels=1)
    torch.manual_seed(0)
    net = spec.build()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)  # as training leaves it; a shift of zero is not written
    checkpoints.save(net, spec, tmp_path / "net.safetensors")
    described = {"name": "student", "recipe": "T-SNet", "step": "distill", "seed": 4}
    faces = replace(tiny.faces(), margin=0.2)
    info = export_checkpoint(tmp_path / "net.safetensors", tmp_path / "s.onnx", faces, described=described)
    assert info == model_file.read(tmp_path / "s.onnx")
    assert (info.labels, info.seed, info.recipe, info.crop.margin) == (tiny.LABELS, 4, "T-SNet", 0.2)
    assert info.protocol == faces.protocol.to_json()
    norms = sum(module.num_features for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    written = file_cost(tmp_path / "s.onnx")
    assert (info.macs, info.params) == (written.macs, written.params + norms)  # scale and shift became one bias
    nodes = [node.op_type for node in onnx.load(tmp_path / "s.onnx").graph.node]
    assert nodes.count("Concat") <= 16
    assert nodes.count("Slice") == 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"classes": 3}, {"classes": 3, "norms": "sum"}, {"classes": 0, "embedding": 64}])
def test_what_learned_with_branches_becomes_a_plain_file_that_answers_as_they_did(options, tmp_path):
    torch.manual_seed(0)
    spec = checkpoints.resolve("repvgg", size=48, width=0.25, **options)
    net, faces = spec.build(), np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), np.uint8)
    with torch.no_grad():
        for _ in range(10):  # batch norms as after training
            net(torch.randn(8, 1, 48, 48))
    task = {"labels": tiny.LABELS} if spec.classes else {"task": "identity", "labels": ()}
    info = export(net, spec, tmp_path / "plain.onnx", task, faces)
    np.testing.assert_allclose(
        Model.load(tmp_path / "plain.onnx").logits(faces), torch_logits(net.eval(), spec, faces), atol=1e-4
    )
    nodes = [node.op_type for node in onnx.load(tmp_path / "plain.onnx").graph.node]
    assert (nodes.count("Relu"), nodes.count("Add"), nodes.count("BatchNormalization")) == (11, 0, 0)
    written, counted = file_cost(tmp_path / "plain.onnx"), net_cost(spec.skeleton(), spec)
    assert (info.params, info.macs) == (counted.params, counted.macs)
    assert counted.macs == written.macs
    norms = 0 if spec.classes else 48 + 64  # the head's, whose scale and shift become one bias
    assert counted.params == written.params + norms < sum(weight.numel() for weight in net.parameters())


@pytest.mark.slow
def test_the_gate_holds_a_fused_net_against_the_one_that_learned(tmp_path, monkeypatch):
    spec = checkpoints.resolve("repvgg", classes=3, size=48, width=0.125, blocks=[1, 1, 1])
    whole = RepVGGBlock.fused
    monkeypatch.setattr(RepVGGBlock, "fused", lambda block: nn.Sequential(whole(block), nn.Threshold(0.1, 0.1)))
    with pytest.raises(FaceletError, match=r"wrong\.onnx does not match its net"):
        export(spec.build(), spec, tmp_path / "wrong.onnx", INFO, tiny.faces().images[:2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("mobilefacenet", 112, {"width": 0.25, "embedding": 64}),
        ("mobilefacenet", 48, {"width": 0.25, "activation": "relu"}),
        ("seresnet18", 48, {"width": 0.125, "embedding": 64}),
        ("timm/mobilenetv3_small_050", 48, {"embedding": 64}),
        ("resnet18", 48, {"width": 0.125}),
    ],
)
def test_a_net_without_classes_becomes_a_file_that_answers_with_its_embedding(name, size, options, tmp_path):
    torch.manual_seed(0)
    spec = checkpoints.resolve(name, classes=0, size=size, channels=3, **options)
    net, faces = spec.build(), np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    with torch.no_grad():
        for _ in range(10):  # batch norms as after training
            net(torch.randn(8, 3, size, size))
    net.eval()
    info = export(net, spec, tmp_path / "identity.onnx", {"task": "identity", "labels": ()}, faces)
    assert info == model_file.read(tmp_path / "identity.onnx")
    assert (info.task, info.labels, info.net) == ("identity", (), name)
    assert info.params == sum(parameter.numel() for parameter in net.parameters())
    session = model_session.open_session(tmp_path / "identity.onnx")
    assert [output.name for output in session.get_outputs()] == ["embedding"]
    embedding = Model.load(tmp_path / "identity.onnx").logits(faces)
    assert embedding.shape == (4, net.embedding_width)
    np.testing.assert_allclose(embedding, torch_logits(net, spec, faces), atol=1e-3)
    assert (np.linalg.norm(embedding, axis=1) > 0.1).all()


@pytest.mark.slow
def test_a_net_without_classes_is_no_expression_model(tmp_path):
    spec = checkpoints.resolve("resnet18", classes=0, size=16, width=0.0625, stem_stride=1)
    with pytest.raises(FaceletError, match="its metadata has 3 labels, its graph has the output shape"):
        export(spec.build().eval(), spec, tmp_path / "wrong.onnx", INFO, tiny.faces().images[:2])
    assert not list(tmp_path.iterdir())
