"""A plugin's code may raise anything, hang, or ask for itself: an error that names it, and nobody else waits."""

from __future__ import annotations

import sys
import threading
import time
import warnings

import numpy as np
import pytest

import bnncore
from bnncore import BackendError, InputError, PluginError
from bnncore.discovery import host, kinds
from bnncore.discovery.host import PluginWarning
from bnncore.foreign import describe_error

TOPOLOGY = """
from bnncore import Dense, Input, Topology, hookimpl
IMPORT
@hookimpl
def bnncore_topology(name):
    HOOK
    return Topology(name=name, input=Input(height=4, width=4), layers=(Dense(outputs=3),))
"""

RAISE = """
class Mute(BaseException):
    def __str__(self):
        raise SystemExit("of the text")

class Weird(Exception):
    def __str__(self):
        return "two" + chr(10) + "lines and " + chr(27) + "[2J"

def stop(kind):
    raise {"exit": SystemExit, "close": GeneratorExit, "mute": Mute, "weird": Weird, "end": StopIteration}[kind]
"""

KINDS = {
    "exit": "raised SystemExit",
    "close": "raised GeneratorExit",
    "mute": "raised Mute, whose text raised SystemExit",
    "weird": r"raised Weird: two lines and \\x1b\[2J",
    "end": "raised StopIteration",
}


@pytest.fixture
def offer(install):
    """Return a function that offers a topology of a name, with code at import and in the hook."""

    def put(name, at_import="", in_hook="pass"):
        source = TOPOLOGY.replace("IMPORT", at_import).replace("HOOK", in_hook)
        install(f"bnn-{name}", {kinds.TOPOLOGY.group: {name: f"bnn_{name}"}}, {f"bnn_{name}.py": source})

    return put


# -- what it raises --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["at_import", "in_hook"])
def test_whatever_is_raised_is_one_line_with_distribution_and_version(offer, registry, kind, place):
    offer(
        "odd",
        **{"at_import": RAISE, place: (RAISE if place == "at_import" else "") + f"\nstop({kind!r})".strip()},
    )
    with pytest.raises(PluginError, match=rf"bnn-odd 1\.0 .*{KINDS[kind]}\. Update") as raised:
        registry.topology("odd")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("where", ["__getattr__", "__dir__"])
def test_a_module_that_fails_when_it_is_looked_into_is_named(offer, registry, where):
    offer("odd", f"def {where}(*names):\n    raise SystemExit('no look')")
    with pytest.raises(PluginError, match=r"bnn-odd 1\.0 .*SystemExit: no look"):
        registry.topology("odd")


def test_a_record_that_is_worked_out_when_it_is_read_is_read_once(offer, registry):
    lazy = "class Lazy(Topology):\n    @property\n    def digest(self):\n        raise SystemExit('later')"
    offer("odd", lazy, "return Lazy(name=name, input=Input(height=4, width=4), layers=(Dense(outputs=3),))")
    found = registry.topology("odd")
    assert type(found) is bnncore.Topology
    assert len(found.digest) == 64


def test_a_long_text_is_cut():
    assert len(describe_error(ValueError("x" * 10**6))) < 600


# -- who waits -------------------------------------------------------------------------------------


def in_thread(function, *arguments):
    """Run a function in a thread that does not keep the tests from ending; return it and what it leaves."""
    left = []

    def run():
        try:
            left.append(function(*arguments))
        except BaseException as error:
            left.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, left


@pytest.fixture
def gate(monkeypatch):
    """Return an event that plugins wait for at import, as ``sys.bnncore_gate``, and one that says that they do."""
    opened, reached = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "bnncore_gate", (reached, opened), raising=False)
    yield reached, opened
    opened.set()


HANG = "import sys\nsys.bnncore_gate[0].set()\nsys.bnncore_gate[1].wait(60)"


def test_one_that_hangs_at_import_blocks_only_those_who_ask_for_it(offer, registry, gate):
    reached, opened = gate
    offer("slow", HANG)
    offer("quick")
    first, found = in_thread(registry.topology, "slow")
    assert reached.wait(20)
    second, also = in_thread(registry.topology, "slow")
    other, quick = in_thread(registry.topology, "quick")
    other.join(20)
    assert quick[0].name == "quick"
    assert registry.topology("cnvW1A1").outputs == 64
    assert not found
    assert not also
    opened.set()
    first.join(20)
    second.join(20)
    assert found == also


def test_who_waits_for_another_thread_is_told_after_a_while(offer, registry, gate, monkeypatch):
    monkeypatch.setattr(host, "_PATIENCE", 0.1)
    offer("slow", HANG)
    thread, found = in_thread(registry.topology, "slow")
    assert gate[0].wait(20)
    with pytest.raises(PluginError, match=r"bnn-slow 1\.0 .*still being imported by another thread after 0 s"):
        registry.topology("slow")
    gate[1].set()
    thread.join(20)
    # It was no fault of the plugin, and nothing that is remembered.
    assert registry.topology("slow") == found[0]


def asks(name):
    return f"import bnncore\nbnncore.registry.topology({name!r})"


def test_a_plugin_that_asks_for_itself_at_import_is_told_so(offer):
    offer("self", asks("self"))
    started = time.monotonic()
    with pytest.raises(PluginError, match=r"bnn-self 1\.0 .*asked for by its own import"):
        bnncore.registry.topology("self")
    assert time.monotonic() - started < 10


def test_another_registry_is_no_way_around_that(offer, registry):
    offer("self", asks("self"))
    with pytest.raises(PluginError, match="asked for by its own import"):
        registry.topology("self")


def test_two_that_ask_for_each_other_at_import_do_not_wait_for_ever(offer, monkeypatch):
    meet = "import sys, threading\nsys.bnncore_meeting.wait(20)\n"
    monkeypatch.setattr(sys, "bnncore_meeting", threading.Barrier(2), raising=False)
    offer("one", meet + asks("two"))
    offer("two", meet + asks("one"))
    started = time.monotonic()
    threads = [in_thread(bnncore.registry.topology, name) for name in ("one", "two")]
    for thread, _ in threads:
        thread.join(30)
    assert time.monotonic() - started < 15
    assert all(isinstance(left[0], PluginError) for _, left in threads)


def test_two_that_import_each_other_are_had_by_two_threads(offer):
    offer("one", "import bnn_two")
    offer("two", "import bnn_one")
    threads = [in_thread(bnncore.registry.topology, name) for name in ("one", "two")]
    for thread, _ in threads:
        thread.join(20)
    assert sorted(left[0].name for _, left in threads) == ["one", "two"]


def test_an_import_that_python_ends_since_two_threads_cross_is_tried_again(offer, registry, monkeypatch):
    class _DeadlockError(RuntimeError):
        pass

    fails = [_DeadlockError("deadlock detected by _ModuleLock('bnn_two')")] * 2
    monkeypatch.setattr(sys, "bnncore_fails", fails, raising=False)
    offer("one", "import sys\nif sys.bnncore_fails:\n    raise sys.bnncore_fails.pop()")
    assert registry.topology("one").name == "one"
    assert not fails


@pytest.mark.parametrize(
    "call", ["bnncore.names()", "bnncore.registry.topology('quick')", "bnncore.registry.faults"]
)
@pytest.mark.parametrize("place", ["at_import", "in_hook"])
def test_a_plugin_may_ask_from_a_thread_that_it_waits_for(offer, call, place):
    offer("quick")
    ask = f"import threading, bnncore; t = threading.Thread(target=lambda: {call}); t.start(); t.join(30)"
    offer("busy", **{place: ask})
    thread, left = in_thread(bnncore.registry.topology, "busy")
    thread.join(20)
    assert left[0].name == "busy"


def test_a_plugin_whose_thread_asks_for_the_plugin_itself_does_not_hang(offer, monkeypatch):
    monkeypatch.setattr(host, "_PATIENCE", 0.2)
    ask = """
import threading, bnncore
def ask():
    try:
        bnncore.registry.topology("busy")
    except bnncore.PluginError as error:
        SAID.append(str(error))
SAID = []
t = threading.Thread(target=ask); t.start(); t.join()
"""
    offer("busy", ask)
    thread, left = in_thread(bnncore.registry.topology, "busy")
    thread.join(20)
    assert left[0].name == "busy"
    assert "still being imported" in sys.modules["bnn_busy"].SAID[0]


# -- backends --------------------------------------------------------------------------------------

BACKEND = (
    """
from bnncore import Backend, hookimpl
from bnnhw.reference import NumpyExecutor
"""
    + RAISE
    + """
@hookimpl
def bnncore_backend(name):
    return Backend(name=name, executor="bnn_odd:executor", obstacle="bnn_odd:obstacle", priority=1000)

class Executor(NumpyExecutor):
    def scores(self, batch):
        SCORES
        return super().scores(batch)
    def close(self):
        CLOSE

def obstacle(job):
    OBSTACLE

def executor(job):
    OPEN
    return Executor(job.network())
"""
)

PICTURE = np.zeros((28, 28), np.uint8)


@pytest.fixture
def odd(install):
    def put(**places):
        source = BACKEND
        for place in ("SCORES", "CLOSE", "OBSTACLE", "OPEN"):
            source = source.replace(place, places.get(place, "pass"))
        install("bnn-odd", {kinds.BACKEND.group: {"odd": "bnn_odd"}}, {"bnn_odd.py": source})

    return put


@pytest.mark.parametrize("kind", KINDS)
def test_auto_goes_on_where_an_obstacle_or_an_executor_raises(odd, kind):
    odd(OBSTACLE=f"stop({kind!r})")
    with bnncore.get("mnist_lfc") as classifier:
        assert classifier.backend != "odd"
    with pytest.raises(BackendError, match=rf"bnn_odd:obstacle of bnn-odd 1\.0 {KINDS[kind]}"):
        bnncore.get("mnist_lfc", "odd").classify(PICTURE)


@pytest.mark.parametrize("kind", KINDS)
def test_auto_goes_on_with_a_warning_where_opening_raises(odd, kind):
    odd(OPEN=f"stop({kind!r})")
    said = rf"backend 'odd' of bnn-odd 1\.0: bnn_odd:executor {KINDS[kind]}"
    with pytest.warns(PluginWarning, match=said), bnncore.get("mnist_lfc") as classifier:
        assert classifier.backend != "odd"
    with pytest.raises(PluginError, match=said):
        bnncore.get("mnist_lfc", "odd").classify(PICTURE)


@pytest.mark.parametrize("error", ["BnnError", "InputError", "ResourceError", "ParameterError"])
def test_auto_goes_on_where_opening_raises_an_error_of_bnncore(odd, error):
    odd(OPEN=f"import bnncore; raise bnncore.errors.{error}('no card')")
    said = r"backend 'odd' of bnn-odd 1\.0: bnn_odd:executor: no card; trying the next backend"
    with pytest.warns(PluginWarning, match=said), bnncore.get("mnist_lfc") as classifier:
        assert classifier.backend != "odd"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", ["classify", "scores", "classify_batch", "selftest"])
def test_an_executor_that_fails_at_the_first_picture_says_whose_it_is(odd, kind, run):
    odd(SCORES=f"stop({kind!r})")
    classifier = bnncore.get("mnist_lfc")
    given = {"classify": (PICTURE,), "selftest": ()}.get(run, (PICTURE[None],))
    with pytest.raises(BackendError, match=rf"backend 'odd' of bnn-odd 1\.0 {KINDS[kind]}"):
        getattr(classifier, run)(*given)


def test_closing_may_fail_and_says_so(odd):
    odd(CLOSE="stop('exit')")
    classifier = bnncore.get("mnist_lfc")
    classifier.classify(PICTURE)
    with pytest.raises(BackendError, match=r"backend 'odd' of bnn-odd 1\.0 raised SystemExit"):
        classifier.close()


@pytest.mark.parametrize("place", ["OBSTACLE", "OPEN", "SCORES"])
def test_an_interrupt_of_the_user_passes(odd, place):
    odd(**{place: "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        bnncore.get("mnist_lfc").classify(PICTURE)


def test_its_own_errors_keep_their_kind_and_get_a_name(odd):
    odd(SCORES="import bnncore\n        raise bnncore.BackendError('the device is hot')")
    with pytest.raises(BackendError, match=r"^backend 'odd' of bnn-odd 1\.0: the device is hot$"):
        bnncore.get("mnist_lfc").classify(PICTURE)


def test_a_device_is_not_opened_for_classes_that_cannot_be_read(odd, monkeypatch):
    odd(OPEN="import sys; sys.bnncore_opened = True")
    classifier = bnncore.get("mnist_lfc")
    monkeypatch.setattr(type(classifier), "classes", property(lambda self: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        classifier.classify(PICTURE)
    assert not hasattr(sys, "bnncore_opened")


# -- preprocessing ---------------------------------------------------------------------------------

PICTURES = """
import numpy as np
KEPT = np.zeros((4, 4), np.uint8)

def fail(image, given):
    raise SystemExit("no picture")

def reuse(image, given):
    KEPT[:] = image.size[0]
    return KEPT
"""


@pytest.fixture
def prepared(install, monkeypatch):
    """Return a function that returns a pipeline of a plugin's function."""
    from bnnhw.topology import Input

    from bnncore.pictures.preprocessing import Pipeline
    from bnncore.records import Preprocessing

    install("bnn-see", {kinds.DATASET.group: {"see": "bnn_see"}}, {"bnn_see.py": PICTURES})

    def make(name):
        return Pipeline(Preprocessing(function=f"bnn_see:{name}"), Input(height=4, width=4), "bnn-see 1.0")

    return make


def test_a_preprocessing_function_that_raises_anything_is_an_input_error(prepared):
    from PIL import Image

    with pytest.raises(InputError, match=r"step 'fail' of bnn-see 1\.0 failed: SystemExit: no picture"):
        prepared("fail")(Image.new("RGB", (9, 9)))


def test_a_preprocessing_function_that_uses_one_array_changes_no_earlier_answer(prepared):
    from PIL import Image

    pipeline = prepared("reuse")
    first, second = (pipeline(Image.new("RGB", (side, side))) for side in (7, 9))
    assert (first.max(), second.max()) == (7, 9)


def test_a_function_that_does_not_exist_names_its_distribution(prepared):
    with pytest.raises(PluginError, match=r"'bnn_see:gone' of bnn-see 1\.0 cannot be imported"):
        prepared("gone")


def test_nothing_is_warned_of_where_nothing_is_wrong(offer, registry):
    offer("plain")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.topology("plain").name == "plain"


# -- files -----------------------------------------------------------------------------------------


def test_a_package_that_ends_the_program_when_its_files_are_looked_for_is_an_error(install):
    install("bnn-box", {}, {"bnn_box/__init__.py": "raise SystemExit", "bnn_box/inner/__init__.py": ""})
    with pytest.raises(bnncore.ResourceError, match=r"package 'bnn_box\.inner' cannot be found: SystemExit"):
        bnncore.packaged("bnn_box.inner", "weights.npz")
