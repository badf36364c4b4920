"""``bnncore doctor`` says which C kernels are used, and why."""

from __future__ import annotations

import pytest

from bnncore.diagnosis import doctor


def test_the_chosen_variant_is_shown(monkeypatch):
    pytest.importorskip("bnnhw.cpu._compiled", reason="bnncore-hw was installed without its C kernels")
    monkeypatch.setenv("BNNCORE_CPU_ISA", "portable")
    found = doctor._kernels()
    assert found.state == "ok"
    assert found.text.startswith("portable, BNNCORE_CPU_ISA; compiled: ")


def test_missing_kernels_are_explained(monkeypatch):
    monkeypatch.setattr("bnnhw.cpu.extension._missing", ImportError("no module"))
    found = doctor._kernels()
    assert found.state == "note"
    assert "compiler" in found.text
