"""``bnncore doctor`` says which C kernels are used, and why."""

from __future__ import annotations

import sys

import pytest

from bnncore.diagnosis import doctor


def test_the_chosen_variant_is_shown(monkeypatch):
    pytest.importorskip(
        "bnnhw.cpu.executor",
        reason="bnncore-hw was installed without its C kernels",
        exc_type=Exception,  # type: ignore[arg-type]  # a BackendError
    )
    monkeypatch.setenv("BNNCORE_CPU_ISA", "portable")
    found = doctor._kernels()
    assert found.state == "ok"
    assert found.text.startswith("portable, BNNCORE_CPU_ISA; compiled: ")


def test_missing_kernels_are_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "bnnhw.cpu._compiled", None)
    monkeypatch.delitem(sys.modules, "bnnhw.cpu.executor", raising=False)
    found = doctor._kernels()
    assert found.state == "note"
    assert "compiler" in found.text
