"""``bnncore doctor`` says which C kernels are used, and why."""

from __future__ import annotations

import sys

import pytest

from bnncore.health import examine
from bnncore.registry import Registry


def finding(subject: str):
    registry = Registry()
    return next(each for each in examine(registry) if each.subject == subject)


def test_the_chosen_variant_is_shown(monkeypatch):
    pytest.importorskip(
        "bnnhw.cpu", reason="bnncore-hw was installed without its C kernels", exc_type=Exception
    )
    monkeypatch.setenv("BNNCORE_CPU_ISA", "portable")
    found = finding("C kernels")
    assert found.state == "ok"
    assert found.text.startswith("portable, BNNCORE_CPU_ISA; compiled: ")


def test_missing_kernels_are_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "bnnhw._cpu", None)
    monkeypatch.delitem(sys.modules, "bnnhw.cpu", raising=False)
    found = finding("C kernels")
    assert found.state == "note"
    assert "compiler" in found.text
