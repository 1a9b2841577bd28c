from __future__ import annotations

import pytest

from facelet import cpu

CORE = "processor\t: {}\nmodel name\t: A: CPU\nflags\t\t: fpu sse avx2 avx512f\n\n"
X86 = CORE.format(0) + CORE.format(1)
ARM = "processor\t: 0\nFeatures\t: fp asimd i8mm asimddp\n"


@pytest.mark.parametrize(
    ("text", "name", "sets"),
    [(X86, "A: CPU", ("avx2", "avx512f")), (ARM, "neoverse", ("asimd", "asimddp", "i8mm"))],
)
def test_what_the_kernel_lists(monkeypatch, text, name, sets):
    monkeypatch.setattr(cpu.Path, "read_text", lambda path, **_: text)
    monkeypatch.setattr(cpu.platform, "processor", lambda: "neoverse")
    assert cpu.name() == name
    assert cpu.instruction_sets() == sets
    assert cpu.description() == f"{name} ({' '.join(sets)})"


def test_where_the_kernel_lists_nothing(monkeypatch):
    def gone(path, **_):
        raise FileNotFoundError

    monkeypatch.setattr(cpu.Path, "read_text", gone)
    monkeypatch.setattr(cpu.platform, "processor", lambda: "")
    monkeypatch.setattr(cpu.platform, "machine", lambda: "arm64")
    assert cpu.instruction_sets() == ()
    assert cpu.description() == "arm64 (arm64)"
    monkeypatch.setattr(cpu.platform, "machine", lambda: "")
    assert cpu.name() == "unknown"
