"""Import and describe plugins in a fresh process, and write down what that did to it.

``bnncore.diagnosis.supervised.fresh_python`` runs it, with the path of the report as its argument and the claims as
JSON on standard input. It is no part of ``bnncore.conformance``, which imports numpy itself.
"""

from __future__ import annotations

import importlib
import json
import locale
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

HEAVY = ("numpy", "PIL", "cffi", "pynq", "torch", "scipy", "cv2", "pandas", "matplotlib", "tensorflow")


def snapshot() -> dict[str, Any]:
    """Return what a plugin has no business to change, in comparable form."""
    import logging
    import random

    handlers = {str(number): repr(signal.getsignal(number)) for number in signal.valid_signals()}
    return {
        "environment variables": dict(os.environ),
        "the working directory": _working_folder(),
        "sys.path": list(sys.path),
        "running threads": sorted(thread.name for thread in threading.enumerate()),
        "warning filters": [repr(each) for each in warnings.filters],
        "signal handlers": handlers,
        "the locale": locale.setlocale(locale.LC_ALL),
        "sys.excepthook": repr(sys.excepthook),
        "handlers of the root logger": [repr(each) for each in logging.getLogger().handlers],
        "the level of the root logger": logging.getLogger().level,
        "the state of random": hash(random.getstate()),
        "the limit of recursion": sys.getrecursionlimit(),
    }


def _working_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        # It was removed.
        return None


def heavy() -> list[str]:
    """Return the heavy packages that are imported by now."""
    return [name for name in HEAVY if name in sys.modules]


def main() -> None:
    """Import, describe, and write the report."""
    from bnncore.discovery.imports import module_of
    from bnncore.discovery.index import Claim
    from bnncore.discovery.kinds import PARAMETERS
    from bnncore.discovery.registry import Registry
    from bnncore.discovery.resolve import offered_by

    claims = [Claim(**claim) for claim in json.load(sys.stdin)]
    registry = Registry()
    registry.names()
    before = snapshot()
    report: dict[str, Any] = {"before": heavy()}
    for claim in claims:
        importlib.import_module(module_of(claim.value))
    after = snapshot()
    report["changed"] = [key for key, value in before.items() if after[key] != value]
    report["imported"] = heavy()
    for claim in claims:
        # Parameters of somebody else's dataset are asked for by its name, below.
        if claim.kind != PARAMETERS:
            registry.describe(claim)
    for distribution in {claim.distribution for claim in claims}:
        list(offered_by(registry, distribution))
    report["described"] = heavy()
    Path(sys.argv[1]).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
