"""Batch normalisation absorbed into integer thresholds, in exact arithmetic.

A neuron's step sees y(s) = (s - mean) * scale / sqrt(variance + epsilon) + shift of a sum s. The network on a
machine compares an integer accumulator with integer thresholds, "strictly greater". Both decide alike for
every value of s if the threshold is the greatest accumulator at which the step has not yet happened.
Training's float32 numbers are fractions, so that accumulator is found without rounding; the square root,
which is no fraction, is compared by its square. Some frameworks store the inverse of the deviation instead, and
then there is no root at all.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt
from typing import Union

import numpy as np
import numpy.typing as npt
from attrs import evolve, frozen
from bnnhw.network import LayerParameters
from bnnhw.topology import MatrixStage

from bnncore.errors import BnnError

__all__ = [
    "AffineStep",
    "InverseStep",
    "Normalisation",
    "absorb_layer",
    "absorb_pooled_layer",
    "accumulator_unit",
    "step_positions",
]

# Where a step is, and whether y has taken it there already.
_Positions = tuple[tuple[Fraction, bool], ...]


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


@frozen(kw_only=True, eq=False)
class InverseStep:
    """A batch normalisation y(s) = (s + bias - mean) * inverse * scale + shift, as Lasagne stores it.

    Attributes:
        bias: of the layer before it, float arrays [outputs] like all of them, taken at their exact values.
        mean: of the sums with their bias, in the units of training (pixels as q / 128).
        inverse: of the standard deviation, which holds its epsilon already; not negative.
        scale, shift: learnt.
    """

    bias: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    inverse: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]


Normalisation = Union[AffineStep, InverseStep]


@frozen(kw_only=True)
class _Line:
    """One neuron's y(s) = (s - mean) * scale / sqrt(square) + shift, exactly."""

    mean: Fraction
    square: Fraction
    scale: Fraction
    shift: Fraction


def step_positions(thresholds: int, *, halves_up: bool = False) -> _Positions:
    """Return, for each step, where it is, and whether y has taken it there already.

    One bit: at 0, taken there (0 becomes +1). Two bits: at -1/2, taken there, and at 1/2, not taken there:
    halves are rounded to even, so both become 0.

    Args:
        thresholds: 1 or 2.
        halves_up: halves are rounded up, so that 1/2 becomes 1.
    """
    if thresholds == 1:
        return ((Fraction(0), True),)
    return ((Fraction(-1, 2), True), (Fraction(1, 2), halves_up))


def absorb_layer(
    stage: MatrixStage, weights: npt.NDArray[np.int8], norm: Normalisation, *, halves_up: bool = False
) -> LayerParameters:
    """Return integer parameters that step exactly where the normalisation does.

    Where the scale is negative the weights change sign, so that "greater" means active everywhere. Where it
    is zero the neuron is constant, and its threshold is beyond what the accumulator can reach.

    Args:
        stage: the layer.
        weights: int8 [outputs, fan_in].
        norm: what follows it.
        halves_up: see ``step_positions``.

    Raises:
        BnnError: if a number is not finite, a variance negative, or a weight of -2 would have to become +2.
    """
    _check(stage, norm)
    negative = norm.scale < 0
    if (weights[negative] == -2).any():
        raise BnnError(
            f"layer {stage.number}: a weight of -2 with a negative scale would become +2, which two bits "
            "do not hold; retrain with weights of -1, 0 and +1"
        )
    weights = np.where(negative[:, None], -weights, weights).astype(np.int8)
    positions = step_positions(stage.thresholds, halves_up=halves_up)
    thresholds = np.empty((stage.outputs, len(positions)), np.int32)
    for row in range(stage.outputs):
        line = _line(norm, row)
        if line.scale < 0:
            # y(s) = (-s + mean) * -scale / … + shift, and -s is what the negated weights sum to.
            line = evolve(line, mean=-line.mean, scale=-line.scale)
        thresholds[row] = _row(stage, line, positions)
    return LayerParameters(weights=weights, thresholds=thresholds)


def absorb_pooled_layer(
    stage: MatrixStage, weights: npt.NDArray[np.int8], norm: Normalisation, *, halves_up: bool = False
) -> tuple[LayerParameters, npt.NDArray[np.bool_]]:
    """Return parameters for a layer whose sums go through a maximum pool before they are normalised.

    Here pools follow the steps. A step that rises commutes with the maximum; one that falls, since its scale is
    negative, does not, whatever the weights' signs. Its negative rises: such a neuron yields minus its
    activation, and the weights that take it in the next layer must change sign instead of its own.

    Args:
        stage: as in ``absorb_layer``, and so
        weights: are the weights,
        norm: what follows the pool,
        halves_up: and the rounding.

    Returns:
        The parameters, and bool [outputs], which neurons yield minus their activation.

    Raises:
        BnnError: if a number is not finite, or a variance negative.
    """
    _check(stage, norm)
    negative = norm.scale < 0
    rising = step_positions(stage.thresholds, halves_up=halves_up)
    # -y has taken a step at -position where y has not taken that at position.
    falling = tuple((-position, not taken) for position, taken in reversed(rising))
    thresholds = np.empty((stage.outputs, len(rising)), np.int32)
    for row in range(stage.outputs):
        line = _line(norm, row)
        if negative[row]:
            line = evolve(line, scale=-line.scale, shift=-line.shift)
        thresholds[row] = _row(stage, line, falling if negative[row] else rising)
    return LayerParameters(weights=weights, thresholds=thresholds), negative


def _check(stage: MatrixStage, norm: Normalisation) -> None:
    names = ("mean", "variance") if isinstance(norm, AffineStep) else ("bias", "mean", "inverse")
    for name in (*names, "scale", "shift"):
        values = getattr(norm, name)
        if values.shape != (stage.outputs,):
            raise BnnError(
                f"layer {stage.number}, {name}: expected {stage.outputs} numbers, found {list(values.shape)}"
            )
        if not np.isfinite(values).all():
            raise BnnError(f"layer {stage.number}, {name}: not all numbers are finite; training has diverged")
    if isinstance(norm, InverseStep):
        if (norm.inverse < 0).any():
            raise BnnError(f"layer {stage.number}: the inverse of a deviation is negative")
    elif (norm.variance < 0).any() or norm.epsilon < 0:
        raise BnnError(f"layer {stage.number}: a variance is negative")


def _line(norm: Normalisation, row: int) -> _Line:
    mean, scale, shift = (Fraction(float(values[row])) for values in (norm.mean, norm.scale, norm.shift))
    if isinstance(norm, InverseStep):
        mean -= Fraction(float(norm.bias[row]))
        return _Line(
            mean=mean, square=Fraction(1), scale=scale * Fraction(float(norm.inverse[row])), shift=shift
        )
    square = Fraction(float(norm.variance[row])) + Fraction(norm.epsilon)
    return _Line(mean=mean, square=square, scale=scale, shift=shift)


def _row(stage: MatrixStage, line: _Line, positions: _Positions) -> list[int]:
    """Return one neuron's thresholds; its scale is not negative."""
    largest = _out_of_reach(stage)
    return [
        min(max(_last_inactive(stage, line, position, taken), -largest - 1), largest)
        for position, taken in positions
    ]


def _last_inactive(stage: MatrixStage, line: _Line, position: Fraction, taken: bool) -> int:
    """Return the greatest accumulator at which y(s) < position.

    If the step is not yet taken there: the greatest at which y(s) <= position. An accumulator a stands for
    the sum s = unit * a - offset. The scale is not negative.
    """
    unit, offset = accumulator_unit(stage)
    mean, square, scale, shift = line.mean, line.square, line.scale, line.shift - position
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
