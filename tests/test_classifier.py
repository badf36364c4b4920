"""What get and load return: classify one or many, scores, selftest, closing, threads."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from batches import random_batch
from bnnhw.cpu.executor import CpuExecutor
from bnnhw.errors import BackendError, SettingError
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import NumpyExecutor, scores
from bnnhw.topology import Conv, Dense, Input, Topology, matrix_stages
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import bnncore
from bnncore import Classifier, InputError, Options, ParameterError, SelftestError
from bnncore.classifier import Contents
from bnncore.engine import Engine
from bnncore.formats.npz import write_npz
from bnncore.formats.provenance import Provenance
from bnncore.pictures.preprocessing import Pipeline
from bnncore.prediction import Prediction, Predictions
from bnncore.publishing.random_network import random_network
from bnncore.records import Preprocessing

COLOUR = Topology(
    name="colour",
    input=Input(height=8, width=8, channels=3),
    layers=(Conv(outputs=6), Dense(outputs=16), Dense(outputs=7)),
)
BITS = Topology(
    name="bits",
    input=Input(height=10, width=10, bits=1),
    layers=(Dense(outputs=16), Dense(outputs=7)),
    output="bits",
)
CLASSES = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(params=[COLOUR, BITS], ids=lambda topology: topology.name)
def topology(request: pytest.FixtureRequest) -> Topology:
    found = request.param
    assert isinstance(found, Topology)
    return found


@pytest.fixture
def network(topology: Topology) -> Network:
    return random_network(topology, 4)


@pytest.fixture
def file(network: Network, tmp_path: Path) -> Path:
    write_npz(tmp_path / "mine.npz", network, CLASSES)
    return tmp_path / "mine.npz"


@pytest.fixture
def classifier(file: Path) -> Iterator[Classifier]:
    with bnncore.load(file, backend="numpy") as made:
        yield made


def pictures(count: int = 5) -> list[Image.Image]:
    rng = np.random.default_rng(2)
    return [Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3)).astype(np.uint8)) for i in range(count)]


# -- loading ---------------------------------------------------------------------------------------


def test_load_names_what_it_loaded(file: Path, topology: Topology, classifier: Classifier) -> None:
    assert classifier.name == "mine"
    assert classifier.topology == topology
    assert classifier.classes == CLASSES
    assert classifier.card is None
    assert classifier.backend == "numpy"
    assert repr(classifier) == f"<Classifier 'mine' on {topology.name}, backend numpy>"


def test_load_takes_text_and_paths(file: Path) -> None:
    assert bnncore.load(str(file)).classes == bnncore.load(file).classes


def test_given_classes_take_the_place_of_those_in_the_file(file: Path) -> None:
    assert bnncore.load(file, classes=["x", "y"]).classes == ("x", "y")
    with pytest.raises(ParameterError, match="expected one class name a line, found none"):
        bnncore.load(file, classes=[])
    with pytest.raises(ParameterError, match="8 classes, but the network has 7 outputs"):
        bnncore.load(file, classes=list("abcdefgh"))


def test_without_any_classes_outputs_are_numbered(network: Network, tmp_path: Path) -> None:
    write_npz(tmp_path / "w.npz", network)
    assert bnncore.load(tmp_path / "w.npz").classes == ("0", "1", "2", "3", "4", "5", "6")


def test_a_topology_can_be_asked_for(file: Path, topology: Topology) -> None:
    assert bnncore.load(file, topology=topology).classes == CLASSES
    with pytest.raises(
        ParameterError, match=f"made for topology '{topology.name}', which is not 'cnvW1A1': input"
    ):
        bnncore.load(file, topology="cnvW1A1")
    with pytest.raises(bnncore.UnknownNameError, match="no installed distribution offers topology 'nonsense'"):
        bnncore.load(file, topology="nonsense")


def test_a_path_with_nothing_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"nowhere\.npz: expected an \.npz file or a binparam directory"):
        bnncore.load(tmp_path / "nowhere.npz")


def test_a_misspelt_backend_is_an_error_at_once(file: Path) -> None:
    with pytest.raises(bnncore.UnknownNameError, match="backend 'nunpy'; did you mean 'numpy'"):
        bnncore.load(file, backend="nunpy")


# -- one picture -----------------------------------------------------------------------------------


def test_classify_gives_scores_label_backend_and_time(classifier: Classifier, network: Network) -> None:
    picture = pictures()[0]
    found = classifier.classify(picture)
    expected = scores(network, classifier.preprocess(picture)[None])[0, :5]
    assert found.scores.dtype == np.int32
    assert np.array_equal(found.scores, expected)
    assert found.label == CLASSES[found.index]
    assert found.classes == CLASSES
    assert found.backend == "numpy"
    assert 0 < found.seconds < 60


def test_every_kind_of_source_gives_the_same_answer(classifier: Classifier, tmp_path: Path) -> None:
    picture = pictures()[0]
    path = tmp_path / "p.png"
    picture.save(path)
    sources: list[Any] = [picture, path, str(path), path.read_bytes(), np.asarray(picture)]
    found = [classifier.classify(source).scores.tolist() for source in sources]
    assert found == [found[0]] * len(sources)


def test_a_picture_that_cannot_be_read_is_an_input_error(classifier: Classifier) -> None:
    with pytest.raises(InputError, match=r"^[^:]*nowhere\.png: cannot be read: No such file or directory$"):
        classifier.classify("nowhere.png")


def test_a_prediction_cannot_be_changed(classifier: Classifier) -> None:
    found = classifier.classify(pictures()[0])
    with pytest.raises(AttributeError):
        found.index = 3  # type: ignore[misc]  # read-only
    with pytest.raises(ValueError, match="read-only"):
        found.scores[0] = 3


def test_a_prediction_survives_pickling(classifier: Classifier) -> None:
    found = classifier.classify(pictures()[0])
    again = pickle.loads(pickle.dumps(found))
    assert (again.index, again.scores.tolist()) == (found.index, found.scores.tolist())


def test_preprocess_shows_what_the_network_sees(classifier: Classifier, network: Network) -> None:
    picture = pictures()[0]
    seen = classifier.preprocess(picture)
    given = classifier.topology.input
    assert (seen.shape, seen.dtype) == (given.shape, np.uint8)
    assert np.array_equal(seen, Pipeline(Preprocessing.default(given), given)(picture))
    assert np.array_equal(classifier.preprocess(seen), seen)


def test_preprocess_returns_an_array_of_its_own(classifier: Classifier) -> None:
    raw = random_batch(classifier.topology, 1, seed=1)[0]
    before = raw.copy()
    classifier.preprocess(raw)[:] = 0
    assert np.array_equal(raw, before)


def test_preprocess_opens_no_backend(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnncore.classifier.open_executor", lambda *_: pytest.fail("a backend was opened"))
    bnncore.load(file).preprocess(pictures()[0])


# -- many pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 130])
def test_a_batch_gives_as_many_predictions_in_order(
    classifier: Classifier, network: Network, count: int
) -> None:
    batch = random_batch(classifier.topology, count, seed=1)
    found = classifier.classify_batch(batch)
    assert isinstance(found, list)
    assert len(found) == count
    assert [each.scores.tolist() for each in found] == scores(network, batch)[:, :5].tolist()
    assert [each.index for each in found] == [classifier.classify(image).index for image in batch]


@pytest.mark.parametrize("kind", [list, tuple])
def test_what_has_a_length_gives_a_list(classifier: Classifier, kind: type) -> None:
    found = classifier.classify_batch(kind(pictures(3)))
    assert isinstance(found, list)
    assert len(found) == 3


def test_sources_of_all_kinds_can_be_mixed(classifier: Classifier, tmp_path: Path) -> None:
    picture = pictures()[0]
    picture.save(tmp_path / "p.png")
    raw = classifier.preprocess(picture)
    found = classifier.classify_batch([picture, tmp_path / "p.png", raw, np.asarray(picture)])
    assert len({tuple(each.scores.tolist()) for each in found}) == 1


def test_a_batch_is_a_list_whatever_holds_the_pictures(classifier: Classifier) -> None:
    found = classifier.classify_batch(picture for picture in pictures(3))
    assert isinstance(found, Predictions)
    assert len(found) == 3


def test_a_stream_is_an_iterator_whatever_holds_the_pictures(classifier: Classifier) -> None:
    found = classifier.classify_stream(pictures(3))
    assert not isinstance(found, Sequence)
    assert iter(found) is found
    assert [each.index for each in found] == [each.index for each in classifier.classify_batch(pictures(3))]


def test_a_stream_is_not_read_far_ahead(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[npt.NDArray[np.uint8]]:
        nonlocal taken
        image = random_batch(classifier.topology, 1, seed=1)[0]
        while True:
            taken += 1
            yield image

    stream = classifier.classify_stream(endless())
    assert taken == 0
    next(stream)
    assert taken <= 64
    for _ in range(200):
        next(stream)
    assert taken <= 264


def test_a_stream_answers_the_first_picture_before_it_takes_the_second(classifier: Classifier) -> None:
    taken: list[int] = []

    def camera() -> Iterator[Image.Image]:
        for number, picture in enumerate(pictures(3)):
            taken.append(number)
            yield picture

    next(classifier.classify_stream(camera()))
    assert taken == [0]


@pytest.mark.slow
def test_a_stream_of_any_length_takes_constant_memory(classifier: Classifier) -> None:
    images = random_batch(classifier.topology, 256, seed=1)
    stream = classifier.classify_stream(images[i % 256] for i in range(20_000))
    for _ in range(1000):
        next(stream)
    gc.collect()
    tracemalloc.start()
    try:
        count = sum(1 for _ in stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 19_000
    assert peak < 2**22


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell a process's memory")
def test_a_stream_through_the_c_kernels_leaves_nothing_behind(network: Network) -> None:
    """Also what Python does not allocate, and also after answers that nobody keeps."""
    pytest.importorskip("bnnhw.cpu._compiled", reason="no C kernels")
    given, executor = network.topology.input, CpuExecutor(network)
    engine = Engine(network.topology, CLASSES, Pipeline(Preprocessing.default(given), given), executor)
    images = random_batch(network.topology, 256, seed=1)

    def resident() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def classify(count: int) -> int:
        return sum(1 for _ in engine.stream(images[i % 256] for i in range(count)))

    classify(2_000)
    before = resident()
    assert classify(20_000) == 20_000
    # A kept answer takes more than 200 bytes, so 20,000 of them would take 4 MB.
    assert resident() - before < 2**21


def test_a_bad_picture_is_named_by_position_after_those_before_it(classifier: Classifier) -> None:
    good = random_batch(classifier.topology, 70, seed=1)
    stream = classifier.classify_stream(iter([*good, "nowhere.png", *good]))
    for image in good:
        assert next(stream).index == classifier.classify(image).index
    with pytest.raises(InputError, match=r"picture 70 \(from 0\): nowhere\.png: cannot be read"):
        next(stream)
    with pytest.raises(InputError, match=r"picture 1 \(from 0\)"):
        classifier.classify_batch([good[0], b"no picture"])


@pytest.mark.parametrize(
    "one",
    [
        "picture.png",
        Path("picture.png"),
        b"data",
        bytearray(b"data"),
        memoryview(b"data"),
        Image.new("RGB", (9, 9)),
        None,
        5,
        np.zeros((30, 40, 3), np.uint8),
        np.zeros((30, 40, 4), np.uint8),
        np.uint8(3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_one_picture_is_refused_where_many_are_wanted(classifier: Classifier, one: Any) -> None:
    with pytest.raises(InputError, match=r"expected many pictures.*for one use classify"):
        classifier.classify_batch(one)


def test_one_array_of_the_inputs_shape_is_refused_where_many_are_wanted(classifier: Classifier) -> None:
    with pytest.raises(InputError):
        classifier.classify_batch(random_batch(classifier.topology, 1, seed=1)[0])


# -- scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_scores_are_the_exact_integers_of_the_classes(
    classifier: Classifier, network: Network, count: int
) -> None:
    batch = random_batch(classifier.topology, count, seed=1)
    found = classifier.scores(batch)
    assert (found.dtype, found.shape) == (np.int32, (count, 5))
    assert np.array_equal(found, scores(network, batch)[:, :5])


def test_scores_take_nothing_but_a_batch(classifier: Classifier) -> None:
    batch = random_batch(classifier.topology, 2, seed=1)
    wrongs: tuple[Any, ...] = (batch[0], batch.astype(np.float32), batch.tolist(), None, pictures(1)[0])
    for wrong in wrongs:
        with pytest.raises(InputError, match="expected a uint8 array of shape"):
            classifier.scores(wrong)


def test_more_than_64_classes_of_bits_are_fine(tmp_path: Path) -> None:
    topology = attrs.evolve(BITS, layers=(Dense(outputs=1000),))
    network = random_network(topology, 1)
    write_npz(tmp_path / "w.npz", network)
    batch = random_batch(topology, 9, seed=1)
    found = bnncore.load(tmp_path / "w.npz").classify_batch(batch)
    assert np.array_equal([each.scores for each in found], scores(network, batch))


# -- ranking ---------------------------------------------------------------------------------------


class Fixed:
    """An executor that always gives the same scores."""

    name = "fixed"

    def __init__(self, row: Sequence[int], kind: str = "i4") -> None:
        self.row, self.kind = row, kind
        self.closed = 0

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        return np.tile(np.array(self.row, self.kind), (len(batch), 1))

    def close(self) -> None:
        self.closed += 1


def predict(row: Sequence[int], output: Any, classes: Sequence[str] = "abcde", kind: str = "i4") -> Prediction:
    """Return what a network of that output says, one and the same alone and in a batch."""
    topology = attrs.evolve(BITS, output=output, layers=(Dense(outputs=len(row)),))
    engine = Engine(
        topology,
        tuple(classes),
        Pipeline(Preprocessing.default(topology.input), topology.input),
        Fixed(row, kind),
    )
    image = np.zeros((10, 10), np.uint8)
    alone, streamed = engine.classify(image), next(engine.stream([image]))
    assert (alone.index, alone.scores.tolist()) == (streamed.index, streamed.scores.tolist())
    return alone


@pytest.mark.parametrize("kind", ["i8", ">i4", "i2", "f4"])
def test_a_backend_may_count_in_another_type(kind: str) -> None:
    found = predict([-300, 2, 70, 3, 0], "scores", kind=kind)
    assert (found.index, found.scores.tolist()) == (2, [-300, 2, 70, 3, 0])


@pytest.mark.parametrize(
    ("row", "index"),
    [
        ([1, 5, 3, 2, 0], 1),
        ([5, 5, 3, 5, 0], 0),
        ([-3, -5, -2, -2, -9], 2),
        ([0, 0, 0, 0, 0], 0),
        ([-1, -1, -1, -1, 0], 4),
        ([1, 2, 3, 4, 5, 99, 100], 4),
    ],
)
def test_scores_are_won_by_the_first_maximum_of_the_classes(row: list[int], index: int) -> None:
    found = predict(row, "scores")
    assert (found.index, found.label, found.note) == (index, "abcde"[index], None)


@pytest.mark.parametrize(
    ("row", "index", "note"),
    [
        ([0, 0, 1, 0, 0], 2, None),
        ([1, 0, 0, 0, 0], 0, None),
        ([0, 0, 0, 0, 0], 0, "no class responded"),
        ([1, 0, 1, 0, 0], 2, "several classes responded: a, c"),
        ([1, 1, 1, 1, 1], 4, "several classes responded: a, b, c, d, e"),
        ([0, 1, 0, 0, 0, 1, 1], 1, None),
        ([0, 0, 0, 0, 0, 1, 1], 0, "no class responded"),
    ],
)
def test_bits_are_won_by_the_highest_and_the_others_are_noted(
    row: list[int], index: int, note: str | None
) -> None:
    found = predict(row, "bits")
    assert (found.index, found.label, found.note) == (index, "abcde"[index], note)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), st.integers(1, 40))
def test_any_bits_are_won_by_the_highest_of_the_classes(row: list[int], count: int) -> None:
    classes = [str(index) for index in range(min(count, len(row)))]
    found = predict(row, "bits", classes)
    assert found.index == max(np.flatnonzero(row[: len(classes)]), default=0)
    assert found.scores.tolist() == row[: len(classes)]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 40))
def test_any_scores_are_won_by_the_first_maximum_of_the_classes(row: list[int], count: int) -> None:
    classes = [str(index) for index in range(min(count, len(row)))]
    found = predict(row, "scores", classes)
    assert found.index == row.index(max(row[: len(classes)]))
    assert found.scores.tolist() == row[: len(classes)]


def test_top_gives_the_best_first_and_of_equals_the_lower_index() -> None:
    found = predict([7, 9, 7, 9, -1], "scores")
    assert found.top(3) == [("b", 9), ("d", 9), ("a", 7)]
    assert found.top(3)[0].label == found.label
    assert [each.label for each in found.top()] == ["b", "d", "a", "c", "e"]
    assert len(found.top(99)) == 5
    assert found.top(0) == found.top(-1) == []


def test_top_of_bits_gives_the_higher_bit_first() -> None:
    found = predict([1, 0, 0, 1, 0], "bits")
    assert [each.label for each in found.top(2)] == ["d", "a"]
    assert found.top(1)[0].label == found.label


def test_top_begins_with_the_answer_where_no_bit_is_set() -> None:
    found = predict([0, 0, 0, 0, 0], "bits")
    assert [each.label for each in found.top(2)] == ["a", "b"]
    assert found.top(1)[0].label == found.label


@pytest.mark.parametrize("row", [[0, 0, 0, 0, 0], [500, 10, 20, 30, 5], [-300, -301, -299, -300, -300]])
def test_confidences_of_scores_add_up_and_rank_alike(row: list[int]) -> None:
    found = predict(row, "scores")
    shares = found.confidences()
    assert sum(shares) == pytest.approx(1)
    assert found.confidence == max(shares) == shares[found.index]
    assert np.argsort(shares, kind="stable").tolist() == np.argsort(row, kind="stable").tolist()


def test_confidence_grows_with_the_distance() -> None:
    near, far = predict([50, 52, 50, 50, 50], "scores"), predict([50, 80, 50, 50, 50], "scores")
    assert 0.2 < near.confidence < far.confidence < 1


def test_huge_scores_do_not_overflow_the_confidence() -> None:
    limits = np.iinfo(np.int32)
    assert predict([limits.max, limits.min, 0, 1, 2], "scores").confidence == 1


@pytest.mark.parametrize(
    ("row", "confidence"), [([0, 0, 1, 0, 0], 1), ([1, 0, 1, 0, 0], 1 / 2), ([0] * 5, 0), ([1] * 5, 1 / 5)]
)
def test_confidence_of_bits_is_shared(row: list[int], confidence: float) -> None:
    assert predict(row, "bits").confidence == confidence


# -- selftest --------------------------------------------------------------------------------------


def with_golden(golden: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]) -> Classifier:
    network = random_network(COLOUR, 4)
    contents = Contents(
        name="mine",
        topology=COLOUR,
        preprocessing=lambda: Preprocessing.default(COLOUR.input),
        classes=lambda: CLASSES,
        network=lambda: network,
        card=lambda: None,
        golden=lambda: golden,
        parameters_id="mine",
        provenance=Provenance,
    )
    return Classifier(contents, bnncore.registry, Options(backend="numpy"))


def test_selftest_replays_the_golden_vectors() -> None:
    inputs = random_batch(COLOUR, 6, seed=1)
    golden = (inputs, scores(random_network(COLOUR, 4), inputs))
    found = with_golden(golden).selftest()
    assert (found.vectors, found.backend) == (6, "numpy")


def test_selftest_names_the_first_vector_that_differs() -> None:
    inputs = random_batch(COLOUR, 6, seed=1)
    expected = scores(random_network(COLOUR, 4), inputs)
    # An output past the classes counts too.
    expected[3, 6] += 1
    with pytest.raises(SelftestError, match=r"backend 'numpy': golden vector 3 expected scores \[.*found \["):
        with_golden((inputs, expected)).selftest()


def test_selftest_without_golden_vectors_says_so(classifier: Classifier) -> None:
    with pytest.raises(SelftestError, match="mine has no golden vectors"):
        classifier.selftest()


# -- closing ---------------------------------------------------------------------------------------


def test_a_closed_classifier_says_so(classifier: Classifier) -> None:
    classifier.classify(pictures()[0])
    classifier.close()
    classifier.close()
    batch = random_batch(classifier.topology, 1, seed=1)
    uses = [
        lambda: classifier.classify(pictures()[0]),
        lambda: classifier.classify_batch(pictures()),
        lambda: classifier.classify_stream(pictures()),
        lambda: classifier.scores(batch),
        lambda: classifier.preprocess(pictures()[0]),
        lambda: classifier.backend,
    ]
    for use in uses:
        with pytest.raises(BackendError, match="'mine' is closed; make a new one"):
            use()
    assert classifier.classes == CLASSES


def test_with_closes_the_executor_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Fixed([0] * 7)
    monkeypatch.setattr("bnncore.classifier.open_executor", lambda *_: executor)
    with bnncore.load(file) as classifier:
        classifier.classify(pictures()[0])
        assert executor.closed == 0
    classifier.close()
    assert executor.closed == 1


def test_with_closes_after_an_error_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Fixed([0] * 7)
    monkeypatch.setattr("bnncore.classifier.open_executor", lambda *_: executor)
    classifier = bnncore.load(file)
    assert classifier.backend == "fixed"
    with pytest.raises(InputError), classifier:
        classifier.classify("nowhere.png")
    assert executor.closed == 1


def test_closing_before_the_first_use_opens_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnncore.classifier.open_executor", lambda *_: pytest.fail("a backend was opened"))
    bnncore.load(file).close()


def test_a_classifier_that_is_dropped_is_freed(file: Path) -> None:
    classifier = bnncore.load(file, backend="numpy")
    classifier.classify(pictures()[0])
    seen = weakref.ref(classifier)
    del classifier
    gc.collect()
    assert seen() is None


# -- threads and neighbours ------------------------------------------------------------------------


def test_32_threads_share_one_classifier(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = NumpyExecutor.__init__

    def counted(self: NumpyExecutor, network: Network) -> None:
        opened.append(1)
        real(self, network)

    monkeypatch.setattr(NumpyExecutor, "__init__", counted)
    classifier = bnncore.load(file, backend="numpy")
    images = pictures(8)
    start = threading.Barrier(32)

    def work(number: int) -> list[list[int]]:
        start.wait()
        turned = images[number % 8 :] + images[: number % 8]
        return [classifier.classify(image).scores.tolist() for image in turned]

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(work, range(32)))
    expected = [each.scores.tolist() for each in classifier.classify_batch(images)]
    for number, rows in enumerate(found):
        assert rows == expected[number % 8 :] + expected[: number % 8]
    assert opened == [1]


def test_two_classifiers_of_one_topology_do_not_share_parameters(topology: Topology, tmp_path: Path) -> None:
    made = []
    for seed in (1, 2):
        write_npz(tmp_path / f"{seed}.npz", random_network(topology, seed))
        made.append(bnncore.load(tmp_path / f"{seed}.npz", backend="numpy"))
    batch = random_batch(topology, 40, seed=3)
    expected = [scores(random_network(topology, seed), batch) for seed in (1, 2)]
    assert not np.array_equal(expected[0], expected[1])
    for _ in range(2):
        for each, rows in zip(made, expected):
            assert np.array_equal(each.scores(batch), rows)


def test_a_changed_file_does_not_change_an_open_classifier(file: Path, topology: Topology) -> None:
    classifier = bnncore.load(file, backend="numpy")
    write_npz(file, random_network(topology, 99), CLASSES)
    batch = random_batch(topology, 20, seed=1)
    assert np.array_equal(classifier.scores(batch), scores(random_network(topology, 4), batch)[:, :5])


# -- a thousand classes ----------------------------------------------------------------------------


def test_a_thousand_classes_of_scores(tmp_path: Path) -> None:
    topology = attrs.evolve(COLOUR, layers=(Conv(outputs=4, stride=2, padding=1), Dense(outputs=1000)))
    assert matrix_stages(topology)[-1].fan_in == 64
    weights = np.where(np.eye(1000, 64, -500) > 0, 1, -1).astype(np.int8)
    first = random_network(topology, 1).layers[0]
    # Weights of -1 but for one row: with all inputs at +1, that row wins.
    weights[777] = 1
    layer = LayerParameters(weights=weights, thresholds=np.zeros((1000, 0), np.int32))
    always = LayerParameters(weights=first.weights, thresholds=np.full((4, 1), -(2**24), np.int32))
    write_npz(tmp_path / "w.npz", Network(topology=topology, layers=(always, layer)))
    found = bnncore.load(tmp_path / "w.npz", backend="numpy").classify(pictures()[0])
    assert (found.label, found.scores[777], len(found.scores)) == ("777", 64, 1000)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BNNCORE_CPU_ISA", "avx2048"), ("BNNCORE_THREADS", "two")],
)
def test_a_setting_that_cannot_be_meant_is_no_reason_for_another_backend(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one would answer as well, a hundred times slower."""
    classifier = bnncore.get("cifar10")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=f"{variable}.*{value}|{value}.*{variable}"):
        classifier.scores(np.zeros((1, 32, 32, 3), np.uint8))
