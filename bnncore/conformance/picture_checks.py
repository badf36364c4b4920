"""Preprocessing on pictures that people really have."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject, label
from bnncore.diagnosis.finding import Finding
from bnncore.errors import InputError
from bnncore.pictures.preprocessing import Pipeline

__all__ = ["awkward_pictures", "check_preprocessing"]


def awkward_pictures() -> Iterator[tuple[str, Image.Image]]:
    """Yield pictures of every mode and of awkward sizes, each with its name; synthetic and always the same."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (48, 64, 4), np.uint8)
    colour = Image.fromarray(noise[..., :3].copy())
    yield "RGB", colour
    yield "one pixel", colour.crop((0, 0, 1, 1))
    yield "very wide", colour.resize((1000, 2))
    yield "very high", colour.resize((2, 1000))
    yield "larger than the input", colour.resize((640, 480))
    yield "plain white", Image.new("RGB", (50, 40), "white")
    yield "plain black", Image.new("RGB", (50, 40), "black")
    yield "grey", colour.convert("L")
    yield "black and white", colour.convert("1")
    yield "RGBA", Image.fromarray(noise)
    yield "grey with alpha", Image.fromarray(noise).convert("LA")
    palette = colour.convert("P")
    yield "palette", palette
    transparent = palette.copy()
    transparent.info["transparency"] = 0
    yield "palette with transparency", transparent
    yield "CMYK", colour.convert("CMYK")
    yield "YCbCr", colour.convert("YCbCr")
    yield "16-bit grey", Image.fromarray((noise[..., 0].astype(np.uint16) << 8) | 7)
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(stream, "JPEG", exif=exif)
    yield "turned by EXIF", Image.open(stream)


def check_preprocessing(subject: Subject) -> Finding:
    """Check that awkward pictures become inputs of the right shape, and always the same.

    A picture that cannot be prepared must be refused with an ``InputError``, and an ordinary one must not.
    """
    refused = count = 0
    for network in subject.networks:
        given = network.topology.input
        pipeline = Pipeline(network.preprocessing, given, network.preprocessing_owner.owner)
        for name, picture in awkward_pictures():
            picture.load()
            where = f"{label(network)}: a picture that is {name}"
            try:
                first, second = pipeline(picture), pipeline(picture)
            except InputError as error:
                if name == "RGB":
                    raise CheckError(f"{where} is refused: {error}") from error
                refused += 1
                continue
            if not np.array_equal(first, second):
                raise CheckError(f"{where} became two different inputs; preprocessing must be a pure function")
            count += 1
    if not subject.networks:
        return seen("offers no dataset or parameters", "skipped")
    return seen(f"{count} awkward pictures prepared, {refused} refused with a reason")
