"""Converts OpenCV's SFace, a net trained on millions of faces, to a checkpoint for fine-tuning.

python reproduce/sface_weights.py face_recognition_sface_2021dec_int8bq.onnx sface.safetensors
python reproduce/sface_weights.py face_recognition_sface_2021dec_int8bq.onnx start.safetensors --mean

With --mean the net ends in the mean of its last feature map instead of its embedding, which encodes only identity. Nothing is
written unless the net reproduces the file's outputs on random inputs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.nets import FaceNet, NetSpec

PIXEL = (0.5,), (128 / 255,)
"""Mean and standard deviation of the input: the file computes (pixel - 127.5) / 128."""
CLOSE = 1e-4
LAYERS = (nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.PReLU, nn.Linear)


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # hides warnings about unused initializers
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def read(path: Path) -> onnx.ModelProto:
    """Reads the file, and removes the weights from its list of inputs."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name == "data" and value.name not in weights]
    if len(inputs) != 1:
        raise FaceletError(f"{path} is not SFace: it has no input 'data'")
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def weights_of(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, list[np.ndarray]]]:
    """Layers with weights, in graph order, and their weights, dequantized from int8."""
    layers = [node for node in model.graph.node if node.op_type in ("Conv", "BatchNormalization", "PRelu", "Gemm")]
    names = [name for node in layers for name in node.input[1:]]
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    del extended.graph.output[:]
    extended.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    found = dict(zip(names, opened(extended).run(names, {"data": np.zeros((1, 3, 112, 112), np.float32)}), strict=True))
    return [(node, [found[name] for name in node.input[1:]]) for node in layers]


def fill(module: nn.Module, node: onnx.NodeProto, arrays: list[np.ndarray]) -> None:
    """Copies a layer. The variance of a batch norm is corrected for our epsilon."""
    tensors = [torch.from_numpy(np.array(array)) for array in arrays]
    state: dict[str, Tensor] = dict(zip(("weight", "bias"), tensors, strict=False))
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        epsilon = next(value.f for value in node.attribute if value.name == "epsilon")
        state |= {"running_mean": tensors[2], "running_var": tensors[3] + (epsilon - module.eps)}
    if isinstance(module, nn.PReLU):
        state = {"weight": tensors[0].flatten()}
    module.load_state_dict(state, strict=False)


def converted(path: Path) -> tuple[FaceNet, NetSpec, float]:
    """The net, its spec, and the maximum relative deviation of its outputs from the file's on random inputs."""
    mean, std = PIXEL
    spec = nets.resolve("mobilenet", classes=0, size=112, channels=3, mean=mean, std=std, embedding=128)
    model, net = read(path), spec.build().eval()
    modules = [module for module in net.modules() if isinstance(module, LAYERS)]
    for module, (node, arrays) in zip(modules, weights_of(model), strict=True):
        fill(module, node, arrays)
    faces = np.random.default_rng(0).integers(0, 256, (4, 3, 112, 112)).astype(np.float32)
    session = opened(model)
    theirs = np.concatenate([np.asarray(session.run(None, {"data": face[None]})[0]) for face in faces])
    with torch.no_grad():
        ours = net((torch.from_numpy(faces) / 255 - mean[0]) / std[0]).numpy()
    return net, spec, float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mean", action="store_true", help="end in the mean of the last feature map")
    args = parser.parse_args()
    try:
        net, spec, apart = converted(args.file)
    except FaceletError as error:
        sys.exit(f"error: {error}")
    if not apart < CLOSE:
        sys.exit(f"error: {args.file}: the net's outputs deviate by {apart:.2g}")
    if args.mean:
        spec = replace(spec, options={})
        short = spec.build()
        short.load_state_dict({key: value for key, value in net.state_dict().items() if not key.startswith("head.")})
        net = short
    nets.save(net, spec, args.out)
    print(
        f"{args.out}: {sum(p.numel() for p in net.parameters()):,} parameters, deviation {apart:.1g} from {args.file}"
    )


if __name__ == "__main__":
    main()
