"""What computes: the processor, or a GPU."""

from __future__ import annotations

import torch

from bnncore.errors import BnnError

__all__ = ["usable_device"]


def usable_device(name: str) -> torch.device:
    """Return the device of a name, after something was computed on it.

    Raises:
        BnnError: if it cannot be used; the message says why.
    """
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
