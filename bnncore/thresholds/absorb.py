"""Batch normalisation absorbed into integer thresholds, in exact arithmetic.

A neuron's step sees y(s) = (s - mean) * scale / sqrt(variance + epsilon) + shift of a sum s. The network on a
machine compares an integer accumulator with integer thresholds, "strictly greater". Both decide alike for
every value of s if the threshold is the greatest accumulator at which the step has not yet happened.
Training's float32 numbers are fractions, so that accumulator is found without rounding; the square root,
which is no fraction, is compared by its square.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt

import numpy as np
import numpy.typing as npt
from attrs import frozen
from bnnhw.network import LayerParameters
from bnnhw.topology import MatrixStage

from bnncore.errors import BnnError

__all__ = ["AffineStep", "absorb_layer", "accumulator_unit", "step_positions"]


@frozen(kw_only=True, eq=False)
class AffineStep:
    """The batch normalisation of one layer: float arrays [outputs], taken at their exact values.

    Attributes:
        mean, variance: of the sums, in the units of training (pixels as q / 128).
        scale, shift: learnt.
        epsilon: added to the variance.
    """

    mean: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    epsilon: float


def step_positions(thresholds: int) -> tuple[tuple[Fraction, bool], ...]:
    """Return, for each step, where it is, and whether y has taken it there already.

    One bit: at 0, taken there (0 becomes +1). Two bits: at -1/2, taken there, and at 1/2, not taken there:
    halves are rounded to even, so both become 0.
    """
    return ((Fraction(0), True),) if thresholds == 1 else ((Fraction(-1, 2), True), (Fraction(1, 2), False))


def absorb_layer(stage: MatrixStage, weights: npt.NDArray[np.int8], norm: AffineStep) -> LayerParameters:
    """Return integer parameters that step exactly where the normalisation does.

    Where the scale is negative the weights change sign, so that "greater" means active everywhere. Where it
    is zero the neuron is constant, and its threshold is beyond what the accumulator can reach.

    Args:
        stage: the layer.
        weights: int8 [outputs, fan_in].
        norm: what follows it.

    Raises:
        BnnError: if a number is not finite, a variance negative, or a weight of -2 would have to become +2.
    """
    for name in ("mean", "variance", "scale", "shift"):
        values = getattr(norm, name)
        if values.shape != (stage.outputs,):
            raise BnnError(
                f"layer {stage.number}, {name}: expected {stage.outputs} numbers, found {list(values.shape)}"
            )
        if not np.isfinite(values).all():
            raise BnnError(f"layer {stage.number}, {name}: not all numbers are finite; training has diverged")
    if (norm.variance < 0).any() or norm.epsilon < 0:
        raise BnnError(f"layer {stage.number}: a variance is negative")
    negative = norm.scale < 0
    if (weights[negative] == -2).any():
        raise BnnError(
            f"layer {stage.number}: a weight of -2 with a negative scale would become +2, which two bits "
            "do not hold; retrain with weights of -1, 0 and +1"
        )
    weights = np.where(negative[:, None], -weights, weights).astype(np.int8)
    largest = _out_of_reach(stage)
    positions = step_positions(stage.thresholds)
    thresholds = np.empty((stage.outputs, len(positions)), np.int32)
    for row in range(stage.outputs):
        mean, scale, shift = (Fraction(float(values[row])) for values in (norm.mean, norm.scale, norm.shift))
        if scale < 0:
            # y(s) = (-s + mean) * -scale / … + shift, and -s is what the negated weights sum to.
            mean, scale = -mean, -scale
        square = Fraction(float(norm.variance[row])) + Fraction(norm.epsilon)
        for column, (position, taken) in enumerate(positions):
            last = _last_inactive(stage, mean, square, scale, shift - position, taken)
            thresholds[row, column] = min(max(last, -largest - 1), largest)
    return LayerParameters(weights=weights, thresholds=thresholds)


def _last_inactive(
    stage: MatrixStage, mean: Fraction, square: Fraction, scale: Fraction, shift: Fraction, taken: bool
) -> int:
    """Return the greatest accumulator at which (s - mean) * scale / sqrt(square) + shift < 0.

    If the step is not yet taken at 0: the greatest at which it is <= 0. An accumulator a stands for the sum
    s = unit * a - offset. The scale is not negative.
    """
    unit, offset = accumulator_unit(stage)
    never, always = 2**40, -(2**40)
    if scale == 0 or square == 0:
        # Constant; over a standard deviation of 0 it is not defined, and only the shift is left.
        return never if shift < 0 or (shift == 0 and not taken) else always
    # s < mean - shift / scale * sqrt(square), that is unit * a < base + ratio * sqrt(square).
    base, ratio = (mean + offset) / unit, -shift / scale / unit
    # a < base + sign(ratio) * sqrt(ratio**2 * square): the greatest whole a below it.
    radicand = ratio * ratio * square
    candidate = floor(base) + (1 if ratio >= 0 else -1) * _floor_sqrt(radicand)
    guess = candidate + 3
    while not _below(Fraction(guess) - base, ratio, radicand, taken):
        guess -= 1
    return guess


def _below(left: Fraction, sign: Fraction, radicand: Fraction, strictly: bool) -> bool:
    """Whether left < (or, if not strictly, <=) sign(sign) * sqrt(radicand), exactly."""
    difference = (left * abs(left)) - (radicand if sign >= 0 else -radicand)
    return difference < 0 or (difference == 0 and not strictly)


def _floor_sqrt(value: Fraction) -> int:
    return isqrt(value.numerator // value.denominator)


def accumulator_unit(stage: MatrixStage) -> tuple[Fraction, Fraction]:
    """Return (unit, offset) of s = unit * accumulator - offset, s being the sum in training."""
    scale = Fraction(stage.input_unit)
    return Fraction(stage.unit) * scale, stage.offset * scale


def _out_of_reach(stage: MatrixStage) -> int:
    """Return a bound that no accumulator exceeds, in either direction; constant neurons are held beyond it.

    Signed sums of one-bit weights would need half of it. It stays, so that a recipe yields the bytes that
    were published with it.
    """
    return stage.largest if stage.offset else 2 * stage.largest // stage.weight_bits
