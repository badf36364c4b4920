"""From a picture to what the network sees."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnnhw.topology import Input
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

import bnncore
from bnncore.errors import InputError, PluginError
from bnncore.pictures import preprocessing
from bnncore.pictures.decoding import Resampling
from bnncore.pictures.preprocessing import OPERATIONS, Pipeline, letterbox
from bnncore.records import Preprocessing, Step

CNV = Input(height=32, width=32, channels=3)
LFC = Input(height=28, width=28, bits=1)
GREY = Input(height=32, width=32)
WIDE = Input(height=20, width=40, channels=3)

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I"]


def pipeline(given: Input, *steps: str | tuple[str, dict[str, Any]]) -> Pipeline:
    made = [Step(operation=s) if isinstance(s, str) else Step(operation=s[0], options=s[1]) for s in steps]
    return Pipeline(Preprocessing(steps=made) if made else Preprocessing.default(given), given)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(width * 4099 + height)
    rgb = Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(np.asarray(rgb.convert("L")).astype(np.int32) * 257)
    if mode == "PA":
        return rgb.convert("P").convert("PA")
    return rgb.convert(mode)


# -- the letterbox of the original -----------------------------------------------------------------


def original_size(w: int, h: int) -> tuple[int, int]:
    """The sizes that Pillow 5's thumbnail gave, as the format's description has them (3.3)."""
    if w > 32:
        h = int(max(h * 32 / w, 1))
        w = 32
    if h > 32:
        w = int(max(w * 32 / h, 1))
        h = 32
    return w, h


def original(image: Image.Image) -> np.ndarray:
    """Sections 3.3, 1 to 3, step by step, for RGB."""
    w, h = original_size(*image.size)
    small = image if (w, h) == image.size else image.resize((w, h), Resampling.LANCZOS)
    canvas = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    canvas.paste(small, (int((32 - w) / 2), int((32 - h) / 2)))
    return np.asarray(canvas)[..., :3]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200))
def test_the_letterbox_is_that_of_the_original(width: int, height: int) -> None:
    image = noise(width, height)
    assert np.array_equal(pipeline(CNV, "letterbox")(image), original(image))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK"])
@pytest.mark.parametrize("size", [(100, 60), (20, 25), (32, 32), (33, 31)])
def test_the_letterbox_is_that_of_the_original_in_every_mode(mode: str, size: tuple[int, int]) -> None:
    image = noise(*size, mode)
    assert np.array_equal(pipeline(CNV, "letterbox")(image), original(image))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_letterbox_sizes_follow_the_documented_formula(width: int, height: int) -> None:
    array = np.asarray(letterbox(Image.new("1", (width, height), 0), CNV))
    rows, columns = np.nonzero((array == 0).all(axis=-1))
    w, h = original_size(width, height)
    left, top = (32 - w) // 2, (32 - h) // 2
    assert (columns.min(), rows.min()) == (left, top)
    assert (columns.max() + 1, rows.max() + 1) == (left + w, top + h)
    assert len(rows) == w * h


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((1, 1), (15, 15, 16, 16)),
        ((1, 4000), (15, 0, 16, 32)),
        ((4000, 1), (0, 15, 32, 16)),
        ((32, 32), (0, 0, 32, 32)),
        ((64, 48), (0, 4, 32, 28)),
        ((48, 64), (4, 0, 28, 32)),
        ((33, 32), (0, 0, 32, 31)),
        ((100, 99), (0, 0, 32, 31)),
        ((10, 31), (11, 0, 21, 31)),
    ],
)
def test_the_picture_lies_where_it_should(size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    array = pipeline(CNV, "letterbox")(Image.new("RGB", size, (0, 0, 0)))
    expected = np.full((32, 32, 3), 255, np.uint8)
    expected[box[1] : box[3], box[0] : box[2]] = 0
    assert np.array_equal(array, expected)


def test_bars_can_have_another_colour() -> None:
    array = pipeline(CNV, ("letterbox", {"fill": 7}))(Image.new("RGB", (64, 32), (0, 0, 0)))
    assert np.all(array[:8] == 7)
    assert np.all(array[8:24] == 0)


def test_a_small_picture_is_not_enlarged() -> None:
    image = noise(9, 5)
    assert np.array_equal(pipeline(CNV, "letterbox")(image)[13:18, 11:20], np.asarray(image))


DEER = {
    "cnvW1A1": [234, 231, 265, 248, 410, 257, 224, 262, 226, 233],
    "cnvW1A2": [-20, -46, -38, -6, 268, 6, -14, -28, -38, -30],
    "cnvW2A2": [-24, -34, -21, -13, 244, 4, -7, -20, -27, -13],
}


@pytest.mark.parametrize("network", sorted(DEER))
def test_the_published_networks_see_the_deer_that_the_original_saw(
    original_picture: Callable[[str], Path], binparams: Path, network: str
) -> None:
    with bnncore.load(binparams / "cifar10" / network, backend="numpy") as classifier:
        found = classifier.classify(original_picture("deer.jpg"))
    assert (found.index, found.label) == (4, "Deer")
    assert found.scores.tolist() == DEER[network]


def test_the_deer_is_the_same_from_every_source(original_picture: Callable[[str], Path]) -> None:
    path = original_picture("deer.jpg")
    expected = original(Image.open(path))
    for source in (path, str(path), path.read_bytes(), Image.open(path), np.asarray(Image.open(path))):
        assert np.array_equal(pipeline(CNV, "letterbox")(source), expected)


def test_the_deer_between_its_bars_is_that_of_the_originals_record(
    original_picture: Callable[[str], Path],
) -> None:
    """Made with black bars, else equal pixel for pixel."""
    record = np.fromfile(original_picture("deer.bin"), np.uint8)[1:].reshape(3, 32, 32).transpose(1, 2, 0)
    found = pipeline(CNV, ("letterbox", {"fill": 0}))(original_picture("deer.jpg"))
    assert np.array_equal(found, record)


# -- fit: converted first, then shrunk or enlarged -------------------------------------------------


def coloured(width: int, height: int) -> Image.Image:
    """Return smooth colours, which survive a palette and black and white."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([x, y, 255 - x], -1).round().astype(np.uint8))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from(["RGB", "L"]))
def test_fit_is_the_letterbox_for_what_is_larger_than_the_input(width: int, height: int, mode: str) -> None:
    assume(width >= 32 or height >= 32)
    image = noise(width, height, mode)
    assert np.array_equal(pipeline(CNV, "fit")(image), pipeline(CNV, "letterbox")(image))


# Pillow 9 makes such pictures without their palette and with another transparency; there is nothing to convert then.
PA = pytest.param(
    "PA",
    marks=pytest.mark.skipif(
        Image.new("P", (1, 1), 7).convert("PA").getpixel((0, 0)) != (7, 255), reason="this Pillow makes no PA"
    ),
)


@pytest.mark.parametrize("mode", ["P", PA, "1", "CMYK", "YCbCr", "RGBA", "LA", "RGBa", "La"])
def test_fit_converts_before_it_shrinks(mode: str) -> None:
    image = coloured(200, 160).convert({"PA": "P", "RGBa": "RGBA", "La": "LA"}.get(mode, mode)).convert(mode)
    colours = image.convert({"RGBa": "RGBA", "La": "LA"}.get(mode, mode)).convert("RGB")
    found, expected = pipeline(CNV, "fit")(image), pipeline(CNV, "letterbox")(colours)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("mode", "most"), [("P", 12), ("1", 35)])
def test_fit_shows_what_a_palette_and_dots_mean(mode: str, most: int) -> None:
    """Each pixel is the mean of many, as in a print; the letterbox takes one of them."""
    picture = coloured(320, 320)
    expected = np.asarray((picture.convert("L") if mode == "1" else picture).convert("RGB").resize((32, 32)))
    found = {name: pipeline(CNV, name)(picture.convert(mode)) for name in ("fit", "letterbox")}
    wrong = {name: np.abs(each.astype(int) - expected).mean() for name, each in found.items()}
    assert wrong["fit"] < most / 3 < most < 3 * wrong["letterbox"]


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((1, 1), (0, 0, 32, 32)),
        ((16, 12), (0, 4, 32, 28)),
        ((12, 16), (4, 0, 28, 32)),
        ((31, 31), (0, 0, 32, 32)),
        ((1, 31), (15, 0, 16, 32)),
        ((32, 8), (0, 12, 32, 20)),
        ((8, 32), (12, 0, 20, 32)),
        ((64, 48), (0, 4, 32, 28)),
    ],
)
def test_fit_leaves_bars_on_one_axis_alone(size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    expected = np.full((32, 32, 3), 255, np.uint8)
    expected[box[1] : box[3], box[0] : box[2]] = 0
    assert np.array_equal(pipeline(CNV, "fit")(Image.new("RGB", size)), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", PA, "RGB", "L", "1"])
def test_fit_shows_the_background_where_a_picture_is_transparent(mode: str) -> None:
    """The colour that is stored there is whatever a program left behind."""
    image = Image.new({"P": "RGB", "PA": "RGBA"}.get(mode, mode), (64, 64))
    if mode in ("RGBA", "LA"):
        image.paste(Image.new(mode, (32, 64), (200,) * (len(mode) - 1) + (255,)), (32, 0))
    elif mode == "PA":
        image = Image.new("P", (64, 64), 7).convert("PA")
        image.putalpha(0)
        image.paste(Image.new("P", (32, 64), 7).convert("PA"), (32, 0))
    else:
        image.paste(Image.new(image.mode, (32, 64), 1 if mode == "1" else "white"), (32, 0))
        image = image.convert(mode)
        image.info["transparency"] = image.getpixel((0, 0))
    dark = pipeline(CNV, ("fit", {"fill": 9}))(image)
    light = pipeline(CNV, ("fit", {"fill": 240}))(image)
    assert (np.unique(dark[:, :12]).tolist(), np.unique(light[:, :12]).tolist()) == ([9], [240])
    assert np.array_equal(dark[:, 20:], light[:, 20:])


@pytest.mark.parametrize("mode", ["P", "1", "RGBA", "CMYK", "transparent"])
@pytest.mark.parametrize("operation", ["fit", "stretch"])
@pytest.mark.parametrize("size", [(70, 55), (200, 3)])
def test_what_is_converted_in_strips_is_what_it_is_at_once(
    operation: str, mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noise(*size, "P" if mode == "transparent" else mode)
    if mode == "transparent":
        image.info["transparency"] = 3
    whole = pipeline(CNV, operation)(image)
    monkeypatch.setattr(preprocessing, "_CONVERTED", 150)
    assert np.array_equal(pipeline(CNV, operation)(image), whole)


def test_stretch_is_what_it_was() -> None:
    """Recorded weights count on it: palettes by way of RGBA, as one."""
    for mode in ("P", "1"):
        image = noise(70, 55, mode)
        expected = image.convert("RGBA").resize((32, 32), Resampling.LANCZOS).convert("RGB")
        assert np.array_equal(pipeline(CNV, "stretch")(image), np.asarray(expected))


# -- every input makes the network's shape ---------------------------------------------------------


@pytest.mark.parametrize("given", [CNV, LFC, GREY, WIDE], ids=["cnv", "lfc", "grey", "wide"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (57, 43)])
def test_every_mode_and_size_becomes_the_input(given: Input, mode: str, size: tuple[int, int]) -> None:
    image = noise(*size, mode)
    before = (image.mode, image.size, image.tobytes())
    found = pipeline(given)(image)
    assert (found.shape, found.dtype) == (given.shape, np.uint8)
    assert (image.mode, image.size, image.tobytes()) == before


@pytest.mark.parametrize("given", [CNV, LFC], ids=["cnv", "lfc"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_takes_every_mode_and_leaves_the_caller_its_image(
    given: Input, mode: str, operation: str
) -> None:
    image = noise(40, 30, mode)
    before = (image.mode, image.size, image.tobytes())
    found = pipeline(given, operation, "stretch")(image)
    assert (found.shape, found.dtype) == (given.shape, np.uint8)
    assert (image.mode, image.size, image.tobytes()) == before


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a JPEG of 108 million pixels, wider than high."""
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    Image.new("RGB", (12_000, 9_000), (10, 200, 30)).save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("given", [CNV, LFC], ids=["cnv", "lfc"])
def test_a_picture_of_108_million_pixels(given: Input, photograph: Path) -> None:
    found = pipeline(given)(photograph)
    assert found.shape == given.shape
    if given is CNV:
        assert np.abs(found[16, 16].astype(int) - (10, 200, 30)).max() < 3
        assert np.all(found[:4] == 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_comes_before_the_letterbox(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.new("L", (64, 32), 0).save(buffer, "PNG", exif=exif.tobytes())
    found = pipeline(CNV)(buffer.getvalue())
    dark = (found == 0).all(axis=-1)
    wide = orientation < 5
    assert np.all(dark[8:24]) if wide else np.all(dark[:, 8:24])
    assert dark.sum() == 16 * 32


# -- arrays of the input's shape -------------------------------------------------------------------


@pytest.mark.parametrize("given", [CNV, LFC, GREY], ids=["cnv", "lfc", "grey"])
def test_an_array_of_the_inputs_shape_is_taken_as_it_is(given: Input) -> None:
    array = np.random.default_rng(1).integers(0, 256, given.shape).astype(np.uint8)
    assert np.array_equal(pipeline(given)(array), array)


def test_a_grey_array_may_have_a_channel_axis() -> None:
    array = np.random.default_rng(1).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    assert np.array_equal(pipeline(LFC)(array), array[..., 0])


def test_an_array_of_another_shape_is_a_picture() -> None:
    image = noise(64, 64)
    assert np.array_equal(pipeline(CNV)(np.asarray(image)), original(image))


def test_a_grey_array_of_the_cnvs_size_becomes_coloured() -> None:
    array = np.random.default_rng(1).integers(0, 256, (32, 32)).astype(np.uint8)
    assert np.array_equal(pipeline(CNV)(array), np.repeat(array[..., None], 3, axis=-1))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_an_array_of_another_type_is_not_converted(dtype: type) -> None:
    with pytest.raises(InputError, match="expected a uint8 array"):
        pipeline(CNV)(np.zeros((32, 32, 3), dtype))


# -- declared steps --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "colour"), [("default", "fit"), ("unrecorded", "letterbox")])
def test_new_weights_are_trained_on_fitted_pictures_and_old_ones_keep_theirs(rule: str, colour: str) -> None:
    def names(given: Input) -> list[str]:
        return [step.operation for step in getattr(Preprocessing, rule)(given).steps]

    assert names(CNV) == names(GREY) == names(Input(height=5, width=5, channels=3, bits=1)) == [colour]
    assert names(LFC) == ["digit"]


@pytest.mark.parametrize(
    ("size", "kept"), [((60, 20), (20, 40)), ((20, 60), (20, 10)), ((40, 20), (40, 20)), ((1, 1), (1, 1))]
)
def test_crop_keeps_the_centre_in_the_inputs_aspect(size: tuple[int, int], kept: tuple[int, int]) -> None:
    image = noise(*size)
    found = OPERATIONS["crop"](image, WIDE)
    width, height = (40, 20) if size == (60, 20) else kept
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    assert found.size == (width, height)
    assert np.array_equal(np.asarray(found), np.asarray(image)[top : top + height, left : left + width])


def test_stretch_fills_the_input() -> None:
    found = pipeline(CNV, "stretch")(Image.new("RGB", (100, 3), (9, 8, 7)))
    assert np.all(found == (9, 8, 7))


def test_invert_swaps_light_and_dark() -> None:
    array = pipeline(CNV, "invert", "stretch")(Image.new("RGB", (40, 40), (0, 100, 255)))
    assert array[0, 0].tolist() == [255, 155, 0]


def test_steps_are_applied_in_order() -> None:
    image = Image.new("RGB", (64, 32), (0, 0, 0))
    inverted_bars = pipeline(CNV, "letterbox", "invert")(image)
    white_bars = pipeline(CNV, "invert", "letterbox")(image)
    assert np.all(inverted_bars[0] == 0)
    assert np.all(white_bars == 255)


def test_an_unknown_step_is_named_with_the_known_ones() -> None:
    with pytest.raises(PluginError, match="step 'rotate' does not exist; choose from fit, letterbox, crop"):
        pipeline(CNV, "rotate")


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(PluginError, match=r"step 'letterbox': .*'colour'"):
        pipeline(CNV, ("letterbox", {"colour": 3}))


def test_steps_that_do_not_leave_the_inputs_size_are_named_with_both() -> None:
    with pytest.raises(
        InputError, match=r"returned uint8 \[30, 30, 3\], the network needs uint8 \[32, 32, 3\]"
    ):
        pipeline(CNV, "crop")(noise(40, 30))


@pytest.mark.parametrize("steps", [(), ("stretch",), ("crop",), ("invert", "stretch")])
def test_a_mode_that_cannot_be_converted_is_an_input_error(
    steps: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(self: Image.Image, mode: str) -> Image.Image:
        # What Pillow raises for LAB, which only some versions convert.
        raise ValueError(f"conversion from {self.mode} to {mode} not supported")

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(InputError, match="conversion from LAB to RGB not supported"):
        pipeline(CNV, *steps)(Image.new("LAB", (32, 32)))


def test_a_jpeg_is_decoded_smaller_only_where_that_is_declared() -> None:
    buffer = io.BytesIO()
    noise(640, 480).save(buffer, "JPEG")
    steps = (Step(operation="letterbox"),)
    whole = Pipeline(Preprocessing(steps=steps), CNV)(buffer.getvalue())
    assert np.array_equal(whole, original(Image.open(buffer)))
    smaller = Pipeline(Preprocessing(steps=steps, jpeg_side=60), CNV)(buffer.getvalue())
    eighth = Image.open(buffer)
    eighth.draft(None, (80, 60))
    assert np.array_equal(smaller, original(eighth))
    assert not np.array_equal(smaller, whole)


@pytest.mark.parametrize("side", [0, -1, 2.5, True, "64"])
def test_an_impossible_side_is_refused(side: Any) -> None:
    with pytest.raises(ValueError, match=r"Preprocessing\.jpeg_side must be a whole number from 1 up, not"):
        Preprocessing(steps=(Step(operation="letterbox"),), jpeg_side=side)


# -- a function of a plugin ------------------------------------------------------------------------


def with_function(monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any]) -> Pipeline:
    monkeypatch.setattr("bnncore.pictures.preprocessing.mine", function, raising=False)
    return Pipeline(Preprocessing(function="bnncore.pictures.preprocessing:mine"), CNV)


def test_a_function_makes_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(image: Image.Image, given: Input) -> np.ndarray:
        return np.full(given.shape, image.size[0], np.uint8)

    assert np.all(with_function(monkeypatch, mine)(noise(9, 5)) == 9)


def test_a_function_cannot_change_the_callers_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(image: Image.Image, given: Input) -> np.ndarray:
        image.thumbnail((4, 4))
        image.paste((0, 0, 0), (0, 0, *image.size))
        return np.zeros(given.shape, np.uint8)

    image = noise(9, 5)
    before = (image.size, image.tobytes())
    with_function(monkeypatch, mine)(image)
    assert (image.size, image.tobytes()) == before


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (np.zeros((32, 32), np.uint8), r"uint8 \[32, 32\]"),
        (np.zeros((32, 32, 3), np.float32), r"float32 \[32, 32, 3\]"),
        (None, "NoneType"),
        (Image.new("RGB", (32, 32)), "Image"),
    ],
)
def test_what_a_function_returns_is_checked(
    monkeypatch: pytest.MonkeyPatch, result: object, found: str
) -> None:
    made = with_function(monkeypatch, lambda image, given: result)
    with pytest.raises(InputError, match=f"preprocessing returned {found}, the network needs uint8"):
        made(noise(5, 5))


def test_a_failing_function_is_an_input_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(image: Image.Image, given: Input) -> np.ndarray:
        raise ZeroDivisionError("oops")

    with pytest.raises(InputError, match="'mine' failed: ZeroDivisionError: oops"):
        with_function(monkeypatch, mine)(noise(5, 5))


def test_what_a_step_refuses_is_said_of_the_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among many pictures, the sentence of a step alone does not say which is meant."""
    path = tmp_path / "two.png"
    noise(5, 5).save(path)
    prepare = with_function(monkeypatch, lambda image, given: None)
    for source in (path, str(path)):
        with pytest.raises(InputError) as refused:
            prepare(source)
        assert str(refused.value).startswith(f"{path}: preprocessing returned NoneType")


def test_a_function_that_does_not_exist_is_a_plugins_fault() -> None:
    with pytest.raises(PluginError, match=r"'nowhere\.module:mine' cannot be imported: ModuleNotFoundError"):
        Pipeline(Preprocessing(function="nowhere.module:mine"), CNV)
