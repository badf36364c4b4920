"""Fork while other threads classify, open and import: each child must answer, rightly and soon.

    python tests/forking/load.py --forks 1000

Prints how many children answered, answered wrongly, or hung, with the stacks of the first that hung; ends with 1 if not
all answered.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import io
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import bnncore

PATIENCE = 30
"""Seconds that a child may take: a board is slow, and this machine busy."""


def jpeg(image: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG")
    return stream.getvalue()


class Load:
    """Threads that keep every part busy that a child needs, until the end of the ``with``."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.latest = name, folder, 0
        self.shared = bnncore.get(name, "cpu", threads=2)
        shape = self.shared.topology.input.shape
        self.batch = np.random.default_rng(3).integers(0, 256, (256, *shape), np.uint8)
        self.picture = jpeg(np.resize(self.batch[0], (64, 64, 3)))
        self.expected = self.shared.scores(self.batch)
        self.seen = self.shared.classify(self.picture).scores
        self.failures: list[str] = []
        self._over = threading.Event()
        works = (self.classify, self.decode, self.open, self.bring)
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]

    def __enter__(self) -> Load:
        sys.path.insert(0, str(self.folder))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        sys.path.remove(str(self.folder))

    def _repeat(self, work: Any) -> None:
        while not self._over.is_set():
            try:
                work()
            except Exception as error:
                self.failures.append(f"{work.__name__}: {type(error).__name__}: {error}")

    def classify(self) -> None:
        assert (self.shared.scores(self.batch) == self.expected).all()

    def decode(self) -> None:
        assert (self.shared.classify(self.picture).scores == self.seen).all()

    def open(self) -> None:
        with bnncore.get(self.name, "cpu", threads=2) as own:
            assert (own.scores(self.batch[:2]) == self.expected[:2]).all()

    def bring(self) -> None:
        """Import what nobody has imported yet, and ask the plugins anew."""
        self.latest += 1
        (self.folder / f"brought{self.latest}.py").write_text("import time; time.sleep(0.005); whole = True")
        importlib.invalidate_caches()
        importlib.import_module(f"brought{self.latest}")
        bnncore.registry.refresh()
        bnncore.registry.dataset(self.name)

    def child(self) -> int:
        """Do all that once more in a forked process; return its exit status."""
        assert (self.shared.scores(self.batch) == self.expected).all()
        self.decode()
        self.open()
        if self.latest:
            assert importlib.import_module(f"brought{self.latest}").whole
        bnncore.registry.refresh()
        bnncore.registry.dataset(self.name)
        return 0


def fork(load: Load) -> int:
    """Return the exit status of one child: 0 answered, 1 wrongly, -SIGALRM hung."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            faulthandler.dump_traceback_later(PATIENCE - 2, exit=False)
            status = load.child()
        except BaseException as error:
            print(f"child: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended)


def run(name: str, forks: int, forkers: int) -> Counter[int]:
    """Return how many children ended with each status."""
    found: Counter[int] = Counter()
    lock = threading.Lock()
    with tempfile.TemporaryDirectory() as folder, Load(name, Path(folder)) as load:

        def work(some: int) -> None:
            for _ in range(some):
                status = fork(load)
                with lock:
                    found[status] += 1

        threads = [threading.Thread(target=work, args=(forks // forkers,)) for _ in range(forkers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for failure in sorted(set(load.failures)):
        print(f"load: {failure}", file=sys.stderr)
        found[1] += 1
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="cifar10", help="the dataset to classify")
    parser.add_argument("--forks", type=int, default=1000)
    parser.add_argument("--forkers", type=int, default=2, help="threads that fork")
    options = parser.parse_args()
    # Python 3.12 and later warn of every fork beside threads.
    warnings.simplefilter("ignore", DeprecationWarning)
    start = time.monotonic()
    found = run(options.name, options.forks, options.forkers)
    hung = found[-signal.SIGALRM]
    others = sum(found.values()) - found[0] - hung
    print(f"{found[0]} answered, {others} failed, {hung} hung, {time.monotonic() - start:.0f} s")
    return int(others + hung > 0)


if __name__ == "__main__":
    sys.exit(main())
