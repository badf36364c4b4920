"""How many threads are used: by argument, environment, affinity, control group, and process."""

from __future__ import annotations

import multiprocessing
import os

import pytest
from bnnhw.cpu import threads
from bnnhw.cpu.threads import available_cpus, thread_count
from bnnhw.errors import BackendError, SettingError


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """Start without the variable, without a quota, and with 8 CPUs."""
    monkeypatch.delenv("BNNCORE_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    return tmp_path


def test_argument_comes_first(monkeypatch):
    monkeypatch.setenv("BNNCORE_THREADS", "2")
    assert thread_count(3) == 3


def test_environment_comes_second(monkeypatch):
    monkeypatch.setenv("BNNCORE_THREADS", "2")
    assert thread_count() == 2


def test_every_available_cpu_by_default():
    assert thread_count() == 8


def test_one_in_a_worker_process(monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert thread_count() == 1


@pytest.mark.parametrize("asked", [0, -1, True, 1.5, "2"])
def test_impossible_argument_is_refused(asked):
    with pytest.raises(BackendError, match="threads must be"):
        thread_count(asked)


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", "\u00b2"])
def test_impossible_environment_is_refused(monkeypatch, given):
    monkeypatch.setenv("BNNCORE_THREADS", given)
    with pytest.raises(BackendError, match="BNNCORE_THREADS"):
        thread_count()


@pytest.mark.parametrize(
    ("text", "cpus"), [("max 100000", 8), ("150000 100000", 2), ("10000 100000", 1), ("nonsense", 8)]
)
def test_quota_of_a_control_group(plain, text, cpus):
    (plain / "cpu.max").write_text(text + "\n")
    assert available_cpus() == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 8), ("300000", 3)])
def test_quota_of_an_old_control_group(plain, quota, cpus):
    (plain / "cpu").mkdir()
    (plain / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (plain / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus() == cpus


def test_systems_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_cpus() == 5


@pytest.mark.parametrize("asked", [1025, 10**9])
def test_more_threads_than_a_machine_has_are_refused(monkeypatch, asked):
    with pytest.raises(SettingError, match="threads must be a whole number up to 1024"):
        thread_count(asked)
    monkeypatch.setenv("BNNCORE_THREADS", str(asked))
    with pytest.raises(SettingError, match="BNNCORE_THREADS must be a whole number up to 1024"):
        thread_count()


@pytest.mark.parametrize(
    ("given", "threads"), [("3", 3), ("2,1", 2), ("99", 8), ("0", 1), ("many", 8), ("", 8)]
)
def test_other_libraries_number_of_threads_is_heeded(monkeypatch, given, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert thread_count() == threads
    monkeypatch.setenv("BNNCORE_THREADS", "5")
    assert thread_count() == 5
