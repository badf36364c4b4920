"""Recorded steps: the same numbers as steps that are not, on every device."""

from __future__ import annotations

import pytest
import torch
from attrs import evolve
from training.test_loop import RECIPE, TINY, files, stripes

from bnncore.training import cuda_graph
from bnncore.training.cuda_graph import Recorder
from bnncore.training.run import train

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU here")


def test_without_a_gpu_the_function_is_called_each_time() -> None:
    calls = []

    def twice(x: torch.Tensor) -> torch.Tensor:
        calls.append(x)
        return x * 2

    recorder = Recorder()
    for value in range(6):
        assert recorder(twice, torch.tensor(value)) == 2 * value
    assert len(calls) == 6


@on_a_gpu
def test_a_recording_sees_each_calls_arguments() -> None:
    state = torch.zeros(3, device="cuda")
    recorder = Recorder()

    def added(x: torch.Tensor) -> torch.Tensor:
        return state.add_(x) * 1

    results = [recorder(added, torch.full((3,), float(value), device="cuda")) for value in range(8)]
    assert [result[0].item() for result in results] == [0, 1, 3, 6, 10, 15, 21, 28]


@on_a_gpu
def test_a_recorded_run_gives_the_bytes_of_one_that_is_not(tmp_path, monkeypatch) -> None:
    recipe = evolve(RECIPE, real_weight_epochs=1, teacher=evolve(RECIPE, epochs=1))
    for name in ("recorded", "again"):
        train(recipe, stripes(), TINY, tmp_path / name, device="cuda")
    monkeypatch.setattr(cuda_graph, "_CALLS_BEFORE", 10**9)
    train(recipe, stripes(), TINY, tmp_path / "not recorded", device="cuda")
    assert files(tmp_path / "recorded") == files(tmp_path / "again") == files(tmp_path / "not recorded")
