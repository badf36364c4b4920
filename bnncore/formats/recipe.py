"""How a network was, or is to be, trained: a record, so that one command repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import asdict, evolve, field, frozen
from attrs.validators import deep_iterable, ge, gt, in_, instance_of, le

from bnncore.errors import BnnError

__all__ = ["Augmentation", "Recipe"]

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


def _nested(given: Any) -> Any:
    """Make a recipe of plain data; whatever else it is, the validator judges."""
    return Recipe(**given) if isinstance(given, Mapping) else given


def _initial(instance: Recipe, attribute: Any, value: Any) -> None:
    if not isinstance(value, (str, Recipe, type(None))):
        raise TypeError(f"initial must be the name of a dataset or a recipe, not {value!r}")
    if isinstance(value, Recipe) and value.topology != instance.topology:
        raise ValueError(f"initial is a recipe for {value.topology!r}, this one is for {instance.topology!r}")


def _part(instance: Recipe, attribute: Any, value: int) -> None:
    if value and value >= instance.epochs:
        raise ValueError(
            f"{attribute.name} must be less than the {instance.epochs} epochs of the run, not {value}"
        )


def _teacher(instance: Recipe, attribute: Any, value: Any) -> None:
    if not isinstance(value, (Recipe, type(None))):
        raise TypeError(f"teacher must be a recipe, not {value!r}")


@frozen(kw_only=True)
class Recipe:
    """Everything that decides the result of a training run, apart from data, seed and threads.

    Attributes:
        topology: name of the topology.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of latent weights, at its height; they live in -1 to +1.
        norm_learning_rate: of batch normalisation and temperature, at its height.
        hold: epochs at the height of the rates, between their rise and their fall.
        warmup: fraction of the other epochs in which the rates rise; in the rest they fall as a cosine to 0.
        relaxed: epochs, from the first, in which weights keep their real values and only activations are
            quantised (the two steps of Martinez et al. 2020, in one run).
        estimator: gradient of one-bit activations; see ``bnncore.training.quantizers``.
        momentum: of the running statistics of batch normalisation.
        settle: images, changed as all are in training, on which these statistics are measured anew at the end of
            the run; see ``bnncore.training.settle``. 0: the running ones stay.
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
        softness: temperature at which answers are compared.
    """

    topology: str = field(validator=instance_of(str))
    epochs: int = field(validator=[instance_of(int), ge(1)])
    batch_size: int = field(default=100, validator=[instance_of(int), ge(2)])
    learning_rate: float = field(default=0.02, validator=_POSITIVE)
    norm_learning_rate: float = field(default=0.002, validator=_POSITIVE)
    hold: int = field(default=0, validator=[instance_of(int), ge(0), _part])
    warmup: float = field(default=0.02, validator=_FRACTION)
    relaxed: int = field(default=0, validator=[instance_of(int), ge(0), _part])
    estimator: Literal["clip", "approx"] = field(default="clip", validator=in_(("clip", "approx")))
    momentum: float = field(default=0.1, validator=_FRACTION)
    settle: int = field(default=0, validator=[instance_of(int), ge(0)])
    label_smoothing: float = field(default=0.0, validator=_FRACTION)
    augmentation: Augmentation = field(factory=Augmentation, converter=_augmentation)
    mixup: float = field(default=0.0, validator=_FRACTION)
    splits: tuple[str, ...] = field(
        default=("train",), converter=tuple, validator=deep_iterable(in_(("train", "test")))
    )
    validation: int = field(default=0, validator=[instance_of(int), ge(0)])
    precision: Literal["float32", "bfloat16"] = field(default="float32", validator=in_(("float32", "bfloat16")))
    initial: str | Recipe | None = field(default=None, converter=_nested, validator=_initial)
    teacher: Recipe | None = field(default=None, converter=_nested, validator=_teacher)
    teachers: int = field(default=1, validator=[instance_of(int), ge(1)])
    distillation: float = field(default=0.9, validator=_FRACTION)
    softness: float = field(default=2.0, validator=_POSITIVE)

    def lasting(self, epochs: int) -> Recipe:
        """Return the same recipe for another number of epochs; in a shorter run all its phases are shorter."""
        share = min(1.0, epochs / self.epochs)
        return evolve(self, epochs=epochs, hold=int(self.hold * share), relaxed=int(self.relaxed * share))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Build a recipe from ``to_dict``'s data; what is absent has its default.

        Raises:
            BnnError: if a key is unknown or a value impossible.
        """
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise BnnError(f"not a recipe: {error}") from error
