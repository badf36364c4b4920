"""``bnncore doctor`` says which C kernels are used, and why."""

from __future__ import annotations

import pytest

from bnncore.diagnosis import doctor
from bnncore.discovery.registry import Registry


def test_the_chosen_variant_is_shown(monkeypatch):
    pytest.importorskip("bnnhw.cpu._compiled", reason="bnncore-hw was installed without its C kernels")
    monkeypatch.setenv("BNNCORE_CPU_ISA", "portable")
    found = doctor._kernels()
    assert found.state == "ok"
    assert found.text.startswith("portable, BNNCORE_CPU_ISA; compiled: ")


def test_a_folder_that_is_none_is_said(monkeypatch, tmp_path):
    def said(variable):
        return next(each.text for each in doctor._metadata(Registry()) if each.subject == variable)

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "file"))
    assert said("BNNCORE_BITSTREAMS").endswith("nowhere', where there is no folder")
    assert said("BNNCORE_CACHE").endswith("file', where there is no folder")
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(tmp_path))
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "made when it is needed"))
    assert said("BNNCORE_BITSTREAMS") == f"is set to {str(tmp_path)!r}"
    assert said("BNNCORE_CACHE").endswith("needed'")


def test_missing_kernels_are_explained(monkeypatch):
    monkeypatch.setattr("bnnhw.cpu.extension._missing", ImportError("no module"))
    found = doctor._kernels()
    assert found.state == "note"
    assert "compiler" in found.text
