"""Exports a checkpoint to a model file: ONNX with a dynamic batch and complete metadata, verified by the parity check.

>>> info = export_checkpoint("steps/student/net.safetensors", "student.onnx", faces)
>>> info.input.size, info.params
(48, 1261372)

Fusable layers are replaced (nets.layers.fusable), the exporter folds batch norms into convolutions, and chains of Concat and Split
are simplified (``channel_routes``); the parity check compares the file with the net as trained.
The same weights give the same bytes: paths and traces that torch's exporter adds are removed. A net whose shapes depend on the
values of its input cannot be exported.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.faces.cartoon.golden import golden_faces
from facelet.io import pixels
from facelet.io.files import writing
from facelet.measure.efficiency import parity
from facelet.measure.efficiency.cost import graph_macs
from facelet.models import model_file, self_test
from facelet.models.model_file import CropInfo, InputInfo, ModelInfo
from facelet.models.session import self_test_feed
from facelet.nets import spec as checkpoints
from facelet.nets.layers.exits import without_exits
from facelet.nets.layers.fusable import fused
from facelet.nets.spec import NetSpec
from facelet.shrink.channel_routes import shorten

OPSET = 18
"""The exporter's native opset, which needs no conversion; ONNX Runtime supports all of it in quantization and fusion."""
GOLDEN = 16


def export_checkpoint(
    checkpoint: str | Path,
    path: str | Path,
    faces: FaceSet,
    *,
    crop: CropInfo | None = None,
    described: Mapping[str, Any] | None = None,
) -> ModelInfo:
    """Exports a checkpoint; labels, protocol, licence and the faces for the parity check come from its training ``faces``.

    Early exits are dropped. ``crop``: how faces are cropped from photos; default: with the margin of ``faces``. ``described``:
    further fields of ModelInfo (name, parent, recipe, step, seed, temperature, ...).
    """
    net, spec = checkpoints.load(checkpoint)
    info = {
        "task": "expression" if spec.classes else "identity",
        "labels": faces.classes if spec.classes else (),
        "protocol": faces.protocol.to_json(),
        "licence": faces.licence,
        "crop": crop or CropInfo(margin=faces.margin),
        **(described or {}),
    }
    return export(without_exits(net), spec, path, info, golden(faces))


def golden(faces: FaceSet) -> NDArray[np.uint8]:
    """Returns faces for the parity check."""
    return faces.split("val" if faces.has("val") else "train").images[:GOLDEN]


def export(
    net: nn.Module, spec: NetSpec, path: str | Path, info: Mapping[str, Any], faces: NDArray[np.uint8]
) -> ModelInfo:
    """Writes ``net`` as a model file and returns its metadata.

    Args:
        net: module from images to logits or embeddings.
        spec: its input size, channels and normalisation.
        path: file to write.
        info: fields of ModelInfo; at least ``labels``, and ``task="identity"`` for a net without classes. Input, net, params,
            macs, precision and made_with are filled in here.
        faces: uint8 (N, H, W, C) faces for the parity check, N >= 1, at the size of the training faces.

    Raises FaceletError, leaving no file, when the net cannot be exported or the file's outputs differ from the net's.
    """
    if not len(faces):
        raise FaceletError(f"no faces to check {path} with: the parity check needs at least one")
    reference = copy.deepcopy(net).cpu().float().eval()
    model = to_onnx(reference, spec)
    cut = 0 if faces.shape[1] == spec.size else faces.shape[1]
    complete = ModelInfo.model_validate(
        {
            **info,
            "input": InputInfo(size=spec.size, cut=cut, channels=spec.channels, mean=spec.mean, std=spec.std),  # type: ignore[arg-type]
            "precision": "fp32",
            "net": spec.name,
            "params": _params_read(fused(reference), spec),
            "macs": graph_macs(model),
            "made_with": versions("facelet", "torch", "onnx", "onnxruntime"),
        }
    )
    drawn = golden_faces(spec.channels)
    complete = self_tested(model, complete, drawn, torch_logits(reference, spec, self_test.enlarged(drawn, spec.size)))
    with writing(path) as beside:
        model_file.write(model, complete, beside)
        try:
            parity.check(lambda images: torch_logits(reference, spec, images), beside, faces)
        except FaceletError as error:
            raise FaceletError(str(error).replace(str(beside), str(path))) from None
    return complete


def to_onnx(net: nn.Module, spec: NetSpec) -> onnx.ModelProto:
    """Returns the graph of a net on the CPU in eval mode: "images" (batch, C, H, W) float to "logits" (batch, K).

    A net without classes has the output "embedding" (batch, D), not normalized to unit length.
    """
    model = graph_of(net, spec, ["logits" if spec.classes else "embedding"])
    shorten(model)
    return model


def graph_of(net: nn.Module, spec: NetSpec, outputs: Sequence[str]) -> onnx.ModelProto:
    """Returns the graph of a module with the given output names, like ``to_onnx`` but without simplified routes."""
    faces = torch.zeros(2, spec.channels, spec.size, spec.size)
    batch = torch.export.Dim("batch", min=1)
    try:
        with quiet():
            program = torch.onnx.export(
                fused(net),
                (faces,),
                dynamo=True,
                input_names=["images"],
                output_names=list(outputs),
                dynamic_shapes=({0: batch},),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever went wrong in any of its stages
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        raise FaceletError(f"{spec.name} cannot be exported to ONNX: {reason[:300]}") from error
    if program is None:
        raise FaceletError(f"{spec.name} cannot be exported to ONNX: the exporter returned nothing")
    return _bare(program.model_proto)


def _params_read(net: nn.Module, spec: NetSpec) -> int:
    """Returns the number of parameters that the output depends on; ``ExitLogits`` also holds unused deeper stages."""
    parameters = [parameter.requires_grad_() for parameter in net.parameters()]
    output = net(torch.zeros(1, spec.channels, spec.size, spec.size)).sum()
    gradients = torch.autograd.grad(output, parameters, allow_unused=True)
    return sum(weight.numel() for weight, gradient in zip(parameters, gradients, strict=True) if gradient is not None)


def self_tested(
    model: onnx.ModelProto, info: ModelInfo, faces: NDArray[np.uint8], outputs: NDArray[np.float32]
) -> ModelInfo:
    """Returns ``info`` with a self-test; its tolerance follows from the deviation of ``model`` from the reference here.

    Args:
        model: graph to test.
        info: its metadata.
        faces: uint8 (N, SIDE, SIDE, channels).
        outputs: (N, K), the reference outputs for these faces, enlarged to the input's size.
    """
    measured = self_test.deviation(_outputs(model.SerializeToString(), faces, info), outputs)
    return info.model_copy(update={"selftest": self_test.make(faces, outputs, measured, info.precision)})


def reference_outputs(parent: Path, info: ModelInfo) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Returns golden faces and an fp32 model file's outputs for them, from its self-test or, without one, computed now."""
    if info.selftest:
        faces = self_test.golden_faces(info.selftest, info.input.channels)
        return faces, np.array(info.selftest.outputs, np.float32)
    faces = golden_faces(info.input.channels)
    return faces, _outputs(parent.read_bytes(), faces, info)


def _outputs(model: bytes, faces: NDArray[np.uint8], info: ModelInfo) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    return np.asarray(session.run(None, self_test_feed(faces, info))[0], np.float32)


def torch_logits(net: nn.Module, spec: NetSpec, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns torch's logits (N, K) for uint8 faces (N, H, W, C), with separate normalisation code: the parity reference."""
    fitted = np.stack([pixels.resize(pixels.to_channels(face, spec.channels), spec.size) for face in faces])
    images = torch.from_numpy(fitted).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.std))
    with torch.inference_mode():
        return net((images - mean) / std).numpy()


def versions(*packages: str) -> dict[str, str]:
    """Returns the versions of Python and of the given packages, for metadata."""
    installed = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Removes traces and doc strings, which contain local paths and take a tenth of a small file."""
    graph = model.graph
    for message in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del message.metadata_props[:]
        message.doc_string = ""
    del graph.value_info[:]
    return model


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Context that suppresses progress messages and warnings of torch's and ONNX Runtime's tools."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
