"""What a plugin's backend returns is checked once: shape, whole numbers, range; and kept apart from its next answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from batches import random_batch
from bnnhw.executor import single_way
from bnnhw.reference import NumpyExecutor, scores
from bnnhw.topology import Dense, Input, Topology

import bnncore
from bnncore.checked_executor import CheckedExecutor, Spent
from bnncore.discovery import kinds
from bnncore.errors import BackendError, PluginError
from bnncore.publishing.random_network import random_network

NETWORK = random_network(
    Topology(name="t", input=Input(height=4, width=4, channels=3), layers=(Dense(outputs=5),)), 3
)
BATCH = random_batch(NETWORK.topology, 3, seed=1)
RIGHT = scores(NETWORK, BATCH)


class Stranger:
    """Answers with what a function makes of the right answer."""

    name = "somebody else"

    def __init__(self, spoil: Any, single: Any = None) -> None:
        self.spoil = spoil
        if single is not None:
            self.single = single

    def scores(self, batch: Any) -> Any:
        return self.spoil(scores(NETWORK, batch))

    def close(self) -> None:
        pass


def checked(spoil: Any, single: Any = None) -> CheckedExecutor:
    return CheckedExecutor(Stranger(spoil, single), name="odd", owner="bnn-odd 1.0", outputs=5)


WRONG = {
    "nothing": (lambda right: None, "NoneType"),
    "a list": (lambda right: right.tolist(), "list"),
    "too few columns": (lambda right: right[:, :4], r"int32 \[{n}, 4\]"),
    "too many columns": (lambda right: np.repeat(right, 2, axis=1), r"int32 \[{n}, 10\]"),
    "too few rows": (lambda right: right[:-1], r"int32 \[{less}, 5\]"),
    "more rows than asked": (lambda right: np.repeat(right, 2, axis=0), r"int32 \[{twice}, 5\]"),
    "one dimension": (lambda right: right.reshape(-1), r"int32 \[{all}\]"),
    "a number": (lambda right: np.int32(3), "int32"),
    "floats": (lambda right: right.astype(np.float32), r"float32 \[{n}, 5\]"),
    "objects": (lambda right: right.astype(object), r"object \[{n}, 5\]"),
    "texts": (lambda right: right.astype(str), r"<U\d+ \[{n}, 5\]"),
    "numbers out of range": (lambda right: right.astype(np.int64) + 2**31, r"int64 from -?\d+ to \d+"),
    "unsigned out of range": (lambda right: right.astype(np.uint64) | np.uint64(2**40), r"uint64 from"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_answer_names_the_distribution(case: str, count: int) -> None:
    spoil, found = WRONG[case]
    found = found.format(n=count, less=count - 1, twice=2 * count, all=5 * count)
    said = (
        rf"^backend 'odd' of bnn-odd 1\.0 returned {found}.*, expected int32 \[{count}, 5\]; .* with backend=$"
    )
    with pytest.raises(BackendError, match=said):
        checked(spoil).scores(BATCH[:count])
    if count == 1:
        with pytest.raises(BackendError, match=said):
            checked(spoil).single(BATCH[0])


@pytest.mark.parametrize(
    "kept",
    [
        lambda right: right,
        lambda right: right.astype(np.int64),
        lambda right: right.astype(">i4"),
        lambda right: np.asfortranarray(right),
        lambda right: np.repeat(right, 2, axis=1)[:, ::2],
        lambda right: right[::-1][::-1],
        lambda right: np.frombuffer(right.tobytes(), np.int32).reshape(right.shape),
        lambda right: right.view(np.recarray),
    ],
)
def test_the_same_numbers_in_another_form_are_taken_exactly(kept: Any) -> None:
    executor = checked(kept)
    found = executor.scores(BATCH)
    assert type(found) is np.ndarray
    assert (found.dtype, found.flags.c_contiguous, found.flags.writeable) == (np.int32, True, True)
    assert np.array_equal(found, RIGHT)
    assert [executor.single(image) for image in BATCH] == [row.tobytes() for row in RIGHT]
    assert executor.scores(BATCH[:0]).shape == (0, 5)


def test_an_array_that_is_used_again_changes_no_earlier_answer() -> None:
    kept = np.zeros((3, 5), np.int32)

    def reuse(right: Any) -> Any:
        kept[: len(right)] = right
        return kept[: len(right)]

    executor = checked(reuse)
    first = executor.scores(BATCH)
    executor.scores(BATCH[::-1])
    assert np.array_equal(first, RIGHT)


@pytest.mark.parametrize(
    ("single", "found"),
    [
        (lambda image: b"123", "3 bytes"),
        (lambda image: None, "NoneType"),
        (lambda image: RIGHT[0], "ndarray"),
        (lambda image: "x" * 20, "str"),
    ],
)
def test_the_single_way_is_checked_too(single: Any, found: str) -> None:
    with pytest.raises(
        BackendError, match=rf"bnn-odd 1\.0 returned {found}, expected the 20 bytes of int32 \[5\]"
    ):
        checked(lambda right: right, single).single(BATCH[0])


def test_the_single_way_is_taken_where_there_is_one() -> None:
    executor = checked(lambda right: None, lambda image: bytearray(RIGHT[0].tobytes()))
    assert single_way(executor)(BATCH[0]) == RIGHT[0].tobytes()
    assert type(executor.single(BATCH[0])) is bytes


def test_an_attribute_that_raises_is_said_of_the_plugin() -> None:
    class Worse(Stranger):
        @property
        def single(self) -> Any:
            raise SystemExit("no way")

        @single.setter
        def single(self, value: Any) -> None:
            pass

    with pytest.raises(PluginError, match=r"bnn-odd 1\.0: its executor raised SystemExit: no way"):
        CheckedExecutor(Worse(None), name="odd", owner="bnn-odd 1.0", outputs=5)


@pytest.mark.parametrize(
    "spent", [None, 3, SimpleNamespace(pack=1), SimpleNamespace(pack="x", transfer=1, compute=1)]
)
def test_times_that_are_none_are_left_out(spent: Any) -> None:
    executor = checked(None)
    executor._executor.seconds = spent
    assert executor.seconds is None


def test_times_are_passed_on() -> None:
    executor = checked(None)
    executor._executor.seconds = SimpleNamespace(pack=1, transfer=2.5, compute=3)
    assert executor.seconds == Spent(1.0, 2.5, 3.0)


PLUGIN = """
from bnncore import Backend, hookimpl
from bnnhw.reference import NumpyExecutor

@hookimpl
def bnncore_backend(name):
    return Backend(name=name, executor="bnn_odd:Executor", obstacle="bnn_odd:nothing", priority=1000)

def nothing(job):
    return None

class Executor(NumpyExecutor):
    name = "cpu, honestly"
    def __init__(self, job):
        super().__init__(job.network())
    def scores(self, batch):
        return super().scores(batch)CUT
"""


def test_a_backend_is_called_what_its_record_says(install: Any) -> None:
    install("bnn-odd", {kinds.BACKEND.group: {"odd": "bnn_odd"}}, {"bnn_odd.py": PLUGIN.replace("CUT", "")})
    with bnncore.get("mnist_lfc", "odd") as classifier:
        found = classifier.classify(np.zeros((28, 28), np.uint8))
        assert (found.backend, classifier.backend, classifier.selftest().backend) == ("odd", "odd", "odd")


def test_too_few_scores_are_no_answer(install: Any) -> None:
    install(
        "bnn-odd", {kinds.BACKEND.group: {"odd": "bnn_odd"}}, {"bnn_odd.py": PLUGIN.replace("CUT", "[:, :3]")}
    )
    with (
        bnncore.get("mnist_lfc") as classifier,
        pytest.raises(BackendError, match=r"bnn-odd 1\.0 returned int32 \[1, 3\], expected int32 \[1, 64\]"),
    ):
        classifier.classify(np.zeros((28, 28), np.uint8))


def test_bnncores_own_executors_are_not_slowed_down() -> None:
    with bnncore.get("mnist_lfc", "numpy") as classifier:
        assert type(classifier._ready().executor) is NumpyExecutor
