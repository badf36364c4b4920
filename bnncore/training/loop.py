"""The training loop: steps, schedule, checkpoints, validation.

Deterministic: data order, augmentation and initial weights come from one seeded generator, whose state is in
every checkpoint, so an interrupted run continues as if it had not been (with the same number of threads).
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from attrs import frozen
from bnnhw.network import Network
from bnnhw.topology import Topology
from torch import Tensor
from torch.nn import functional

from bnncore.errors import BnnError
from bnncore.files import write_atomically
from bnncore.training.augment import Augmenter
from bnncore.training.network import TrainableNetwork
from bnncore.training.recipe import Recipe
from bnncore.training.recorded import Recorded
from bnncore.training.settle import settle
from bnncore.training.warm import start_from

__all__ = ["Epoch", "Trainer", "accuracy"]

_CHECKPOINT_VERSION = 2

# What a run may change when it is continued: how long it lasts and how fast it learns.
_MAY_CHANGE = frozenset(
    {"epochs", "hold", "warmup", "learning_rate", "norm_learning_rate", "batch_size", "settle"}
)

# Share in the loss of bits that do not decide the answer.
_CERTAINTY = 0.3

# Of the sigmoid over normalised sums, so that its slope fits their spread of about 1 from the start.
_SHARPNESS = 2.0

# Steps between looks at their figures: a GPU goes on meanwhile, the processor has no one to wait for.
_UNSEEN = 20

# Images on which the normalisation of given parameters is measured.
_STATISTICS = 500


@frozen(kw_only=True)
class Epoch:
    """Figures of one epoch.

    Attributes:
        number: from 1.
        loss: mean over the epoch's training images.
        train_accuracy: on the changed training images, while they were trained on, 0 to 1.
        validation_accuracy: at the end of the epoch, 0 to 1, or None without validation images.
        learning_rate: at the end.
        seconds: of wall time, without the validation.
    """

    number: int
    loss: float
    train_accuracy: float
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


def schedule(progress: float, warmup: float, hold: float = 0.0) -> float:
    """Return the fraction of the highest rate at a progress of 0 to 1: a ramp, a plateau, a cosine to 0.

    Args:
        progress: of the whole run.
        warmup: part of the run without the plateau that is the ramp.
        hold: part of the whole run that is the plateau.
    """
    rise = warmup * (1 - hold)
    if progress < rise:
        return progress / rise
    fall = max(1 - hold - rise, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * max(0.0, progress - rise - hold) / fall))


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


def bits_loss(logits: Tensor, labels: Tensor, reduction: Literal["mean", "none"] = "mean") -> Tensor:
    """Return the loss of a network with one bit a class, whose highest set bit is the answer.

    The answer is right if the own bit is set and all higher ones are not: that is what the likelihood of the
    answer needs (and not even the own bit for class 0, the answer where no bit is set). The others count for
    less: they tell whether the network is sure.

    Args:
        logits: float [N, classes], a bit is set where they are >= 0.
        labels: int64 [N].
        reduction: mean for one number, none for float [N].
    """
    ranks = torch.arange(logits.shape[1], device=logits.device)
    own = ranks == labels[:, None]
    decides = (ranks >= labels[:, None]) & ~(own & (ranks == 0))
    weight = torch.full_like(logits, _CERTAINTY).masked_fill_(decides, 1.0)
    each = functional.binary_cross_entropy_with_logits(
        _SHARPNESS * logits, own.to(logits.dtype), weight, reduction=reduction
    )
    return each * logits.shape[1] if reduction == "mean" else each.sum(dim=1)


def _blended(images: Tensor, kept: Tensor) -> Tensor:
    """Return uint8 images that keep these shares [N] of themselves; the rest is the image before in the batch."""
    kept = kept.view(-1, *(1,) * (images.dim() - 1))
    return (images * kept + images.roll(1, dims=0) * (1 - kept)).round().to(torch.uint8)


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
        initial: parameters to start from instead of random ones; see ``bnncore.training.warm``.
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
        self._device = _checked_device(device)
        self._teachers = [teacher.to(self._device).eval() for teacher in teachers]
        kept = len(images) - recipe.validation
        if kept < recipe.batch_size:
            raise BnnError(
                f"{len(images)} images less {recipe.validation} for validation are fewer than one batch of "
                f"{recipe.batch_size}; use more images or a smaller batch"
            )
        if initial is not None:
            start_from(self.network, initial, images[:kept][:_STATISTICS])
        self.network.to(self._device)
        self._labels, self._kept = labels[:kept].to(self._device), kept
        self._validation = images[kept:], labels[kept:]
        self._augmenter = Augmenter(images[:kept], recipe.augmentation, self.generator, self._device)
        self._dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        latent = [p for name, p in self.network.named_parameters() if name.endswith("latent")]
        others = [p for name, p in self.network.named_parameters() if not name.endswith("latent")]
        self._peaks = (recipe.learning_rate, recipe.norm_learning_rate)
        self.optimizer = torch.optim.Adam(
            [{"params": latent}, {"params": others}], lr=recipe.learning_rate, fused=True
        )
        self._step = Recorded(self._one_step)
        self._relaxed: bool | None = None
        self._prepare_for_recording()
        self.history: list[Epoch] = []
        self._elapsed = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training images; what is left over changes from epoch to epoch."""
        return self._kept // self.recipe.batch_size

    @property
    def finished(self) -> bool:
        """Whether the last epoch, or the time, is over."""
        return self._ends(len(self.history))

    def _ends(self, epochs: int) -> bool:
        if self.minutes is not None:
            return self._elapsed >= self.minutes * 60
        return epochs >= self.recipe.epochs

    def _settle(self) -> None:
        rounds = range(-(-self.recipe.settle // self._kept))
        order = torch.cat([torch.randperm(self._kept, generator=self.generator) for _ in rounds])
        chosen = order[: self.recipe.settle]
        parts = torch.split(chosen, self.recipe.batch_size)
        settle(
            self.network, (self.network.encode(self._augmenter.batch(each).to(self._device)) for each in parts)
        )

    def epoch(self, report: Callable[[int, float, float], None] | None = None) -> Epoch:
        """Train for one epoch, and validate.

        Args:
            report: called after each step with its number, loss and accuracy so far.
        """
        began, before = time.monotonic(), self._elapsed
        self.network.train()
        self._relax(len(self.history) < self.recipe.relaxed)
        order = torch.randperm(self._kept, generator=self.generator)
        losses = right = 0.0
        seen, pending = 0, []
        steps = self.steps_per_epoch
        lag = 1 if self._device.type == "cpu" else _UNSEEN
        for step in range(steps):
            self._set_rates(self._progress(step))
            chosen = order[step * self.recipe.batch_size : (step + 1) * self.recipe.batch_size]
            pending.append(self._step(*self._drawn(chosen)))
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
        self.network.relax(False)
        if self.recipe.settle and self._ends(len(self.history) + 1):
            self._settle()
        images, labels = self._validation
        result = Epoch(
            number=len(self.history) + 1,
            loss=losses / seen,
            train_accuracy=right / seen,
            validation_accuracy=accuracy(self.network, images, labels) if len(images) else None,
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
            seconds=round(self._elapsed - before, 1),
        )
        self._elapsed = before + time.monotonic() - began
        self.history.append(result)
        return result

    def _progress(self, step: int) -> float:
        if self.minutes is not None:
            return min(1.0, self._elapsed / (self.minutes * 60))
        return (len(self.history) + step / self.steps_per_epoch) / self.recipe.epochs

    def _set_rates(self, progress: float) -> None:
        factor = schedule(progress, self.recipe.warmup, self.recipe.hold / self.recipe.epochs)
        for group, peak in zip(self.optimizer.param_groups, self._peaks):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(peak * factor)
            else:
                group["lr"] = peak * factor

    def _relax(self, relaxed: bool) -> None:
        """Choose what this epoch's steps do, and with it their recording."""
        self.network.relax(relaxed)
        if relaxed is not self._relaxed:
            self._relaxed = relaxed
            self._step.forget()

    def _prepare_for_recording(self) -> None:
        """Keep on a GPU what changes from step to step: a recording reads it there."""
        self._relaxed = None
        recorded = self._device.type == "cuda"
        for group, peak in zip(self.optimizer.param_groups, self._peaks):
            group["capturable"] = recorded
            group["lr"] = torch.tensor(peak, device=self._device) if recorded else peak

    def _drawn(self, chosen: Tensor) -> tuple[Tensor, ...]:
        """Return what a step is given: changed images, labels and, for blending, what each image keeps of itself."""
        images = self._augmenter.batch(chosen)
        labels = self._labels[chosen.to(self._device, non_blocking=True)]
        if not self.recipe.mixup:
            return images, labels
        kept = 1 - self.recipe.mixup * torch.rand(len(chosen), generator=self.generator)
        return images, labels, kept.to(self._device, non_blocking=True)

    def _one_step(self, images: Tensor, labels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Learn from one batch; return its loss and its share of right answers, float32 [2]."""
        if kept is not None:
            images = _blended(images, kept)
        batch = self.network.encode(images, self._dtype)
        logits = self.network(batch)
        loss = self._loss(logits, labels, batch, kept)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        self.optimizer.step()
        self.network.constrain()
        right = (self.network.predict(logits.detach()) == labels).float().mean()
        return torch.stack((loss.detach(), right))

    def _loss(self, logits: Tensor, labels: Tensor, batch: Tensor, kept: Tensor | None) -> Tensor:
        if kept is None:
            loss = self._label_loss(logits, labels, "mean")
        else:
            own, others = (self._label_loss(logits, given, "none") for given in (labels, labels.roll(1)))
            loss = (kept * own + (1 - kept) * others).mean()
        if not self._teachers:
            return loss
        softness, share = self.recipe.softness, self.recipe.distillation
        with torch.no_grad():
            answers = [functional.softmax(teacher(batch) / softness, dim=1) for teacher in self._teachers]
            answer = torch.stack(answers).mean(dim=0)
        # The square keeps the size of the gradient independent of the softness.
        distance = functional.kl_div(
            functional.log_softmax(logits / softness, dim=1), answer, reduction="batchmean"
        )
        return (1 - share) * loss + share * softness**2 * distance

    def _label_loss(self, logits: Tensor, labels: Tensor, reduction: Literal["mean", "none"]) -> Tensor:
        if self.network.topology.output == "bits":
            return bits_loss(logits, labels, reduction)
        smoothing = self.recipe.label_smoothing
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction=reduction)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        state: dict[str, Any] = {
            "version": _CHECKPOINT_VERSION,
            "recipe": json.dumps(self.recipe.to_dict()),
            "topology": json.dumps(self.network.topology.to_dict()),
            "classes": self.network.classes,
            "seed": self.seed,
            "data": self.data,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": json.dumps([_epoch_dict(epoch) for epoch in self.history]),
            "elapsed": self._elapsed,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(path, buffer.getvalue())

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same run; plain tensors are read, no pickle is run.

        Raises:
            BnnError: if it is damaged or of another run.
        """
        difference = None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            version = state["version"]
            if version == _CHECKPOINT_VERSION:
                difference = self._difference(state)
                if difference is None:
                    self._restore(state)
        # A damaged archive raises nearly anything: RuntimeError, EOFError, UnpicklingError, KeyError, …
        except Exception as error:
            raise BnnError(
                f"{path}: cannot be read as a checkpoint ({error}); remove it to start anew"
            ) from error
        if version != _CHECKPOINT_VERSION:
            raise BnnError(
                f"{path}: a checkpoint of version {version}; continue it with the bnncore that wrote it"
            )
        if difference is not None:
            raise BnnError(
                f"{path}: the checkpoint is of another run, with {difference}; use another --out folder"
            )

    def _difference(self, state: dict[str, Any]) -> str | None:
        """Return in words what makes a checkpoint one of another run, or None."""
        if json.loads(state["topology"]) != self.network.topology.to_dict():
            return "another topology"
        if state["data"] != self.data or state["classes"] != self.network.classes:
            return "other images, labels or classes"
        if state["seed"] != self.seed:
            return f"seed {state['seed']} instead of {self.seed}"
        theirs, ours = json.loads(state["recipe"]), json.loads(json.dumps(self.recipe.to_dict()))
        for name in ours.keys() - _MAY_CHANGE:
            if theirs[name] != ours[name]:
                return f"another {name.replace('_', ' ')} in its recipe"
        return None

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.network.relax(False)
        self.optimizer.load_state_dict(state["optimizer"])
        self._prepare_for_recording()
        self.generator.set_state(state["generator"])
        self.history = [Epoch(**item) for item in json.loads(state["history"])]
        self._elapsed = state["elapsed"]


def _epoch_dict(epoch: Epoch) -> dict[str, Any]:
    return {name: getattr(epoch, name) for name in Epoch.__annotations__}


def _checked_device(name: str) -> torch.device:
    """Return the device, after something was computed on it."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).add_(1)
    # An unknown name, a build without that kind of device, a missing driver: each has its own error.
    except Exception as error:
        raise BnnError(f"device {name!r} cannot be used: {error}; leave it out to use the processor") from error
    if device.type == "cuda":
        # So that a run repeats itself to the bit there, too: at the same speed, as far as measured.
        torch.backends.cudnn.deterministic = True
    return device
