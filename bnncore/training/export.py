"""From a trained network to the integer network that every backend runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from attrs import evolve
from bnnhw import reference
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Dense, MatrixStage, matrix_stages

from bnncore.errors import BnnError
from bnncore.thresholds.absorb import AffineStep, absorb_layer, accumulator_unit
from bnncore.thresholds.padding import padded
from bnncore.training.layers import Normalization
from bnncore.training.quantizers import quantized_weight
from bnncore.training.trainable import TrainableNetwork

__all__ = ["disagreements", "export_network"]


def export_network(trained: TrainableNetwork) -> Network:
    """Return the integer network that decides as the trained one does in evaluation, for every input.

    Outputs beyond the trained classes are filled as in BNN-PYNQ: weights of +1 (one bit) or 0 (two), and a
    threshold that never fires.

    Raises:
        BnnError: if it is a teacher, a number is not finite, or the scale of a pooled layer is negative.
    """
    topology = trained.topology
    if not trained.quantized:
        raise BnnError("a teacher has real weights, which no integer network holds; export the trained network")
    layers = []
    for stage, layer in zip(matrix_stages(topology), trained.layers):
        latent = layer.latent.detach().cpu()
        if not bool(torch.isfinite(latent).all()):
            raise BnnError(f"layer {stage.number}: not all weights are finite; training has diverged")
        weights = quantized_weight(latent, topology.weight_bits).numpy().astype(np.int8)
        rows = len(weights)
        norm = layer.norm
        if norm is None:
            parameters = LayerParameters(weights=weights, thresholds=np.zeros((rows, 0), np.int32))
        else:
            if layer.block.pools and bool((norm.scale < 0).any()):
                raise BnnError(
                    f"layer {stage.number}: a negative scale before a pool; call constrain() in training"
                )
            # The step may be narrower than the layer: only trained rows are absorbed.
            narrow = stage if rows == stage.outputs else _with_outputs(stage, rows)
            parameters = absorb_layer(narrow, weights, affine_step(norm))
        layers.append(padded(parameters, stage.outputs, topology.weight_bits))
    return Network(topology=topology, layers=tuple(layers))


def affine_step(norm: Normalization) -> AffineStep:
    """Return the numbers of a normalisation, float32 widened without change."""
    mean, variance, scale, shift = (
        tensor.detach().cpu().double().numpy() for tensor in (norm.mean, norm.variance, norm.scale, norm.shift)
    )
    return AffineStep(mean=mean, variance=variance, scale=scale, shift=shift, epsilon=norm.epsilon)


def disagreements(
    trained: TrainableNetwork, network: Network, images: npt.NDArray[np.uint8], batch_size: int = 250
) -> int:
    """Count images on which the trained network, in float64, and the integer network differ.

    They differ if any score or bit of any class does, not only the prediction.
    """
    exact = _float64_copy(trained)
    unit, offset = (float(each) for each in accumulator_unit(matrix_stages(network.topology)[-1]))
    different = 0
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        with torch.inference_mode():
            found = exact.features(exact.encode(torch.from_numpy(batch), torch.float64)).numpy()
        if network.topology.output == "bits":
            found = (found >= 0).astype(np.int64)
        else:
            found = (found + offset) / unit
        expected = reference.scores(network, batch)[:, : trained.classes]
        different += int((found != expected).any(axis=1).sum())
    return different


def _float64_copy(trained: TrainableNetwork) -> TrainableNetwork:
    copy = TrainableNetwork(trained.topology, trained.classes, trained.estimator)
    copy.load_state_dict(trained.state_dict())
    return copy.double().eval()


def _with_outputs(stage: MatrixStage, rows: int) -> MatrixStage:
    return evolve(stage, layer=Dense(outputs=rows), output_shape=(1, 1, rows))
