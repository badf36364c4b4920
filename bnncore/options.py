"""How a network shall run on this machine: what ``get``, ``load`` and the command line take alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import field, frozen

from bnncore.errors import SettingError
from bnncore.spelling import wrong_type

__all__ = ["Options"]


def _threads(instance: Options, attribute: Any, value: Any) -> None:
    if value is not None:
        from bnnhw.cpu.threads import thread_count

        thread_count(value)


def _name(instance: Options, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) and not (value is None and attribute.default is None):
        example = {"backend": "cpu", "board": "pynq-z1"}[attribute.name]
        raise SettingError(wrong_type(attribute.name, f"a name, such as {example!r}", value))


def _folder(given: Any) -> Path | None:
    if given is None or isinstance(given, Path):
        return given
    try:
        return Path(given)
    except TypeError:
        raise SettingError(wrong_type("bitstreams", "the path of a folder", given)) from None


@frozen(kw_only=True)
class Options:
    """How a network shall run.

    Attributes:
        backend: ``auto`` takes the FPGA where a board and a fitting bitstream exist, else the CPU; ``numpy``, ``cpu``,
            ``fpga`` or a plugin's take that one or raise.
        board: for ``fpga``, the name of the board, or None for the one at hand.
        threads: most threads to use; None for the default.
        bitstreams: for ``fpga``, the folder where the user keeps bitstreams; None for the one that
            ``BNNCORE_BITSTREAMS`` names, if any.

    Raises:
        SettingError: if ``threads`` is no positive whole number or more than a machine has, or another is of a
            wrong type.
    """

    backend: str = field(default="auto", validator=_name)
    board: str | None = field(default=None, validator=_name)
    threads: int | None = field(default=None, validator=_threads)
    bitstreams: Path | None = field(default=None, converter=_folder)
