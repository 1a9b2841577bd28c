"""In which numbers a net is trained: the rule, what the device has, and what is said where it has not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet.errors import FaceletError
from facelet.learn.device import precision

CPU = torch.device("cpu")


def test_auto_takes_bf16_on_cpus_that_have_it(monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert precision.choose(CPU).bf16
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert not precision.choose(CPU).bf16
    monkeypatch.setattr(precision, "arm_has_bf16", lambda: True)
    assert not precision.choose(CPU).bf16
    assert precision.choose(CPU, "fp32") == precision.Precision(bf16=False, channels_last=True)


def test_bf16_means_bf16_where_the_device_has_it(monkeypatch):
    """Emulated it is several times slower than float32, and no recipe may ask that of a machine."""
    monkeypatch.setattr(precision, "arm_has_bf16", lambda: False)
    monkeypatch.setattr(precision, "cpu_name", lambda: "avx2")
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    native = precision.choose(CPU, "bf16")
    assert native == precision.Precision(bf16=True, channels_last=True)
    assert precision.shortfall(CPU, "bf16", native) == ""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    instead = precision.choose(CPU, "bf16")
    assert instead == precision.Precision(bf16=False, channels_last=True)
    assert precision.shortfall(CPU, "bf16", instead) == "bf16 is not native on this CPU (avx2); training in fp32"
    assert precision.shortfall(CPU, "auto", instead) == precision.shortfall(CPU, "fp32", instead) == ""


def test_a_gpu_that_emulates_bf16_trains_in_fp32(monkeypatch):
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    chosen = precision.choose(gpu, "bf16")
    assert not chosen.bf16
    assert precision.shortfall(gpu, "bf16", chosen) == "bf16 is not native on this GPU (Tesla T4); training in fp32"


def test_bf16_of_arm_is_found_by_name(monkeypatch):
    monkeypatch.setattr(precision.platform, "machine", lambda: "aarch64")
    for capabilities, found in (({"neon_bf16": True}, True), ({"neon_bf16": False, "neon": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=capabilities: known, raising=False)
        assert precision.arm_has_bf16() == found
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not precision.arm_has_bf16(), "an older torch does not say"


@pytest.mark.parametrize("bf16", [True, False])
def test_a_forward_pass_on_a_cpu_has_fast_kernels(bf16):
    conv, prelu = nn.Conv2d(4, 4, 1, bias=False), nn.PReLU(4)
    with precision.computing("cpu", bf16=bf16):
        assert torch.is_autocast_enabled("cpu") == bf16
        assert not torch.is_autocast_cache_enabled()
        out = prelu(conv(torch.rand(1, 4, 5, 5)))
    assert out.dtype == (torch.bfloat16 if bf16 else torch.float32)
    assert "FastPrelu" in out.grad_fn.name()
    assert not torch.is_autocast_enabled("cpu")


def test_auto_takes_bf16_for_gpus_that_have_it_themselves(monkeypatch):
    """torch counts emulation too unless it is told not to, and that is slower than float32."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not precision.choose(torch.device("cuda")).bf16


def test_devices_that_are_not_here():
    with pytest.raises(FaceletError, match="unknown device 'gpu'"):
        precision.pick_device("gpu")
    assert precision.pick_device("cpu") == CPU
