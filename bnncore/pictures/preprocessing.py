"""From an upright picture to the uint8 array that a network sees, by declared steps.

A step is ``operation(image, input, **options)``: it takes and returns a PIL image and never changes the
one it is given. The last leaves the input's size; grey or RGB follows from its channels.

Weights record by name how their pictures were prepared. So what an operation does never changes, not by a pixel;
another meaning is another operation.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Input
from PIL import Image

from bnncore.discovery.imports import import_function
from bnncore.errors import InputError, PluginError
from bnncore.foreign import describe_error, foreign_code
from bnncore.pictures.decoding import Resampling, Source, on_background, open_image, to_rgb
from bnncore.pictures.digits import digit
from bnncore.records import Preprocessing

__all__ = ["OPERATIONS", "Pipeline"]

Array = npt.NDArray[np.uint8]

# Modes whose pixels can be averaged as they are. Numbers of a palette cannot, and Pillow samples those, and
# black-and-white pictures, without a filter.
_PLAIN = ("L", "RGB")
# Pixels that are converted at once: a picture of one bit or byte a pixel takes four times as much in RGB.
_CONVERTED = 2**22

# Comparing with np.uint8 would make a dtype of it at every call.
_UINT8 = np.dtype(np.uint8)


def letterbox(image: Image.Image, given: Input, *, fill: int = 255) -> Image.Image:
    """Shrink to fit, aspect kept, and centre on a plain background; never enlarge: what BNN-PYNQ did.

    The sizes and the filter are those of BNN-PYNQ with the Pillow of its time: truncated sides, Lanczos in one
    pass (docs/reference/bnn-pynq-preprocessing.md#what-depends-on-pillow). Palette and black-and-white pictures are
    sampled without a filter, as they were then. For new weights ``fit`` is better.

    Args:
        image: any mode.
        given: the network's input.
        fill: grey value of the background, 0 to 255.
    """
    size = _shrunk(image.size, given)
    if size != image.size:
        image = image.resize(size, Resampling.LANCZOS, reducing_gap=None)
    return _centred(to_rgb(image), given, fill)


def fit(image: Image.Image, given: Input, *, fill: int = 255) -> Image.Image:
    """Shrink or enlarge to fit, aspect kept, and centre on a plain background.

    Colours come first: palettes, black and white, CMYK and all else are converted before they are scaled, and what is
    transparent shows the background. A grey or RGB picture that is larger than the input on any side becomes what
    ``letterbox`` makes of it, to the last pixel (docs/reference/bnn-pynq-preprocessing.md#fit).

    Args:
        image: any mode.
        given: the network's input.
        fill: grey value of the background, 0 to 255.
    """
    size = _shrunk(image.size, given)
    if image.mode in _PLAIN and "transparency" not in image.info:
        if size != image.size:
            image = image.resize(size, Resampling.LANCZOS, reducing_gap=None)
    else:
        image = _converted_and_scaled(image, size, partial(on_background, fill=fill))
    width, height = image.size
    if width < given.width and height < given.height:
        scale = min(given.width / width, given.height / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # Networks take what it makes for sharper than what Lanczos does: CIFAR-10's test pictures at 16x16 are right
        # in 55 % against 49 %.
        image = image.resize(size, Resampling.BICUBIC)
    return _centred(to_rgb(image), given, fill)


def crop(image: Image.Image, given: Input) -> Image.Image:
    """Cut the largest centred part with the input's aspect ratio."""
    width, height = image.size
    scale = min(width / given.width, height / given.height)
    wide = max(1, min(width, round(given.width * scale)))
    high = max(1, min(height, round(given.height * scale)))
    left, top = (width - wide) // 2, (height - high) // 2
    return image.crop((left, top, left + wide, top + high))


def stretch(image: Image.Image, given: Input) -> Image.Image:
    """Scale to the input's size, whatever the aspect ratio; pixels under transparency keep their stored colour."""
    size = (given.width, given.height)
    if image.size == size:
        return image
    if image.mode in ("P", "PA", "1"):
        return _converted_and_scaled(image, size, _premultiplied).convert("RGBA")
    return image.resize(size, Resampling.LANCZOS)


def invert(image: Image.Image, given: Input) -> Image.Image:
    """Swap light and dark."""
    return Image.fromarray(255 - np.asarray(to_rgb(image)))


OPERATIONS: dict[str, Callable[..., Image.Image]] = {
    "fit": fit,
    "letterbox": letterbox,
    "crop": crop,
    "stretch": stretch,
    "invert": invert,
    "digit": digit,
}


def _shrunk(size: tuple[int, int], given: Input) -> tuple[int, int]:
    """Return the width and height at which a picture fits, never enlarged, in whole numbers as BNN-PYNQ cut them."""
    width, height = size
    if width > given.width:
        height = int(max(height * given.width / width, 1))
        width = given.width
    if height > given.height:
        width = int(max(width * given.height / height, 1))
        height = given.height
    return width, height


def _centred(image: Image.Image, given: Input, fill: int) -> Image.Image:
    """Return an RGB picture of the input's size with a smaller one in the middle."""
    if image.size == (given.width, given.height):
        return image
    canvas = Image.new("RGB", (given.width, given.height), (fill, fill, fill))
    canvas.paste(image, ((given.width - image.width) // 2, (given.height - image.height) // 2))
    return canvas


def _premultiplied(image: Image.Image) -> Image.Image:
    # As Pillow scales RGBA, so that what is transparent lends no colour to its neighbours.
    return image.convert("RGBA").convert("RGBa")


def _converted_and_scaled(
    image: Image.Image, size: tuple[int, int], convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Convert and scale by Lanczos, strip by strip: to the last bit as at once, in a fraction of the memory."""
    width, height = image.size
    rows = max(1, _CONVERTED // width)
    if rows >= height:
        return convert(image).resize(size, Resampling.LANCZOS)
    narrow: Image.Image | None = None
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        # Pillow, too, scales rows first, then columns, with whole bytes in between.
        strip = convert(image.crop((0, top, width, bottom))).resize((size[0], bottom - top), Resampling.LANCZOS)
        narrow = Image.new(strip.mode, (size[0], height)) if narrow is None else narrow
        narrow.paste(strip, (0, top))
    assert narrow is not None
    return narrow.resize(size, Resampling.LANCZOS)


class Pipeline:
    """A declared preprocessing made ready for one input.

    Args:
        declared: by a plugin, or by default.
        given: the network's input.
        owner: who declares it: distribution and version, as a ``Claim`` has it; "" for bnncore.

    Raises:
        PluginError: if a step, one of its options or a function does not exist.
    """

    def __init__(self, declared: Preprocessing, given: Input, owner: str = "") -> None:
        self._owner = owner
        self._whose = f" of {owner}" if owner else ""
        self._input = given
        self._jpeg_side = declared.jpeg_side
        self._shape = given.shape
        self._size = (given.width, given.height)
        self._mode = {1: "L", 3: "RGB"}.get(given.channels)
        self._function = import_function(declared.function, owner) if declared.function else None
        self._steps: list[tuple[Callable[..., Image.Image], dict[str, Any]]] = []
        for step in declared.steps:
            if step.operation not in OPERATIONS:
                raise PluginError(
                    f"preprocessing step {step.operation!r} does not exist; choose from {', '.join(OPERATIONS)}"
                )
            operation = OPERATIONS[step.operation]
            try:
                inspect.signature(operation).bind(None, None, **step.options)
            except TypeError as error:
                raise PluginError(f"preprocessing step {step.operation!r}: {error}") from error
            self._steps.append((operation, dict(step.options)))

    def __call__(self, source: Source) -> Array:
        """Return uint8 [*input shape], RGB where there are colours, for a picture; an array is RGB, too.

        An array that has the input's shape already is what the network sees: it is returned as it is.

        Raises:
            InputError: if the picture cannot be read or the steps do not fit it.
        """
        if isinstance(source, np.ndarray) and source.dtype == _UINT8:
            if source.shape == self._shape:
                return source
            if source.shape == (*self._shape, 1):
                return source[..., 0]
        image = open_image(source, jpeg_side=self._jpeg_side)
        try:
            return self._prepared(image, image is source)
        except InputError as error:
            # A step is given a picture, and does not know of which file.
            if isinstance(source, (str, os.PathLike)):
                raise InputError(f"{os.fspath(source)}: {error}") from error
            raise

    def _prepared(self, image: Image.Image, borrowed: bool) -> Array:
        if self._function is not None:
            # A plugin's function may work in place, and the image may be the caller's own.
            image = image.copy() if borrowed else image
            # A copy, as it may use one array for all its answers.
            return np.array(self._checked(self._foreign(self._function, image)))
        for operation, options in self._steps:
            image = self._call(operation, image, self._input, **options)
        image = self._call(_channels, image, self._input)
        if image.mode == self._mode and image.size == self._size:
            # np.asarray asks the picture for more, which takes half as long again.
            return np.frombuffer(image.tobytes(), np.uint8).reshape(self._shape)
        return self._checked(np.asarray(image))

    def _call(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except InputError:
            raise
        except Exception as error:
            raise _failed(operation, "", error) from error

    def _foreign(self, function: Callable[..., Any], image: Image.Image) -> Any:
        """Call a plugin's function, which may raise anything."""

        def fault(error: BaseException) -> BaseException:
            # To refuse a picture is its right.
            return error if type(error) is InputError else _failed(function, self._whose, error)

        with foreign_code(self._owner, fault):
            return function(image, self._input)

    def _checked(self, array: Any) -> Array:
        if isinstance(array, np.ndarray) and array.dtype == _UINT8 and array.shape == self._shape:
            return array
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        raise InputError(
            f"preprocessing{self._whose} returned {found}, the network needs uint8 {list(self._shape)}"
        )


def _failed(operation: Callable[..., Any], whose: str, error: BaseException) -> InputError:
    name = getattr(operation, "__name__", type(operation).__name__)
    return InputError(f"preprocessing step {name!r}{whose} failed: {describe_error(error)}")


def _channels(image: Image.Image, given: Input) -> Image.Image:
    if given.channels == 1 and image.mode != "L":
        return to_rgb(image).convert("L")
    if given.channels == 3:
        return to_rgb(image)
    return image
