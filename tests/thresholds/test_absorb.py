"""Thresholds step exactly where the normalisation does, in every unit and for every sign of the scale."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from bnnhw.topology import Conv, Dense, Input, MatrixStage, Topology, matrix_stages

from bnncore.errors import BnnError
from bnncore.thresholds.absorb import AffineStep, absorb_layer


def stage(fan_in: int = 8, weight_bits: int = 1, activation_bits: int = 1) -> MatrixStage:
    """Return a hidden dense layer of four neurons that sees activations."""
    topology = Topology(
        name="small",
        input=Input(height=1, width=4, bits=1),
        layers=(Dense(outputs=fan_in), Dense(outputs=4), Dense(outputs=2)),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
    )
    return matrix_stages(topology)[1]


def step(
    mean: float = 0.0, variance: float = 1.0, scale: float = 1.0, shift: float = 0.0, rows: int = 4
) -> AffineStep:
    """Return the same normalisation for every neuron."""
    values = [np.full(rows, value) for value in (mean, variance, scale, shift)]
    return AffineStep(mean=values[0], variance=values[1], scale=values[2], shift=values[3], epsilon=0.0)


ONES = np.ones((4, 8), np.int8)


def test_a_tie_fires() -> None:
    # The sum 2 is the popcount 5 of 8; at the mean y is 0, and 0 is active.
    absorbed = absorb_layer(stage(), ONES, step(mean=2.0))
    assert absorbed.thresholds.tolist() == [[4]] * 4


def test_just_above_a_tie_does_not_fire() -> None:
    absorbed = absorb_layer(stage(), ONES, step(mean=np.nextafter(2.0, 3.0)))
    assert absorbed.thresholds.tolist() == [[5]] * 4


def test_a_negative_scale_turns_the_weights() -> None:
    absorbed = absorb_layer(stage(), ONES, step(mean=2.0, scale=-1.0))
    assert (absorbed.weights == -1).all()
    # Active where the sum is at most 2, that is where the negated sum is at least -2: popcount 3.
    assert absorbed.thresholds.tolist() == [[2]] * 4


@pytest.mark.parametrize(("shift", "fires"), [(0.5, True), (0.0, True), (-0.5, False)])
def test_a_scale_of_zero_leaves_a_constant(shift: float, fires: bool) -> None:
    absorbed = absorb_layer(stage(), ONES, step(scale=0.0, shift=shift))
    accumulators = np.arange(9)
    assert ((accumulators[:, None] > absorbed.thresholds.T) == fires).all()


def test_an_irrational_deviation_is_compared_exactly() -> None:
    # y(s) = s / sqrt(2) - sqrt-ish: the step is at 3 * sqrt(2) = 4.24, between the sums 4 and 6.
    absorbed = absorb_layer(stage(), ONES, step(variance=2.0, shift=-3.0))
    assert absorbed.thresholds.tolist() == [[6]] * 4


def test_pixels_are_in_units_of_one_256th() -> None:
    topology = Topology(
        name="pixels", input=Input(height=3, width=3, channels=1), layers=(Conv(outputs=4), Dense(outputs=2))
    )
    absorbed = absorb_layer(matrix_stages(topology)[0], np.ones((4, 9), np.int8), step(mean=0.5))
    assert absorbed.thresholds.tolist() == [[127]] * 4


def test_two_bits_step_at_a_half_either_way() -> None:
    absorbed = absorb_layer(stage(weight_bits=2, activation_bits=2), ONES, step(variance=16.0, shift=0.0))
    # y = s / 4 is -1/2 at -2 and 1/2 at 2; halves are rounded to even, so both are 0.
    assert absorbed.thresholds.tolist() == [[-3, 2]] * 4


def test_minus_two_cannot_be_negated() -> None:
    weights = np.full((4, 8), -2, np.int8)
    with pytest.raises(BnnError, match=r"weight of -2"):
        absorb_layer(stage(weight_bits=2, activation_bits=2), weights, step(scale=-1.0))


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BnnError, match="diverged"):
        absorb_layer(stage(), ONES, step(mean=float("nan")))


def test_agrees_with_rational_arithmetic_for_random_normalisations() -> None:
    rng = np.random.default_rng(0)
    layer = stage(fan_in=64)
    weights = np.ones((4, 64), np.int8)
    for _ in range(100):
        mean, scale, shift = rng.normal(0, 20, (3, 4)).astype(np.float32).astype(np.float64)
        # Squares of float32 have a rational root, so that the comparison below is exact.
        root = rng.uniform(0.5, 30, 4).astype(np.float32).astype(np.float64)
        norm = AffineStep(mean=mean, variance=root * root, scale=scale, shift=shift, epsilon=0.0)
        absorbed = absorb_layer(layer, weights, norm)
        for row in range(4):
            m, r, g, b = (Fraction(float(v[row])) for v in (mean, root, scale, shift))
            sign = int(absorbed.weights[row, 0])
            for popcount in range(65):
                total = 2 * popcount - 64
                expected = (total * sign - m) * g / r + b >= 0
                assert (popcount > absorbed.thresholds[row, 0]) == expected
