"""Processes that fork while threads work, start workers in every way, or end: answers are there, and right."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import bnnhw.locks
import numpy as np
import pytest
from bnnhw.locks import new_lock, new_rlock
from forking import load

import bnncore

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

SHARED: list[bnncore.Classifier] = []


def answers(start: int) -> list[list[int]]:
    classifier = SHARED[0] if SHARED else bnncore.get("cifar10", "cpu")
    images = np.random.default_rng(start).integers(0, 256, (80, 32, 32, 3), np.uint8)
    found: list[list[int]] = classifier.scores(images).tolist()
    return found


def in_child(work: object) -> int:
    """Return the exit status of a forked process: 0 if the call returned something true."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)  # type: ignore[operator]
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@posix
def test_no_child_hangs_that_was_forked_under_load() -> None:
    assert load.run("cifar10", forks=20, forkers=2) == {0: 20}


@posix
@pytest.mark.parametrize("make", [new_lock, new_rlock, lambda: new_lock(awaited=False)])
def test_a_lock_that_another_thread_holds_too_long_is_free_in_a_child(
    make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bnnhw.locks, "_PATIENCE_SECONDS", 0.1)
    lock = make()  # type: ignore[operator]
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert in_child(lambda: lock.acquire(timeout=1)) == 0
        assert not lock.acquire(timeout=0)
    finally:
        done.set()
        thread.join()
    assert lock.acquire(timeout=5)
    lock.release()


@posix
def test_a_fork_waits_for_what_another_thread_is_about_to_finish() -> None:
    lock, state = new_lock(), {"whole": True}
    begun = threading.Event()

    def change() -> None:
        with lock:
            state["whole"] = False
            begun.set()
            time.sleep(0.2)
            state["whole"] = True

    thread = threading.Thread(target=change)
    thread.start()
    begun.wait()
    assert in_child(lambda: state["whole"]) == 0
    thread.join()


@posix
def test_a_fork_waits_for_the_imports_of_other_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slowly_imported.py").write_text("import time\ntime.sleep(0.3)\nwhole = True\n")
    thread = threading.Thread(target=__import__, args=("slowly_imported",))
    thread.start()
    while "slowly_imported" not in sys.modules:
        time.sleep(0.001)
    assert in_child(lambda: __import__("slowly_imported").whole) == 0
    thread.join()


@posix
def test_the_thread_that_holds_a_lock_may_fork() -> None:
    lock = new_rlock()
    with lock:
        assert in_child(lambda: lock.acquire(timeout=1)) == 0


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_of_every_start_method_answer_rightly(method: str) -> None:
    SHARED[:] = [bnncore.get("cifar10", "cpu", threads=2)]
    try:
        expected = [answers(start) for start in range(3)]
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert list(pool.map(answers, range(3))) == expected
    finally:
        SHARED.clear()


WORK = """
    import numpy as np, bnncore
    batch = np.random.default_rng(1).integers(0, 256, (2000, 32, 32, 3), np.uint8)
    def work(classifier):
        found = classifier.scores(batch)
        assert (found == bnncore.get("cifar10", "cpu", threads=1).scores(batch)).all()
        print("right", flush=True)
"""


@pytest.mark.parametrize("used", ["", "classifier.scores(batch)"], ids=["first", "again"])
@pytest.mark.parametrize(
    "end",
    [
        "import atexit; atexit.register(work, classifier)",
        "import threading, time; threading.Thread(target=lambda: (time.sleep(0.5), work(classifier))).start()",
    ],
    ids=["atexit", "thread"],
)
def test_a_process_that_ends_can_still_classify(used: str, end: str) -> None:
    opened = "classifier = bnncore.get('cifar10', 'cpu', threads=2)"
    lines = [textwrap.dedent(WORK), opened, used, end]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("right\n", "")
