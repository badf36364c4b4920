"""The learning rates of a run."""

from __future__ import annotations

import numpy as np
import pytest

from bnncore.training.schedule import schedule


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [schedule(progress / 100, 0.1) for progress in range(101)]
    assert rates[0] == 0
    assert rates[10] == max(rates) == 1
    assert rates[-1] == pytest.approx(0)
    assert (np.diff(rates[10:]) < 0).all()


def test_the_rate_may_stay_at_its_peak() -> None:
    rates = [schedule(progress / 100, 0.1, plateau=0.5) for progress in range(101)]
    assert rates[0] == 0
    assert rates[5:56] == pytest.approx([1.0] * 51)
    assert (np.diff(rates[55:]) < 0).all()
    assert rates[-1] == pytest.approx(0)
