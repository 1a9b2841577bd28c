"""The small parts of the loop: precision, optimizer, interrupt, watch, bar, normalisation."""

from __future__ import annotations

import io
import pickle
import signal

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.learn.data.normalise import Normalise, resized
from facelet.learn.device import precision
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.engine.loss_monitor import LossMonitor
from facelet.learn.engine.optimizer import Optimization, make_optimizer
from facelet.learn.engine.progress import Bar
from facelet.nets import NetSpec, resolve

CPU = torch.device("cpu")


def test_auto_takes_bf16_for_dense_nets_on_cpus_that_have_it(monkeypatch):
    dense, depthwise = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, groups=4)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert precision.choose(dense, CPU).bf16
    assert not precision.choose(depthwise, CPU).bf16
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert not precision.choose(dense, CPU).bf16
    assert precision.choose(dense, CPU, "fp32") == precision.Precision(bf16=False, channels_last=True)


def test_bf16_means_bf16_where_the_device_has_it(monkeypatch):
    """Emulated it is several times slower than float32, and no recipe may ask that of a machine."""
    net = nn.Conv2d(4, 4, 3, groups=4)
    monkeypatch.setattr(precision, "arm_has_bf16", lambda: False)
    monkeypatch.setattr(precision, "cpu_name", lambda: "avx2")
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    native = precision.choose(net, CPU, "bf16")
    assert native == precision.Precision(bf16=True, channels_last=True)
    assert precision.shortfall(CPU, "bf16", native) == ""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    instead = precision.choose(net, CPU, "bf16")
    assert instead == precision.Precision(bf16=False, channels_last=True)
    assert precision.shortfall(CPU, "bf16", instead) == "bf16 is not native on this CPU (avx2); training in fp32"
    assert precision.shortfall(CPU, "auto", instead) == precision.shortfall(CPU, "fp32", instead) == ""


def test_a_gpu_that_emulates_bf16_trains_in_fp32(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    chosen = precision.choose(nn.Conv2d(4, 4, 3), gpu, "bf16")
    assert not chosen.bf16
    assert precision.shortfall(gpu, "bf16", chosen) == "bf16 is not native on this GPU (Tesla T4); training in fp32"


def test_bf16_of_arm_is_found_by_name(monkeypatch):
    monkeypatch.setattr(precision.platform, "machine", lambda: "aarch64")
    for capabilities, found in (({"neon_bf16": True}, True), ({"neon_bf16": False, "neon": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=capabilities: known, raising=False)
        assert precision.arm_has_bf16() == found
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not precision.arm_has_bf16(), "an older torch does not say"


@pytest.mark.parametrize(
    ("name", "dense"),
    [
        ("repvgg", True),
        ("resnet18-light", True),
        ("resnet18-finegrained", True),
        ("shufflenet-v2", False),
        ("mobilefacenet-1m", False),
    ],
)
def test_a_depthwise_layer_or_two_do_not_make_a_net_depthwise(name, dense):
    options = {"embedding": 128} if name == "repvgg" else {}
    assert precision.is_dense(resolve(name, classes=8, **options).build()) == dense


def test_auto_takes_bf16_for_gpus_that_have_it_themselves(monkeypatch):
    """torch counts emulation too unless it is told not to, and that is slower than float32."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not precision.choose(nn.Conv2d(4, 4, 3), torch.device("cuda")).bf16


def test_devices_that_are_not_here():
    with pytest.raises(FaceletError, match="unknown device 'gpu'"):
        precision.pick_device("gpu")
    assert precision.pick_device("cpu") == CPU


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(kind):
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net[0].bias.requires_grad_(False)
    groups = make_optimizer([net, nn.Linear(2, 2)], Optimization(kind, 0.1, 0.5)).param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    others = {id(p) for group in groups if not group["weight_decay"] for p in group["params"]}
    assert id(net[0].weight) in decayed
    assert {id(net[1].weight), id(net[1].bias)} <= others
    assert id(net[0].bias) not in decayed | others


def test_an_interrupt_waits_once():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not pickle.loads(pickle.dumps(interrupt))._previous
    assert signal.getsignal(signal.SIGINT) is before


def test_the_watch_names_the_first_bad_step_and_keeps_a_mean():
    watch = LossMonitor(CPU)
    for value in (1.0, 2.0, 3.0):
        watch.add(torch.tensor(value))
    watch.check(3, steps_per_epoch=10)
    assert watch.mean.item() == 2
    other = LossMonitor(CPU)
    other.load_state_dict(watch.state_dict())
    assert other.mean.item() == 2
    watch.add(torch.tensor(1.0), torch.tensor(5.0))
    watch.add(torch.tensor(1.0), torch.tensor(float("inf")))
    watch.add(torch.tensor(float("nan")))
    with pytest.raises(FaceletError, match=r"nan at step 5 \(epoch 0\.40\)"):
        watch.check(6, steps_per_epoch=10)
    watch.restart()
    assert watch.mean.item() == 0


def test_the_bar_is_drawn_on_a_terminal_only():
    for terminal in (True, False):
        text = io.StringIO()
        with Bar("student", Console(file=text, force_terminal=terminal, width=150)) as bar:
            assert bar.due() == terminal
            bar.accuracy = 0.5
            bar.update(step=3, total=10, epoch=1.5, loss=0.25)
            assert not bar.due()
        assert ("3/10" in text.getvalue()) == terminal
        assert ("loss 0.250  val 50.00%" in text.getvalue()) == terminal


def test_normalise_fits_size_and_colour():
    grey = torch.rand(2, 1, 8, 8)
    spec = NetSpec("resnet18", 3, size=16, channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    found = Normalise(spec)(grey)
    assert found.shape == (2, 3, 16, 16)
    assert torch.allclose(found[:, 0] * 0.5 + 0.1, found[:, 2] + 0.3, atol=1e-6)
    same = Normalise(NetSpec("resnet18", 3, size=8, channels=1, mean=(0.5,), std=(0.25,)))
    assert torch.allclose(same(grey), (grey - 0.5) / 0.25)
    colour = torch.rand(2, 3, 8, 8)
    luma = 0.299 * colour[:, :1] + 0.587 * colour[:, 1:2] + 0.114 * colour[:, 2:]
    assert torch.allclose(same(colour), (luma - 0.5) / 0.25, atol=1e-5)


@pytest.mark.parametrize(("side", "size"), [(96, 64), (100, 64), (65, 64), (112, 48), (48, 64), (64, 112)])
def test_training_resizes_faces_as_the_runtime_does(side, size):
    """To the rounding of whole pixels."""
    faces = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    theirs = np.stack([pixels.resize(face, size) for face in faces]).astype(np.float32)
    ours = resized(torch.from_numpy(faces).permute(0, 3, 1, 2).float(), size).permute(0, 2, 3, 1).numpy()
    assert np.abs(ours - theirs).max() < 1
