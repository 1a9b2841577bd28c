"""Converts a RepVGG's exported fp32 model file to a checkpoint for further training, also for another input size.

    python reproduce/repvgg_start.py identity-fp32 start.safetensors --size 64 --faces identities:people.zip

The file holds fused 3x3 convolutions, so the net is `repvgg` with `norms: single`. The statistics of its batch
norms are computed from faces, and their factors compensate for them: at the file's size the net reproduces the file's
embeddings. At another size the head's kernel is resampled, and the embeddings are only similar. --drop stage1.2 leaves a block
out.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.functional import interpolate

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.augment import plain
from facelet.models import model_file
from facelet.models.bundled import found
from facelet.nets import FaceNet, NetSpec
from facelet.nets.repvgg import RepVGGBlock


def weights_of(path: Path) -> dict[str, Tensor]:
    """Initializers of the file, by name."""
    return {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(path).graph.initializer
    }


def blocks_of(weights: dict[str, Tensor], drop: list[str]) -> dict[str, str]:
    """Path of each block in the new net -> its prefix in the file."""
    kept, counts = {"stem": "stem.0"}, dict.fromkeys(("stage1", "stage2", "stage3"), 0)
    for name in weights:
        if (match := re.fullmatch(r"(stage\d)\.(\d+)\.0\.weight", name)) and f"{match[1]}.{match[2]}" not in drop:
            kept[f"{match[1]}.{counts[match[1]]}"] = name.removesuffix(".weight")
            counts[match[1]] += 1
    return kept


@torch.no_grad()
def converted(path: Path, size: int, width: float, images: Tensor, drop: list[str]) -> tuple[FaceNet, NetSpec]:
    """The net with the file's weights. ``images``: (N, 3, size, size) in [0, 1], for the statistics."""
    info, weights = model_file.read(path), weights_of(path)
    blocks = blocks_of(weights, drop)
    depths = [sum(path.startswith(f"stage{number}.") for path in blocks) for number in (1, 2, 3)]
    options = {"width": width, "embedding": 128, "norms": "single", "blocks": depths}
    spec = nets.resolve("repvgg", classes=0, size=size, channels=3, mean=info.input.mean, std=info.input.std, **options)
    net = spec.build().eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (info.input.mean, info.input.std))
    maps = (images - mean) / std
    for path_in_net, prefix in blocks.items():
        block = net.get_submodule(path_in_net)
        assert isinstance(block, RepVGGBlock)
        block.conv.weight.copy_(weights[f"{prefix}.weight"])
        maps = torch.relu(_measured(block.conv, block.bn, maps, weights[f"{prefix}.bias"]))
    head, kernel = net.head, weights["head.whole.weight"]
    if kernel.shape[-1] != head.whole.weight.shape[-1]:
        share = kernel.shape[-1] ** 2 / head.whole.weight.shape[-1] ** 2
        kernel = share * interpolate(kernel, head.whole.weight.shape[-1], mode="bilinear", align_corners=False)
    head.whole.weight.copy_(kernel)
    maps = _measured(head.whole, head.bn1, maps, weights["head.whole.weight_bias"])
    head.linear.weight.copy_(weights["head.linear.weight"])
    _measured(head.linear, head.bn2, maps, weights["head.linear.weight_bias"])
    return net, spec


def _measured(conv: nn.Conv2d, norm: nn.BatchNorm2d, maps: Tensor, bias: Tensor) -> Tensor:
    """Sets ``norm`` so that after ``conv`` it only adds ``bias``, and returns its output."""
    found = conv(maps)
    variance, mean = torch.var_mean(found, (0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean + bias)
    return norm(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an fp32 model file, or the name of a bundled model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--width", type=float, default=0.95, help="width of the net in the file")
    parser.add_argument("--faces", required=True)
    parser.add_argument("--drop", action="append", default=[], help="block to leave out, such as stage1.2; repeatable")
    args = parser.parse_args()
    try:
        faces = load(args.faces, size=args.size, channels=3).split("train").images[:512]
        net, spec = converted(found(args.model), args.size, args.width, plain(torch.from_numpy(faces)), args.drop)
    except FaceletError as error:
        raise SystemExit(f"error: {error}") from error
    nets.save(net, spec, args.out)
    print(f"{args.out}: {sum(p.numel() for p in net.parameters()):,} parameters, {args.size} px")


if __name__ == "__main__":
    main()
