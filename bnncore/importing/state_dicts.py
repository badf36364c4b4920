"""Where a state dict is in what people save, and what its entries' names begin with.

Training scripts save the state alone or beside an epoch, an optimizer and whatever else; wrappers for several
devices, compilation and averaging put a prefix before every name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bnncore.importing.chain import ImportRefused
from bnncore.plain_text import some

__all__ = ["find_state", "plain_names"]

Value = TypeVar("Value")

# The network itself comes before averages of it, where both are there.
_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "net_state_dict",
    "module",
    "params",
    "parameters",
    "weights",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
)
_DEEPEST = 3
_PREFIXES = ("module.", "model.", "net.", "network.", "_orig_mod.", "ema_model.", "ema.")
# What torch.optim.swa_utils counts beside the network that it averages.
_COUNTS = frozenset({"n_averaged"})

# What ``bnncore.training.checkpoint`` writes beside the network, whose weights are real numbers there.
_OF_OUR_TRAINING = frozenset({"version", "recipe", "topology", "classes", "seed", "data", "network"})


def find_state(content: Any, is_tensor: Callable[[Any], bool]) -> Mapping[Any, Any]:
    """Return the dictionary of tensors in what was saved.

    It is the whole, or under one of the usual keys, or the only one that there is.

    Args:
        content: of a checkpoint.
        is_tensor: whether a value is a tensor.

    Raises:
        ImportRefused: if there is none, or several under unusual keys, or it is of bnncore's own training.
    """
    if isinstance(content, dict) and _OF_OUR_TRAINING.issubset(content):
        raise ImportRefused(
            "is a checkpoint of bnncore train, from which a run goes on; the network is in weights.npz beside it and "
            "needs no import: bnncore classify weights.npz PICTURE"
        )
    found = _below_usual_keys(content, is_tensor, _DEEPEST)
    if found is not None:
        return found
    if not isinstance(content, dict):
        raise ImportRefused("expected a state dict: names and tensors")
    others = {
        str(key): value
        for key, value in content.items()
        if isinstance(value, dict) and _is_state(value, is_tensor)
    }
    if len(others) == 1:
        (only,) = others.values()
        return only
    if others:
        raise ImportRefused(
            f"expected one state dict, found {some(sorted(others))}; save the one to be imported alone"
        )
    raise ImportRefused(
        f"expected a state dict: names and tensors, found {some(sorted(str(key)[:60] for key in content))}"
    )


def plain_names(state: Mapping[str, Value]) -> dict[str, Value]:
    """Return a state dict without the prefixes that all of its names have, and without what wrappers count."""
    entries = {name: value for name, value in state.items() if name not in _COUNTS}
    while prefix := next((each for each in _PREFIXES if entries and all(map(_begins(each), entries))), None):
        entries = {name.removeprefix(prefix): value for name, value in entries.items()}
    return entries


def _begins(prefix: str) -> Any:
    return lambda name: name.startswith(prefix)


def _below_usual_keys(content: Any, is_tensor: Callable[[Any], bool], depth: int) -> dict[Any, Any] | None:
    if not isinstance(content, dict):
        return None
    if _is_state(content, is_tensor):
        return content
    for key in _KEYS:
        if depth and isinstance(content.get(key), dict):
            found = _below_usual_keys(content[key], is_tensor, depth - 1)
            if found is not None:
                return found
    return None


def _is_state(content: dict[Any, Any], is_tensor: Callable[[Any], bool]) -> bool:
    return bool(content) and all(is_tensor(value) for value in content.values())
