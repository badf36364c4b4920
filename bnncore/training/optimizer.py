"""Adam at the rates of a recipe, and as a recording of steps needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bnncore.formats.recipe import Recipe
from bnncore.training.schedule import schedule
from bnncore.training.trainable import TrainableNetwork

__all__ = ["ScheduledAdam"]


class ScheduledAdam:
    """Adam for latent weights and for the rest, each at the recipe's rate for them and both by its schedule.

    Args:
        network: to be trained, on the device where it is.
        recipe: says the rates.
    """

    def __init__(self, network: TrainableNetwork, recipe: Recipe) -> None:
        self._recipe, self._device = recipe, network.device
        self._peaks = (recipe.learning_rate, recipe.norm_learning_rate)
        latent = [p for name, p in network.named_parameters() if name.endswith("latent")]
        others = [p for name, p in network.named_parameters() if not name.endswith("latent")]
        self._adam = torch.optim.Adam(
            [{"params": latent}, {"params": others}], lr=recipe.learning_rate, fused=True
        )
        self._place_rates()

    @property
    def learning_rate(self) -> float:
        """That of latent weights, now."""
        return float(self._adam.param_groups[0]["lr"])

    def set_progress(self, progress: float) -> None:
        """Set the rates that are due at this progress of the run, 0 to 1."""
        factor = schedule(progress, self._recipe.warmup, self._recipe.plateau / self._recipe.epochs)
        for group, peak in zip(self._adam.param_groups, self._peaks):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(peak * factor)
            else:
                group["lr"] = peak * factor

    def step(self, loss: Tensor) -> None:
        """Change the network so that a loss gets smaller."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""
        return self._adam.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the state of a checkpoint. What was recorded of earlier steps no longer fits."""
        self._adam.load_state_dict(dict(state))
        self._place_rates()

    def _place_rates(self) -> None:
        """Keep on a GPU what changes from step to step: a recording reads it there."""
        on_gpu = self._device.type == "cuda"
        for group, peak in zip(self._adam.param_groups, self._peaks):
            group["capturable"] = on_gpu
            group["lr"] = torch.tensor(peak, device=self._device) if on_gpu else peak
