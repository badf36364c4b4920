"""``evaluation.json``: what ``bnncore evaluate`` measured, and what a card states of it.

One mapping: ``name`` of the dataset or file, ``topology``, ``data`` (the path that was given) and ``split``, then the
figures of ``bnncore.evaluation.Evaluation.to_dict``: ``samples``, ``right``, ``accuracy``, ``interval_95``,
``classes``, ``confusion``, ``images_per_second`` and ``backend``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from bnncore.errors import ParameterError
from bnncore.files import read_limited
from bnncore.formats.card import Metric, check_metric
from bnncore.formats.jsontext import MOST_BYTES, parse_json
from bnncore.plain_text import brief

__all__ = ["EVALUATION", "evaluation_bytes", "evaluation_content", "parse_metrics", "read_metrics"]

EVALUATION = "evaluation.json"

_LIMIT_OF = "this is no list of figures"


def evaluation_content(
    *, name: str, topology: str, data: str, split: str, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of an ``evaluation.json``, as plain data.

    Args:
        name: of the dataset or file.
        topology: of its network.
        data: where the labelled images are.
        split: which of them.
        figures: of ``Evaluation.to_dict``.
    """
    return {"name": name, "topology": topology, "data": data, "split": split, **figures}


def evaluation_bytes(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of an ``evaluation.json``; ``parse_metrics`` reads from them what a card states."""
    # JSON has no infinite numbers: a rate is one where no time was seen to pass.
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in content.items()
    }
    return (json.dumps(plain, indent=2, allow_nan=False) + "\n").encode()


def read_metrics(path: Path) -> tuple[Metric, ...]:
    """Read the figures for a card from an ``evaluation.json``, or a list of metrics; see ``parse_metrics``.

    Raises:
        ParameterError: if it cannot be read, or is neither.
    """
    return parse_metrics(read_limited(path, MOST_BYTES, ParameterError, _LIMIT_OF), str(path))


def parse_metrics(data: bytes, where: str) -> tuple[Metric, ...]:
    """Return the figures for a card: an evaluation's accuracy, or those of a JSON list of metrics.

    Args:
        data: the bytes of an ``evaluation.json``, or of a list like that in ``card.json``.
        where: for error messages.

    Raises:
        ParameterError: if it is neither.
    """
    try:
        content = parse_json(data)
        found = [_accuracy(content)] if isinstance(content, dict) else [Metric(**each) for each in content]
        return tuple(check_metric(each) for each in found)
    except (ValueError, TypeError, KeyError) as error:
        raise ParameterError(
            f"{where}: expected the {EVALUATION} of bnncore evaluate --out, or a JSON list of metrics: "
            f"{type(error).__name__}: {brief(error)}"
        ) from error


def _accuracy(evaluation: Mapping[str, Any]) -> Metric:
    """Return the metric that a card states of an evaluation; of the data's path only the last name."""
    return Metric(
        name="accuracy",
        value=evaluation["accuracy"],
        samples=evaluation["samples"],
        data=f"{PurePath(evaluation['data']).name}, {evaluation['split']}",
        method="bnncore evaluate",
        topology=evaluation["topology"],
    )
