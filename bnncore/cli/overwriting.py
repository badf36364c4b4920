"""The option that lets a command write over files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["overwrite_option"]

Function = TypeVar("Function", bound=Callable[..., Any])


def overwrite_option(function: Function) -> Function:
    """Give a command the option ``--overwrite``."""
    option = click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
    return option(function)
