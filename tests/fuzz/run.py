"""Try mutated files on every reader, in child processes, so that a crash is seen.

    python tests/fuzz/run.py --inputs 1000000 --state build/fuzz

Each input follows from the seed, the reader's name and a number. A reader must return or raise a ``BnnError``, within
5 seconds of the processor and 400 MB. Whatever else happens is printed, and the file kept in the folder of the state,
from which a run that was broken off goes on. ``--reader NAME --number N`` tries one input again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.mutations import mutated
from fuzz.readers import READERS, Reader
from fuzz.seeds import seeds

from bnncore.errors import BnnError

__all__ = ["SECONDS", "available", "made", "trial"]

SECONDS = 5.0
MEGABYTES = 400
# A message is one line; paths and quoted names take most of it.
LONGEST_MESSAGE = 2000

_SLICE = 500
# Of address space, so that a reader that asks for terabytes harms nobody; what it uses is measured.
_ADDRESSES = 6 * 2**30
_PROGRESS = struct.Struct("<qqq")


def available() -> dict[str, Reader]:
    """Return the readers whose needs are installed."""
    return {
        name: reader
        for name, reader in READERS.items()
        if all(importlib.util.find_spec(module) for module in reader.needs)
        and any(seeds(kind) for kind in reader.kinds)
    }


def made(name: str, number: int, seed: int) -> bytes:
    """Return one input of a reader."""
    rng = random.Random(f"{seed} {name} {number}")
    whole = tuple(each for kind in READERS[name].kinds for each in seeds(kind))
    return mutated(rng.choice(whole), whole, rng)


def work(name: str, start: int, stop: int, seed: int, folder: Path) -> None:
    """Try inputs one after the other; print a line of JSON for each that fails, and stop after one that took memory."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read, taken, refused = READERS[name].read, 0, 0
    place = Path(tempfile.mkdtemp(dir=folder))
    progress = os.open(folder / "progress", os.O_RDWR | os.O_CREAT)
    # What its imports take is not the first input's.
    for data in [each for kind in READERS[name].kinds for each in seeds(kind)]:
        reason = _tried(read, data, place)
        if reason is not None and reason:
            print(json.dumps({"number": -1, "reason": reason}), flush=True)
    for number in range(start, stop):
        data = made(name, number, seed)
        os.pwrite(progress, _PROGRESS.pack(number, taken, refused), 0)
        before = _peak()
        # Its signal ends the process, whatever it does; the parent sees by what.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        reason = _tried(read, data, place)
        signal.setitimer(signal.ITIMER_PROF, 0)
        taken += reason is None
        refused += reason == ""
        if reason:
            print(json.dumps({"number": number, "reason": reason}), flush=True)
        if _peak() - before > MEGABYTES:
            print(json.dumps({"number": number, "reason": f"took {_peak() - before} MB"}), flush=True)
            stop = number + 1
            break
    os.pwrite(progress, _PROGRESS.pack(stop, taken, refused), 0)


def _tried(read: Any, data: bytes, place: Path) -> str | None:
    """Return None if the input was taken, nothing if it was refused as it should be, else what happened."""
    try:
        read(data, place)
    except BnnError as error:
        message = str(error)
        if len(message) > LONGEST_MESSAGE:
            return f"a message of {len(message)} characters: {message[:200]!r}"
        return ""
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({last.filename}:{last.lineno})"
    return None


def _peak() -> int:
    """Return the most memory that this program has had, in MB; ``getrusage`` tells also of who started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) // 1024  # type: ignore[index]  # it is there
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def trial(name: str, start: int, stop: int, seed: int) -> Iterator[tuple[int, int, int, list[dict[str, Any]]]]:
    """Try a range of a reader's inputs in child processes, as many as crashes make necessary.

    Yields:
        After each: the next number, how many were taken, how many refused, and the failures.
    """
    while start < stop:
        with tempfile.TemporaryDirectory(prefix="bnncore-fuzz-") as scratch:
            folder = Path(scratch)
            command = [sys.executable, __file__, "--work", name, str(start), str(stop), str(seed), scratch]
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=3600
            )
            failures = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"number"')]
            try:
                number, taken, refused = _PROGRESS.unpack((folder / "progress").read_bytes())
            except (OSError, struct.error):
                raise RuntimeError(f"the child did not begin: {done.stderr[-2000:]}") from None
        if done.returncode:
            end = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit {done.returncode}"
            reason = (
                f"took more than {SECONDS} s" if end == "SIGPROF" else f"ended by {end}: {done.stderr[-500:]}"
            )
            failures.append({"number": number, "reason": reason})
            number += 1
        start = number
        yield start, taken, refused, failures


def main() -> int:
    """Run as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, default=Path("build/fuzz"), help="folder, made if it is missing")
    parser.add_argument("--reader", action="append", help="only this one; may be given again")
    parser.add_argument("--number", type=int, help="try this input of --reader here, and print what happens")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        name, start, stop, seed, folder = given.work
        work(name, int(start), int(stop), int(seed), Path(folder))
        return 0
    if given.number is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(READERS[given.reader[0]].read(made(given.reader[0], given.number, given.seed), Path(folder)))
        return 0
    return _run(given)


def _run(given: argparse.Namespace) -> int:
    readers = {name: reader for name, reader in available().items() if not given.reader or name in given.reader}
    shares = sum(reader.share for reader in readers.values())
    goals = {name: int(given.inputs * reader.share / shares) for name, reader in readers.items()}
    given.state.mkdir(parents=True, exist_ok=True)
    file = given.state / f"state-{given.seed}.json"
    state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    while todo := [name for name in readers if state.get(name, {"next": 0})["next"] < goals[name]]:
        for name in todo:
            mine = state.setdefault(name, {"next": 0, "taken": 0, "refused": 0, "failed": 0})
            stop = min(goals[name], mine["next"] + max(_SLICE, goals[name] // 20))
            for number, taken, refused, failures in trial(name, mine["next"], stop, given.seed):
                mine["next"] = number
                mine["taken"] += taken
                mine["refused"] += refused
                mine["failed"] += len(failures)
                for failure in failures:
                    print(f"{name} {failure['number']}: {failure['reason']}", flush=True)
                    if failure["number"] >= 0:
                        data = made(name, failure["number"], given.seed)
                        (given.state / f"{name.replace(' ', '-')}-{failure['number']}").write_bytes(data)
                file.write_text(json.dumps(state, indent=2))
    for name in readers:
        mine = state[name]
        print(
            f"{name:18} {mine['next']:9,} inputs, {mine['taken']:9,} taken, {mine['refused']:9,} refused, "
            f"{mine['failed']:6,} failed"
        )
    total, failed = (sum(state[name][key] for name in readers) for key in ("next", "failed"))
    print(f"{'all':18} {total:9,} inputs, {failed:6,} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
