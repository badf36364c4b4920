"""``recipe.json``: how networks were, or are to be, trained, so that one command repeats it.

``{"<topology>": {"seed": 0, "recipe": {…}}}``, one entry a topology; a run adds what it was computed with
(``threads`` or ``device``, and ``minutes``). A card's ``recipe`` has the same layout. Plain data: reading it runs
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from attrs import asdict, evolve, field, frozen
from attrs.validators import deep_iterable, ge, gt, in_, instance_of, le, optional

from bnncore.errors import BnnError, ResourceError
from bnncore.files import read_limited
from bnncore.formats.jsontext import MOST_BYTES, parse_json
from bnncore.plain_text import brief, shown

__all__ = [
    "RECIPE",
    "Augmentation",
    "Recipe",
    "RecipeEntry",
    "entry_digest",
    "parse_entries",
    "parse_recipe",
    "read_entries",
    "read_recipe",
    "recipe_bytes",
]

RECIPE = "recipe.json"

_LIMIT_OF = "this is no recipe"

# Fields that were published by another name. Files and cards that have it are read for ever, and never written.
_RENAMED = {
    "hold": "plateau",
    "relaxed": "real_weight_epochs",
    "settle": "recalibration",
    "softness": "temperature",
}

_FRACTION: Any = [instance_of((int, float)), ge(0), le(1)]
_POSITIVE: Any = [instance_of((int, float)), gt(0)]
_NUMBER: Any = [instance_of((int, float)), ge(0)]


@frozen(kw_only=True)
class Augmentation:
    """Random changes of each training image, drawn anew every time it is seen.

    Attributes:
        flip_horizontal, flip_vertical: mirror half of the images.
        transpose: swap rows and columns of half of the images (square images only).
        shift: up to so many pixels in each direction; what comes in repeats the edge, mirrored.
        rotate: up to so many degrees either way.
        scale: up to this fraction larger or smaller.
        shear: up to this fraction.
        elastic: strength in pixels of a smooth random displacement.
        brightness: up to this fraction of 255 added or taken, the same for all pixels of an image.
        contrast: up to this fraction more or less around the image's mean.
        colour: up to this fraction more or less for each channel by itself.
        noise: standard deviation of noise a pixel, as a fraction of 255.
        cutout: side in pixels of one square that is made grey.
    """

    flip_horizontal: bool = field(default=False, validator=instance_of(bool))
    flip_vertical: bool = field(default=False, validator=instance_of(bool))
    transpose: bool = field(default=False, validator=instance_of(bool))
    shift: int = field(default=0, validator=[instance_of(int), ge(0)])
    rotate: float = field(default=0.0, validator=_NUMBER)
    scale: float = field(default=0.0, validator=_FRACTION)
    shear: float = field(default=0.0, validator=_FRACTION)
    elastic: float = field(default=0.0, validator=_NUMBER)
    brightness: float = field(default=0.0, validator=_FRACTION)
    contrast: float = field(default=0.0, validator=_FRACTION)
    colour: float = field(default=0.0, validator=_FRACTION)
    noise: float = field(default=0.0, validator=_FRACTION)
    cutout: int = field(default=0, validator=[instance_of(int), ge(0)])


def _augmentation(given: Augmentation | Mapping[str, Any]) -> Augmentation:
    return given if isinstance(given, Augmentation) else Augmentation(**given)


# Not plain tuple, of which type checkers cannot tell what it takes.
def _splits(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


def _nested(given: Any) -> Any:
    """Make a recipe of plain data; whatever else it is, the validator judges."""
    return Recipe(**_by_present_names(given)) if isinstance(given, Mapping) else given


def _by_present_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a recipe by the names that they have now; nested recipes see to their own."""
    if not isinstance(given, Mapping):
        raise TypeError(f"expected an object with the fields of one, found {shown(given)}")
    twice = [old for old, new in _RENAMED.items() if old in given and new in given]
    if twice:
        raise ValueError(
            f"{twice[0]!r} is the old name of {_RENAMED[twice[0]]!r}, which is there, too; leave it out"
        )
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def _initial(instance: Recipe, attribute: Any, value: Any) -> None:
    if not isinstance(value, (str, Recipe, type(None))):
        raise TypeError(f"initial must be the name of a dataset or a recipe, not {shown(value)}")
    if isinstance(value, Recipe) and value.topology != instance.topology:
        raise ValueError(
            f"initial is a recipe for {shown(value.topology)}, this one is for {shown(instance.topology)}"
        )


def _part(instance: Recipe, attribute: Any, value: int) -> None:
    if value and value >= instance.epochs:
        raise ValueError(
            f"{attribute.name} must be less than the {instance.epochs} epochs of the run, not {value}"
        )


def _teacher(instance: Recipe, attribute: Any, value: Any) -> None:
    if not isinstance(value, (Recipe, type(None))):
        raise TypeError(f"teacher must be a recipe, not {shown(value)}")


@frozen(kw_only=True)
class Recipe:
    """Everything that decides the result of a training run, apart from data, seed and threads.

    Attributes:
        topology: name of the topology.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: the peak, of latent weights; they live in -1 to +1.
        norm_learning_rate: the peak, of batch normalisation and of the factor of the logits.
        plateau: epochs at the peak of the rates, between warmup and decay.
        warmup: fraction of the other epochs in which the rates rise; in the rest they decay as a cosine to 0.
        real_weight_epochs: epochs, from the first, in which weights keep their real values and only activations
            are quantised (the two steps of Martinez et al. 2020, in one run).
        estimator: gradient of one-bit activations; see ``bnncore.training.quantizers``.
        momentum: of the running statistics of batch normalisation.
        recalibration: images, changed as all are in training, on which these statistics are measured anew at the
            end of the run; see ``bnncore.training.recalibration``. 0: the running ones stay.
        label_smoothing: of the softmax; networks with scores only.
        augmentation: random changes of training images.
        mixup: up to this fraction of another training image is blended into each, and of its label into the label
            (Zhang et al. 2018): a network that has few images learns less of them by heart.
        splits: of the dataset, all of which are trained on; ``("train",)`` unless a test split was never
            published or is not wanted.
        validation: images taken from the end of the training split to choose by; never the test split.
        precision: of training's arithmetic; evaluation is exact in any case.
        initial: name of an installed dataset whose weights to start from; or ``package/file.npz``, weights in an
            installed package, which stay when a dataset gets better ones; or a recipe of the same topology
            that is followed first, with this one's ``validation``; None for random weights.
        teacher: recipe of floating-point networks of the same shape, trained first; their averaged
            answers to each changed image are learnt beside its label (Hinton et al. 2015). Its ``validation`` is
            this recipe's. None: no teacher, as on networks with bits.
        teachers: how many are averaged.
        distillation: share of their answers in the loss; the label has the rest.
        temperature: of the softmax whose answers are compared.
    """

    topology: str = field(validator=instance_of(str))
    epochs: int = field(validator=[instance_of(int), ge(1)])
    batch_size: int = field(default=100, validator=[instance_of(int), ge(2)])
    learning_rate: float = field(default=0.02, validator=_POSITIVE)
    norm_learning_rate: float = field(default=0.002, validator=_POSITIVE)
    plateau: int = field(default=0, validator=[instance_of(int), ge(0), _part])
    warmup: float = field(default=0.02, validator=_FRACTION)
    real_weight_epochs: int = field(default=0, validator=[instance_of(int), ge(0), _part])
    estimator: Literal["clip", "approx"] = field(default="clip", validator=in_(("clip", "approx")))
    momentum: float = field(default=0.1, validator=_FRACTION)
    recalibration: int = field(default=0, validator=[instance_of(int), ge(0)])
    label_smoothing: float = field(default=0.0, validator=_FRACTION)
    augmentation: Augmentation = field(factory=Augmentation, converter=_augmentation)
    mixup: float = field(default=0.0, validator=_FRACTION)
    splits: tuple[str, ...] = field(
        default=("train",), converter=_splits, validator=deep_iterable(in_(("train", "test")))
    )
    validation: int = field(default=0, validator=[instance_of(int), ge(0)])
    precision: Literal["float32", "bfloat16"] = field(default="float32", validator=in_(("float32", "bfloat16")))
    initial: str | Recipe | None = field(default=None, converter=_nested, validator=_initial)
    teacher: Recipe | None = field(default=None, converter=_nested, validator=_teacher)
    teachers: int = field(default=1, validator=[instance_of(int), ge(1)])
    distillation: float = field(default=0.9, validator=_FRACTION)
    temperature: float = field(default=2.0, validator=_POSITIVE)

    def lasting(self, epochs: int) -> Recipe:
        """Return the same recipe for another number of epochs; in a shorter run all its phases are shorter."""
        if not isinstance(epochs, int) or epochs < 1:
            raise ValueError(f"epochs must be a whole number from 1 up, not {epochs!r}")
        share = min(1.0, epochs / self.epochs)
        return evolve(
            self,
            epochs=epochs,
            plateau=int(self.plateau * share),
            real_weight_epochs=int(self.real_weight_epochs * share),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Build a recipe from ``to_dict``'s data; what is absent has its default.

        Names that fields had before are taken, too, in nested recipes as well: ``hold`` (now ``plateau``), ``relaxed``
        (``real_weight_epochs``), ``settle`` (``recalibration``) and ``softness`` (``temperature``).

        Raises:
            BnnError: if a key is unknown or a value impossible.
        """
        try:
            return cls(**_by_present_names(data))
        except (TypeError, ValueError) as error:
            raise BnnError(f"not a recipe: {brief(error)}") from error


@frozen(kw_only=True)
class RecipeEntry:
    """How one network was, or is to be, trained, and what a run computed it with.

    Attributes:
        recipe: how.
        seed: of everything random.
        threads: of the processor that were used, on which the order of additions depends; None if not told.
        device: what computed instead of the processor, by PyTorch's name; None for the processor.
        minutes: after which the clock ended the run; such a run does not repeat. None if it did not.
    """

    recipe: Recipe
    seed: int = field(validator=instance_of(int))
    threads: int | None = field(default=None, validator=optional(instance_of(int)))
    device: str | None = field(default=None, validator=optional(instance_of(str)))
    minutes: float | None = field(default=None, validator=optional(instance_of((int, float))))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, without what is None."""
        data = {
            "seed": self.seed,
            "threads": self.threads,
            "device": self.device,
            "recipe": self.recipe.to_dict(),
            "minutes": self.minutes,
        }
        return {name: value for name, value in data.items() if value is not None}


def entry_digest(entry: RecipeEntry | Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an entry: of its JSON with sorted keys and no blanks.

    Entries for other topologies, which may stand in the same file, do not change it.
    """
    content = entry.to_dict() if isinstance(entry, RecipeEntry) else dict(entry)
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """Read the entries of a ``recipe.json`` as they stand; see ``parse_entries``.

    Raises:
        ResourceError: if it cannot be read, or is no JSON object of objects.
    """
    return parse_entries(read_limited(path, MOST_BYTES, ResourceError, _LIMIT_OF), str(path))


def parse_entries(data: bytes, where: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a ``recipe.json`` as they stand, by topology: what is in them is not looked at.

    Args:
        data: the whole file.
        where: what it is called in errors.

    Raises:
        ResourceError: if it is no JSON object of objects.
    """
    try:
        content = parse_json(data)
    except ValueError as error:
        raise _unlike(where, brief(error)) from error
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise _unlike(where, "it is another kind of JSON")
    return content


def read_recipe(path: Path, topology: str) -> RecipeEntry:
    """Read the entry of a ``recipe.json`` for a topology.

    Raises:
        ResourceError: if it cannot be read, or as ``parse_recipe``.
    """
    return parse_recipe(read_limited(path, MOST_BYTES, ResourceError, _LIMIT_OF), topology, str(path))


def parse_recipe(data: bytes, topology: str, where: str) -> RecipeEntry:
    """Return the entry of a ``recipe.json`` for a topology.

    Args:
        data: the whole file.
        topology: name.
        where: what the file is called in errors.

    Raises:
        ResourceError: if it is no such file, has no entry for the topology, or an impossible one.
    """
    entries = parse_entries(data, where)
    try:
        entry = entries[topology]
        recipe, seed = entry["recipe"], entry["seed"]
    except KeyError as error:
        raise ResourceError(f"{where}: no entry {brief(error)} for topology {topology!r}") from error
    if not isinstance(seed, int):
        raise ResourceError(f"{where}: expected a whole number as seed, found {shown(seed)}")
    told = {name: entry.get(name) for name in ("threads", "device", "minutes")}
    try:
        found = RecipeEntry(recipe=Recipe.from_dict(recipe), seed=seed, **told)
    except (BnnError, TypeError) as error:
        raise ResourceError(f"{where}, topology {topology!r}: {brief(error)}") from error
    if found.recipe.topology != topology:
        raise ResourceError(f"{where}: the recipe of {topology!r} is for {shown(found.recipe.topology)}")
    return found


def recipe_bytes(entries: Mapping[str, RecipeEntry | Mapping[str, Any]]) -> bytes:
    """Return the bytes of a ``recipe.json``; ``parse_recipe`` reads them back.

    Args:
        entries: by name of the topology; plain ones, of ``parse_entries``, are written as they stand.
    """
    content = {
        topology: entry.to_dict() if isinstance(entry, RecipeEntry) else dict(entry)
        for topology, entry in entries.items()
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _unlike(where: str, found: str) -> ResourceError:
    return ResourceError(f"{where}: expected a recipe with its seed for each topology, as JSON: {found}")
