"""Recalibration: normalisation measured anew, on what each layer really sees."""

from __future__ import annotations

import pytest
import torch
from attrs import evolve
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from training.test_loop import RECIPE, TINY, Interrupt, files, stripes

from bnncore.training.recalibration import recalibrate
from bnncore.training.run import train
from bnncore.training.trainable import TrainableNetwork

SMALL = Topology(
    name="small",
    input=Input(height=8, width=8, channels=3),
    layers=(Conv(outputs=5), Pool(), Conv(outputs=6), Dense(outputs=3)),
)


def encoded(network: TrainableNetwork, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return network.encode(torch.randint(0, 256, (count, 8, 8, 3), generator=generator, dtype=torch.uint8))


def test_every_layer_is_normalised_by_what_it_sees() -> None:
    network = TrainableNetwork(SMALL, 3, generator=torch.Generator().manual_seed(0))
    x = encoded(network, 50)
    recalibrate(network, x.split(20))  # the last batch is smaller, and counts for less
    with torch.no_grad():
        for layer in network.layers[:-1]:
            sums = layer.accumulate(x)
            variance, mean = torch.var_mean(sums, dim=(0, 2, 3), correction=0)
            assert layer.norm is not None
            torch.testing.assert_close(layer.norm.mean, mean)
            torch.testing.assert_close(layer.norm.variance, variance)
            x = network.activate(layer.norm(sums))


@pytest.mark.slow
def test_a_run_recalibrates_once_at_its_end(tmp_path) -> None:
    """More images than there are, so each is taken more than once; interrupted or not, the result is the same."""
    recipe = evolve(RECIPE, recalibration=250)
    train(recipe, stripes(), TINY, tmp_path / "whole", threads=1)
    train(recipe, stripes(), TINY, tmp_path / "parts", threads=1, reporter=Interrupt(3))
    train(recipe, stripes(), TINY, tmp_path / "parts", threads=1)
    train(RECIPE, stripes(), TINY, tmp_path / "without", threads=1)
    assert files(tmp_path / "whole") == files(tmp_path / "parts")
    assert files(tmp_path / "whole")["weights.npz"] != files(tmp_path / "without")["weights.npz"]
