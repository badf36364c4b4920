"""The records that plugins return: what is declared, before anything heavy is imported.

Frozen and keyword-only. They say where things are and what they should be; opening, checking and
running is done elsewhere. ``Topology`` and ``Folding`` are in ``bnnhw.topology``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional
from bnnhw.topology import Folding, Input

__all__ = [
    "Backend",
    "Bitstream",
    "Dataset",
    "Parameters",
    "Preprocessing",
    "Resource",
    "Step",
    "UserFile",
]

# Far more than parameters and bitstreams take; what is read may not be any size that somebody writes down.
_LARGEST_FILE = 2**30

_TEXT = instance_of(str)
_TEXTS = deep_iterable(_TEXT, instance_of(tuple))
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def _sha256(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        kind = type(instance).__name__
        raise ValueError(f"{kind}.{attribute.name} must be 64 lower-case hex digits, not {value!r}")


def _import_path(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _IMPORT_PATH.fullmatch(value):
        kind = type(instance).__name__
        raise ValueError(f"{kind}.{attribute.name} must be like 'package.module:name', not {value!r}")


def _positive(instance: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        kind = type(instance).__name__
        raise ValueError(f"{kind}.{attribute.name} must be a whole number from 1 up, not {value!r}")


def _bytes(instance: Any, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_FILE:
        kind = type(instance).__name__
        raise ValueError(
            f"{kind}.{attribute.name} must be a number of bytes from 0 to {_LARGEST_FILE}, not {value!r:.40}"
        )


def _relative(instance: Any, attribute: Any, value: Any) -> None:
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"Resource.path must be relative, with '/', inside its package; not {value!r}")


def _in_its_package(instance: Any, attribute: Any, value: Resource) -> None:
    if value.url is not None:
        kind = type(instance).__name__
        raise ValueError(
            f"{kind}.{attribute.name} has a url, and only the files of bitstreams are fetched: put {value.filename!r} "
            "into the package"
        )


def _digits(given: Input) -> bool:
    return given.bits == 1 and given.channels == 1


def _frozen_mapping(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(given))


def _names(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise TypeError(f"expected a sequence of names, found the string {given!r}")
    return tuple(given)


def _steps(given: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(given)


@frozen(kw_only=True)
class Resource:
    """A file of an installed package, with what it must be.

    Attributes:
        package: import name of the package that holds it.
        path: inside the package, with ``/``.
        size: in bytes.
        sha256: hex digest of its content.
        url: where it can be fetched if the package does not hold it; of a bitstream's files alone.
    """

    package: str = field(validator=_TEXT)
    path: str = field(validator=[_TEXT, _relative])
    size: int = field(validator=_bytes)
    sha256: str = field(validator=_sha256)
    url: str | None = field(default=None, validator=optional(_TEXT))

    @property
    def filename(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]


@frozen(kw_only=True)
class UserFile:
    """A file that nobody publishes a digest of: users bring it, and say the digest that they trust.

    Attributes:
        filename: without a folder.
    """

    filename: str = field(validator=_TEXT)


@frozen(kw_only=True)
class Step:
    """One declared step of preprocessing.

    Attributes:
        operation: a name from ``bnncore.pictures.preprocessing.OPERATIONS``, for example ``fit``. What a name means
            never changes, since weights are trained with it; another meaning is another name.
        options: its keyword arguments: strings, numbers and tuples of numbers.
    """

    operation: str = field(validator=_TEXT)
    options: Mapping[str, Any] = field(factory=dict, converter=_frozen_mapping)

    def __hash__(self) -> int:
        return hash((self.operation, tuple(sorted(self.options.items()))))


@frozen(kw_only=True)
class Preprocessing:
    """How a picture becomes the network's input: declared steps, or a function.

    Attributes:
        steps: applied in order to an upright picture; the last leaves the input's shape.
        function: import path of ``function(image, input) -> uint8 array``, RGB, instead of steps; it is
            given a ``PIL.Image.Image`` and a ``bnnhw.topology.Input``.
        jpeg_side: lets JPEG files be decoded at a half, a quarter or an eighth of their size, as long as each
            side keeps so many pixels. Large photographs take a fraction of the time, and their pixels
            differ a little. None decodes every pixel.
    """

    steps: tuple[Step, ...] = field(
        default=(), converter=_steps, validator=deep_iterable(instance_of(Step), instance_of(tuple))
    )
    function: str | None = field(default=None, validator=optional(_import_path))
    jpeg_side: int | None = field(default=None, validator=optional(_positive))

    def __attrs_post_init__(self) -> None:
        if bool(self.steps) == (self.function is not None):
            raise ValueError("Preprocessing needs either steps or a function")

    @classmethod
    def default(cls, given: Input) -> Preprocessing:
        """Return what new weights are best trained with: digits for one-bit grey, else the whole picture, fitted."""
        return cls(steps=(Step(operation="digit" if _digits(given) else "fit"),))

    @classmethod
    def unrecorded(cls, given: Input) -> Preprocessing:
        """Return what weights that record none were trained with: digits for one-bit grey, else a letterbox.

        It never changes, since such weights do not.
        """
        return cls(steps=(Step(operation="digit" if _digits(given) else "letterbox"),))

    def describe(self) -> str:
        """Return it in one line for people: the steps' operations, or the function's import path."""
        return self.function or ", ".join(step.operation for step in self.steps)


@frozen(kw_only=True)
class Parameters:
    """Trained weights and thresholds of one dataset on one topology.

    Attributes:
        dataset: name of the dataset.
        topology: name of the topology.
        topology_digest: ``Topology.digest`` of the shapes that they were trained for.
        resource: the file, an ``.npz`` (see ``bnncore.formats.npz``).
        golden: an ``.npz`` of ``inputs`` (uint8 [N, *input shape]) and ``scores`` (int32 [N, outputs])
            that ``selftest()`` replays.
    """

    dataset: str = field(validator=_TEXT)
    topology: str = field(validator=_TEXT)
    topology_digest: str = field(validator=_sha256)
    resource: Resource = field(validator=[instance_of(Resource), _in_its_package])
    golden: Resource | None = field(
        default=None,
        validator=optional([instance_of(Resource), _in_its_package]),
    )


@frozen(kw_only=True)
class Dataset:
    """What there is to classify, and which networks are offered for it.

    Attributes:
        name: canonical (lower case, ``_``), the same as the entry point's.
        title: for people.
        classes: a ``classes.txt``: one name a line, in the order of the network's outputs.
        topologies: names; the first is used where none is asked for.
        card: a ``card.json``; see ``bnncore.formats.card``.
    """

    name: str = field(validator=_TEXT)
    title: str = field(validator=_TEXT)
    classes: Resource = field(validator=[instance_of(Resource), _in_its_package])
    topologies: tuple[str, ...] = field(converter=_names, validator=_TEXTS)
    card: Resource = field(validator=[instance_of(Resource), _in_its_package])

    def __attrs_post_init__(self) -> None:
        if not self.topologies:
            raise ValueError("Dataset.topologies must name at least one topology")


@frozen(kw_only=True)
class Bitstream:
    """An accelerator for one topology on one kind of board.

    Attributes:
        topology: name of the topology.
        boards: names of the boards it was made for, for example ``("pynq-z1", "pynq-z2")``.
        part: of the programmable logic, for example ``xc7z020clg400``; boards are matched by it.
        folding: PE and SIMD a layer.
        digest: ``Folding.digest`` of the topology and folding it was built for.
        bit: the bitstream file, a ``Resource`` or a ``UserFile``.
        hwh: the hardware hand-off file that ``pynq.Overlay`` reads; its name is that of ``bit`` with the
            suffix ``.hwh``.
        clock_mhz: clock of the accelerator.
    """

    topology: str = field(validator=_TEXT)
    boards: tuple[str, ...] = field(converter=_names, validator=_TEXTS)
    part: str = field(validator=_TEXT)
    folding: Folding = field(validator=instance_of(Folding))
    digest: str = field(validator=_sha256)
    bit: Resource | UserFile = field(validator=instance_of((Resource, UserFile)))
    hwh: Resource | UserFile = field(validator=instance_of((Resource, UserFile)))
    clock_mhz: float = field(validator=instance_of((int, float)))

    def __attrs_post_init__(self) -> None:
        bit, hwh = self.bit.filename, self.hwh.filename
        if not bit.endswith(".bit") or hwh != f"{bit[:-4]}.hwh":
            raise ValueError(
                f"Bitstream needs files name.bit and name.hwh, as pynq does; not {bit!r} and {hwh!r}"
            )


@frozen(kw_only=True)
class Backend:
    """Something that runs networks.

    Attributes:
        name: as in ``get(…, backend=name)``, the same as the entry point's.
        executor: import path of ``executor(job) -> bnnhw.executor.Executor``, given a
            ``bnncore.backends.Job``.
        obstacle: import path of ``obstacle(job) -> str | None``: why it cannot run this job here, in
            words for people, or None if it can. It must not import what it looks for.
        priority: ``backend="auto"`` takes the highest that can run; 0 keeps it out of ``auto``.
        summary: one line for people.
    """

    name: str = field(validator=_TEXT)
    executor: str = field(validator=_import_path)
    obstacle: str = field(validator=_import_path)
    priority: int = field(default=0, validator=instance_of(int))
    summary: str = field(default="", validator=_TEXT)
