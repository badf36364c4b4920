"""The training loop: steps, epochs, validation.

Deterministic: data order, augmentation and initial weights come from one seeded generator, whose state is in
every checkpoint, so an interrupted run continues as if it had not been (with the same number of threads).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from attrs import asdict
from bnnhw.network import Network
from bnnhw.topology import Topology
from torch import Tensor

from bnncore.errors import BnnError
from bnncore.formats.recipe import Recipe
from bnncore.training.augment import Augmenter
from bnncore.training.checkpoint import RunIdentity, read_checkpoint, write_checkpoint
from bnncore.training.cuda_graph import Recorder
from bnncore.training.devices import usable_device
from bnncore.training.losses import Loss, mixup
from bnncore.training.optimizer import ScheduledAdam
from bnncore.training.recalibration import recalibrate
from bnncore.training.results import Epoch
from bnncore.training.trainable import TrainableNetwork
from bnncore.training.warm_start import start_from

__all__ = ["Trainer", "accuracy"]

# Steps of a GPU between looks at their figures: each look waits for it. The processor has no one to wait for.
_STEPS_BETWEEN_LOOKS = 20

# Images on which the normalisation of given parameters is measured.
_STATISTICS = 500


def accuracy(network: TrainableNetwork, images: Tensor, labels: Tensor, batch_size: int = 250) -> float:
    """Return the fraction of uint8 images that the network, in evaluation, predicts right."""
    network.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            logits = network(network.encode(images[part].to(network.device)))
            right += int((network.predict(logits).cpu() == labels[part]).sum())
    return right / max(1, len(images))


class Trainer:
    """A training run that can be stopped and continued at any epoch.

    Args:
        topology: what to train.
        recipe: how.
        images, labels: uint8 [N, *input shape] and int64 [N]; ``recipe.validation`` of them, the last, are
            held back.
        classes: number of classes.
        seed: of everything random.
        minutes: if given, the schedule follows the clock instead of the steps, and the run ends at the end of
            this time. Such a run is not repeatable.
        initial: parameters to start from instead of random ones; see ``bnncore.training.warm_start``.
        teachers: networks whose averaged answers are learnt beside the labels.
        quantized: False trains a teacher.
        device: PyTorch's name of what computes, for example ``cuda``.
        data: tells these images and labels from others, so that no run is continued with other ones.
    """

    def __init__(
        self,
        topology: Topology,
        recipe: Recipe,
        images: Tensor,
        labels: Tensor,
        classes: int,
        seed: int = 0,
        minutes: float | None = None,
        initial: Network | None = None,
        teachers: Sequence[TrainableNetwork] = (),
        quantized: bool = True,
        device: str = "cpu",
        data: str = "",
    ) -> None:
        self.recipe, self.minutes, self.seed, self.data = recipe, minutes, seed, data
        self.generator = torch.Generator().manual_seed(seed)
        self.network = TrainableNetwork(
            topology, classes, recipe.estimator, recipe.momentum, quantized, self.generator
        )
        if teachers and topology.output == "bits":
            raise BnnError(
                f"topology {topology.name!r} yields bits, and only scores are learnt from a teacher; leave the "
                "teacher out of the recipe"
            )
        self._device = usable_device(device)
        self._loss = Loss(recipe, topology.output, [teacher.to(self._device).eval() for teacher in teachers])
        kept = len(images) - recipe.validation
        if kept < recipe.batch_size:
            raise BnnError(
                f"{len(images)} images less {recipe.validation} for validation are fewer than one batch of "
                f"{recipe.batch_size}; use more images or a smaller batch"
            )
        if initial is not None:
            start_from(self.network, initial, images[:kept][:_STATISTICS])
        self.network.to(self._device)
        self._labels, self._count = labels[:kept].to(self._device), kept
        self._validation = images[kept:], labels[kept:]
        self._augmenter = Augmenter(images[:kept], recipe.augmentation, self.generator, self._device)
        self._dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        self._optimizer = ScheduledAdam(self.network, recipe)
        self._recorder = Recorder()
        self._real_weights = False
        self.history: list[Epoch] = []
        self._elapsed = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training images; what is left over changes from epoch to epoch."""
        return self._count // self.recipe.batch_size

    @property
    def finished(self) -> bool:
        """Whether the last epoch, or the time, is over."""
        return self._ends(len(self.history))

    def _ends(self, epochs: int) -> bool:
        if self.minutes is not None:
            return self._elapsed >= self.minutes * 60
        return epochs >= self.recipe.epochs

    def _recalibrate(self) -> None:
        rounds = range(-(-self.recipe.recalibration // self._count))
        order = torch.cat([torch.randperm(self._count, generator=self.generator) for _ in rounds])
        chosen = order[: self.recipe.recalibration]
        parts = torch.split(chosen, self.recipe.batch_size)
        recalibrate(self.network, (self.network.encode(self._augmenter.batch(each)) for each in parts))

    def epoch(self, report: Callable[[int, float, float], None] | None = None) -> Epoch:
        """Train for one epoch, and validate.

        Args:
            report: called with the number of steps, loss and accuracy so far: after each step, on a GPU after every
                twentieth and the last.
        """
        began, before = time.monotonic(), self._elapsed
        self.network.train()
        self._set_real_weights(len(self.history) < self.recipe.real_weight_epochs)
        order = torch.randperm(self._count, generator=self.generator)
        losses = right = 0.0
        seen, pending = 0, []
        steps = self.steps_per_epoch
        lag = 1 if self._device.type == "cpu" else _STEPS_BETWEEN_LOOKS
        for step in range(steps):
            self._optimizer.set_progress(self._progress(step))
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            pending.append(self._recorder(self._step, *self._drawn(chosen)))
            if len(pending) < lag and step + 1 < steps:
                continue
            for loss, share in torch.stack(pending).tolist():
                seen += 1
                if not math.isfinite(loss):
                    raise BnnError(
                        f"the loss is {loss} in epoch {len(self.history) + 1}; lower the learning rate "
                        f"(now {self.recipe.learning_rate}) and continue from the last checkpoint"
                    )
                losses += loss
                right += share
            pending.clear()
            self._elapsed = before + time.monotonic() - began
            if report is not None:
                report(seen, losses / seen, right / seen)
            if self.minutes is not None and self._elapsed >= self.minutes * 60:
                break
        # What is validated is what would be written now.
        self.network.set_real_weights(False)
        if self.recipe.recalibration and self._ends(len(self.history) + 1):
            self._recalibrate()
        images, labels = self._validation
        result = Epoch(
            number=len(self.history) + 1,
            loss=losses / seen,
            train_accuracy=right / seen,
            validation_accuracy=accuracy(self.network, images, labels) if len(images) else None,
            learning_rate=self._optimizer.learning_rate,
            seconds=round(self._elapsed - before, 1),
        )
        self._elapsed = before + time.monotonic() - began
        self.history.append(result)
        return result

    def _progress(self, step: int) -> float:
        if self.minutes is not None:
            return min(1.0, self._elapsed / (self.minutes * 60))
        return (len(self.history) + step / self.steps_per_epoch) / self.recipe.epochs

    def _set_real_weights(self, real: bool) -> None:
        """Choose what this epoch's steps do, and with it their recording."""
        self.network.set_real_weights(real)
        if real is not self._real_weights:
            self._real_weights = real
            self._recorder.forget()

    def _drawn(self, chosen: Tensor) -> tuple[Tensor, ...]:
        """Return what a step is given: images, labels and, where they are mixed up, the share of each."""
        images = self._augmenter.batch(chosen)
        labels = self._labels[chosen.to(self._device, non_blocking=True)]
        if not self.recipe.mixup:
            return images, labels
        shares = 1 - self.recipe.mixup * torch.rand(len(chosen), generator=self.generator)
        shares = shares.to(self._device, non_blocking=True)
        return mixup(images, shares), labels, shares

    def _step(self, images: Tensor, labels: Tensor, shares: Tensor | None = None) -> Tensor:
        """Learn from one batch; return its loss and its share of right answers, float32 [2]."""
        batch = self.network.encode(images, self._dtype)
        logits = self.network(batch)
        loss = self._loss(logits, labels, batch, shares)
        self._optimizer.step(loss)
        self.network.constrain()
        right = (self.network.predict(logits.detach()) == labels).float().mean()
        return torch.stack((loss.detach(), right))

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": json.dumps([asdict(epoch) for epoch in self.history]),
            "elapsed": self._elapsed,
        }
        write_checkpoint(path, self._identity(), state)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same run.

        Raises:
            BnnError: if it is damaged or of another run.
        """
        read_checkpoint(path, self._identity(), self._restore)

    def _identity(self) -> RunIdentity:
        return RunIdentity(
            recipe=self.recipe,
            topology=self.network.topology,
            classes=self.network.classes,
            seed=self.seed,
            data=self.data,
        )

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.network.set_real_weights(False)
        self._optimizer.load_state_dict(state["optimizer"])
        self._recorder.forget()
        self.generator.set_state(state["generator"])
        self.history = [Epoch(**item) for item in json.loads(state["history"])]
        self._elapsed = state["elapsed"]
