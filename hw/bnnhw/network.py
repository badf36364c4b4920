"""A network: a topology and the parameters that fit it, checked once and then read-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from bnnhw.errors import NetworkError
from bnnhw.topology import MatrixStage, Topology, matrix_stages

__all__ = ["LayerParameters", "Network"]


@frozen(kw_only=True, eq=False)
class LayerParameters:
    """Weights and thresholds of one layer, in logical order (no folding, no padding).

    Attributes:
        weights: int8 [outputs, fan_in]; -1 and +1 with one-bit weights, -2 to +1 with two.
        thresholds: int32 [outputs, thresholds a neuron], in the unit of the stage's
            accumulator; threshold t fires where ``accumulator > t`` (strictly greater).
    """

    weights: npt.NDArray[np.int8]
    thresholds: npt.NDArray[np.int32]


def _as_tuple(given: Iterable[LayerParameters]) -> tuple[LayerParameters, ...]:
    return tuple(given)


@frozen(kw_only=True, eq=False)
class Network:
    """A topology with its parameters; what every executor runs.

    Attributes:
        topology: the shapes.
        layers: one ``LayerParameters`` for each layer that has weights, in order. The arrays
            are copied where needed and made read-only.

    Raises:
        NetworkError: if an array has another shape, dtype or range, naming the layer.
    """

    topology: Topology
    layers: tuple[LayerParameters, ...] = field(converter=_as_tuple)

    def __attrs_post_init__(self) -> None:
        matrices = matrix_stages(self.topology)
        if len(self.layers) != len(matrices):
            raise NetworkError(
                f"topology {self.topology.name!r} has {len(matrices)} layers with weights, "
                f"found parameters for {len(self.layers)}"
            )
        checked = tuple(
            LayerParameters(
                weights=_checked_weights(self.topology, stage, layer.weights),
                thresholds=_checked_thresholds(self.topology, stage, layer.thresholds),
            )
            for stage, layer in zip(matrices, self.layers)
        )
        object.__setattr__(self, "layers", checked)


def _checked_weights(topology: Topology, stage: MatrixStage, found: Any) -> npt.NDArray[np.int8]:
    array = _checked_array(topology, stage, "weights", found, (stage.outputs, stage.fan_in), np.int8)
    one_bit = topology.weight_bits == 1
    lowest = -1 if one_bit else -2
    # Without a mask of all: networks may have hundreds of millions of weights.
    valid = (
        array.min() >= lowest and array.max() <= 1 and (not one_bit or np.count_nonzero(array) == array.size)
    )
    if not valid:
        expected = "-1 and +1" if one_bit else "-2 to +1"
        value = array[(array < lowest) | (array > 1) | (one_bit & (array == 0))].flat[0]
        raise NetworkError(f"{_where(topology, stage, 'weights')}: expected {expected}, found {value}")
    return array


def _checked_thresholds(topology: Topology, stage: MatrixStage, found: Any) -> npt.NDArray[np.int32]:
    shape = (stage.outputs, stage.thresholds)
    return _checked_array(topology, stage, "thresholds", found, shape, np.int32)


def _checked_array(
    topology: Topology, stage: MatrixStage, what: str, found: Any, shape: tuple[int, int], dtype: type
) -> npt.NDArray[Any]:
    where = _where(topology, stage, what)
    if not isinstance(found, np.ndarray):
        raise NetworkError(f"{where}: expected an array, found {type(found).__name__}")
    if found.shape != shape or found.dtype != dtype:
        raise NetworkError(
            f"{where}: expected {np.dtype(dtype).name} {list(shape)}, found {found.dtype} {list(found.shape)}"
        )
    array = np.ascontiguousarray(found)
    # A read-only view may be of memory that others can still write.
    if array.flags.writeable or not array.flags.owndata:
        array = array.copy()
        array.flags.writeable = False
    return array


def _where(topology: Topology, stage: MatrixStage, what: str) -> str:
    return f"topology {topology.name!r}, layer {stage.number}, {what}"
