"""The option that bounds how long a plugin may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bnncore.diagnosis.supervised import SECONDS

__all__ = ["timeout_option"]

Function = TypeVar("Function", bound=Callable[..., Any])


def timeout_option(function: Function) -> Function:
    """Give a command the option ``--timeout``, in seconds."""
    option = click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=SECONDS,
        show_default=True,
        help="Seconds that one call of a plugin's code may take.",
    )
    return option(function)
