"""Checkpoints: all that a run needs to go on as if it had not stopped.

They hold plain tensors and text; reading one runs no pickle.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from bnnhw.topology import Topology

from bnncore.errors import BnnError
from bnncore.formats.recipe import Recipe
from bnncore.spelling import argument
from bnncore.writing import write_atomically

__all__ = ["RunIdentity", "read_checkpoint", "write_checkpoint"]

_VERSION = 2

# Its weights_only runs nothing; that of versions before it could be made to.
_SAFE_PYTORCH = (2, 10)

# What a run may change when it is continued: how long it lasts and how fast it learns.
_MAY_CHANGE = frozenset(
    {"epochs", "plateau", "warmup", "learning_rate", "norm_learning_rate", "batch_size", "recalibration"}
)

# Tensors of a network that were written by another name; runs that began then go on.
_RENAMED = {"log_temperature": "log_scale"}


@frozen(kw_only=True)
class RunIdentity:
    """What tells a run from others.

    Attributes:
        recipe: of the run; its pace may change.
        topology: of the network.
        classes: number of classes.
        seed: of everything random.
        data: tells the run's images and labels from others.
    """

    recipe: Recipe
    topology: Topology
    classes: int
    seed: int
    data: str


def write_checkpoint(path: Path, run: RunIdentity, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        run: which run it is of.
        state: tensors, numbers and text, by name.
    """
    content = {
        "version": _VERSION,
        "recipe": json.dumps(run.recipe.to_dict()),
        "topology": json.dumps(run.topology.to_dict()),
        "classes": run.classes,
        "seed": run.seed,
        "data": run.data,
        **state,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def read_checkpoint(path: Path, run: RunIdentity, restore: Callable[[Mapping[str, Any]], None]) -> None:
    """Read a checkpoint, and hand its content to ``restore`` if it is of the same run.

    Raises:
        BnnError: if it is damaged, which ``restore`` may notice, too, or of another run; or if PyTorch is too old to
            read it safely.
    """
    _check_pytorch(path)
    difference = None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["version"]
        if version == _VERSION:
            difference = _difference(content, run)
            if difference is None:
                tensors = {_RENAMED.get(name, name): tensor for name, tensor in content["network"].items()}
                restore({**content, "network": tensors})
    # A damaged archive raises nearly anything: RuntimeError, EOFError, UnpicklingError, KeyError, …
    except Exception as error:
        # PyTorch's own words advise to read it unsafely.
        raise BnnError(f"{path}: cannot be read as a checkpoint; remove it to start anew") from error
    if version != _VERSION:
        raise BnnError(f"{path}: a checkpoint of version {version}; continue it with the bnncore that wrote it")
    if difference is not None:
        raise BnnError(
            f"{path}: the checkpoint is of another run, with {difference}; use another {argument('out')} folder"
        )


def _check_pytorch(path: Path) -> None:
    """Refuse versions whose ``weights_only`` can be made to run code, by a checkpoint that is made for it."""
    found = tuple(int(number) for number in re.findall(r"[0-9]+", torch.__version__)[:2])
    if found < _SAFE_PYTORCH:
        raise BnnError(
            f"{path}: reading a checkpoint safely needs PyTorch {'.'.join(map(str, _SAFE_PYTORCH))} or later, found "
            f"{torch.__version__}; update it, or remove the checkpoint to start anew"
        )


def _difference(content: Mapping[str, Any], run: RunIdentity) -> str | None:
    """Return in words what makes a checkpoint one of another run, or None."""
    if json.loads(content["topology"]) != run.topology.to_dict():
        return "another topology"
    if content["data"] != run.data or content["classes"] != run.classes:
        return "other images, labels or classes"
    if content["seed"] != run.seed:
        return f"seed {content['seed']} instead of {run.seed}"
    # What recipes have learnt to say since has its default in an older one, and fields had other names.
    theirs, ours = Recipe.from_dict(json.loads(content["recipe"])).to_dict(), run.recipe.to_dict()
    for name in ours.keys() - _MAY_CHANGE:
        if theirs[name] != ours[name]:
            return f"another {name.replace('_', ' ')} in its recipe"
    return None
