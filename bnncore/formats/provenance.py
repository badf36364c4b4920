"""What a parameter file remembers of the training that its weights come from, as plain data in its ``meta``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from attrs.validators import instance_of, optional

from bnncore.plain_text import brief, shown
from bnncore.records import Preprocessing, Step

__all__ = ["Provenance", "parse_provenance", "provenance_content"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_STEPS = 16


def _positive(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf
    ):
        raise ValueError(f"{attribute.name} must be a finite number above 0, not {shown(value)}")


def _digest(instance: Any, attribute: Any, value: Any) -> None:
    if value is not None and not (isinstance(value, str) and _SHA256.fullmatch(value)):
        raise ValueError(f"{attribute.name} must be 64 lower-case hex digits, not {shown(value)}")


@frozen(kw_only=True)
class Provenance:
    """What weights know of their training; None for each thing that was not recorded, as in files of version 1.

    Attributes:
        preprocessing: how the pictures that they were trained on became inputs.
        temperature: what scores are divided by before they become probabilities, above 0.
        recipe_sha256: of the entry of the recipe that made them; see ``bnncore.formats.recipe.entry_digest``.
    """

    preprocessing: Preprocessing | None = field(default=None, validator=optional(instance_of(Preprocessing)))
    temperature: float | None = field(default=None, validator=_positive)
    recipe_sha256: str | None = field(default=None, validator=_digest)


def provenance_content(provenance: Provenance) -> dict[str, Any]:
    """Return plain data for JSON, without what is None; ``parse_provenance`` reads it back."""
    content = {
        "preprocessing": None if provenance.preprocessing is None else _plain(provenance.preprocessing),
        "temperature": provenance.temperature,
        "recipe_sha256": provenance.recipe_sha256,
    }
    return {key: value for key, value in content.items() if value is not None}


def parse_provenance(content: Mapping[str, Any]) -> Provenance:
    """Return what plain data say; other keys are passed over.

    Raises:
        ValueError: in one short line, if a value is impossible.
    """
    declared = content.get("preprocessing")
    try:
        return Provenance(
            preprocessing=None if declared is None else _preprocessing(declared),
            temperature=content.get("temperature"),
            recipe_sha256=content.get("recipe_sha256"),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(brief(error)) from error


def _plain(preprocessing: Preprocessing) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if preprocessing.function is not None:
        content["function"] = preprocessing.function
    else:
        content["steps"] = [
            {"operation": step.operation, "options": dict(step.options)}
            if step.options
            else {"operation": step.operation}
            for step in preprocessing.steps
        ]
    if preprocessing.jpeg_side is not None:
        content["jpeg_side"] = preprocessing.jpeg_side
    return content


def _preprocessing(content: Any) -> Preprocessing:
    if not isinstance(content, dict) or not set(content) <= {"steps", "function", "jpeg_side"}:
        raise ValueError(
            f"preprocessing must have steps or a function, and perhaps jpeg_side, not {shown(content)}"
        )
    steps = content.get("steps", [])
    if not isinstance(steps, list) or len(steps) > _MOST_STEPS:
        raise ValueError(f"preprocessing must have at most {_MOST_STEPS} steps, not {shown(steps)}")
    return Preprocessing(
        steps=tuple(_step(each) for each in steps),
        function=content.get("function"),
        jpeg_side=content.get("jpeg_side"),
    )


def _step(content: Any) -> Step:
    if not isinstance(content, dict) or not set(content) <= {"operation", "options"}:
        raise ValueError(f"a step must have an operation, and perhaps options, not {shown(content)}")
    options = content.get("options", {})
    return Step(
        operation=content["operation"], options={name: _option(value) for name, value in options.items()}
    )


def _option(value: Any) -> Any:
    # JSON has no tuples.
    given = tuple(value) if isinstance(value, list) else value
    numbers = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(each, (int, float)) for each in numbers) and not isinstance(given, str):
        raise ValueError(f"an option must be text, a number or several numbers, not {shown(value)}")
    return given
