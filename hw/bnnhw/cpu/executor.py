"""Run networks with the C kernels: one extension module, one variant for each instruction set.

The variant is chosen from the processor's features; ``BNNCORE_CPU_ISA`` or an argument forces one.
Images run in parallel on threads, with Python's lock released.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bnnhw import environment
from bnnhw.cpu.extension import ffi, interruption, lib, require
from bnnhw.cpu.layout import GROUP, SIGN_BITS, LayerPlan, plan
from bnnhw.cpu.threads import thread_count
from bnnhw.errors import BackendError, SettingError
from bnnhw.executor import checked_batch
from bnnhw.locks import new_lock
from bnnhw.network import Network
from bnnhw.topology import Topology

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["CpuExecutor", "choose", "variants"]

# Maps of the images that a thread has under way should stay in the second-level cache. The more images, the less
# often a layer's weights come from there again.
_MAPS_BYTES = 2**18
_MOST_IMAGES = 64

# Of a thread, so that one that is interrupted does not make the others wait for long.
_PORTIONS = 128

# Handing work to another thread costs some tens of microseconds (benchmarks/kernel_claims.py thread); this many
# multiply-accumulates take longer.
_WORTH_A_THREAD = 10**8

# Seconds from one look at signals to the next while others finish: Windows heeds none during a wait.
_GLANCE = 0.2

_UINT8 = np.dtype(np.uint8)

# Looked up once, as each time takes a hundredth of what a small network does (benchmarks/kernel_claims.py look-ups).
_ARRAY = np.ndarray
if lib is not None:
    _BYTES = ffi.typeof("uint8_t[]")
    _from_buffer, _bnn_evaluate, _bnn_evaluate_until = ffi.from_buffer, lib.bnn_evaluate, lib.bnn_evaluate_until

    _NEVER = ffi.NULL
else:
    _NEVER = None


def variants() -> MappingProxyType[str, bool]:
    """Return the compiled variants, the most capable first, and whether this processor can run each.

    Raises:
        BackendError: if nothing was compiled, as there was no C compiler.
    """
    require()
    found: dict[str, bool] = {}
    for index in count():
        name = lib.bnn_variant_name(index)
        if name == ffi.NULL:
            return MappingProxyType(found)
        found[ffi.string(name).decode()] = bool(lib.bnn_variant_usable(index))
    raise AssertionError("the table of variants ends")


def choose(isa: str | None = None) -> tuple[str, str]:
    """Return the name of the variant to use, and why.

    Args:
        isa: its name; None for the environment variable ``BNNCORE_CPU_ISA``, and without it the most
            capable that this processor can run.

    Raises:
        SettingError: if the variant asked for was not compiled in or cannot run here.
        BackendError: if nothing was compiled.
    """
    found = variants()
    forced = environment.CPU_ISA.value.strip()
    name, why = (isa, "asked for") if isa is not None else (forced, str(environment.CPU_ISA))
    if not name:
        best = next(each for each, runs in found.items() if runs)
        return best, "the most capable that this processor can run"
    usable = [each for each, runs in found.items() if runs]
    if name not in usable:
        problem = "this processor cannot run it" if name in found else "there is no such variant"
        raise SettingError(f"CPU variant {name!r} ({why}): {problem}; choose one of {', '.join(usable)}")
    return name, why


class CpuExecutor:
    """Run a network on the processor. Safe to call from several threads, and after a fork.

    Attributes:
        name: ``"cpu"``.
        isa: the variant in use, for example ``"avx512"``.
        threads: the most threads that one call uses.
    """

    name = "cpu"

    def __init__(self, network: Network, *, threads: int | None = None, isa: str | None = None) -> None:
        """Pack the network for one variant.

        Args:
            network: topology and parameters.
            threads: see ``bnnhw.cpu.threads.thread_count``.
            isa: see ``choose``.

        Raises:
            BackendError: if the kernels were not compiled, the variant cannot run here, or there is not enough
                memory.
        """
        topology = network.topology
        self._asked, self._process = threads, os.getpid()
        self.threads = thread_count(threads)
        self.isa, _ = choose(isa)
        self._input = topology.input
        self._shape = topology.input.shape
        self._first = (1, *self._shape)
        self._outputs = topology.outputs
        self._network, image_bytes = _load(network, list(variants()).index(self.isa))
        self._images = max(1, min(_MOST_IMAGES, _MAPS_BYTES // max(1, image_bytes)))
        if self._images * image_bytes > sys.maxsize // 2:
            raise _no_memory(topology)
        self._share = max(self._images, _WORTH_A_THREAD // max(1, topology.operations))
        self._closed = False
        # Workspaces at rest. Appending and popping are atomic; a call takes one, or makes one more.
        self._topology = topology
        self._idle = [self._workspace()]
        self._crew = _Crew(self.threads - 1)

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs] for uint8 [N, *input shape]; see ``bnnhw.reference.scores``.

        Raises:
            InputError: if the batch has another dtype or shape.
            BackendError: if the executor is closed, or memory runs out.
        """
        # What nearly every batch passes; the check that explains takes longer (benchmarks/kernel_claims.py check).
        if not (
            type(batch) is _ARRAY
            and batch.dtype is _UINT8
            and (batch.shape == self._first or batch.shape[1:] == self._shape)
        ):
            batch = checked_batch(self._input, batch)
        if self._closed:
            raise _closed()
        images = len(batch)
        try:
            source = _from_buffer(_BYTES, batch)
        except ValueError:  # it is not in one piece
            batch = checked_batch(self._input, batch)
            source = _from_buffer(_BYTES, batch)
        if images <= self._images:
            try:
                place = self._idle.pop()  # as in _take, without the call
            except IndexError:
                place = self._workspace()
            if _bnn_evaluate(self._network, place.maps, source, images, place.target):
                raise interruption()
            few: npt.NDArray[np.int32] = (place.first if images == 1 else place.scores[:images]).copy()
            self._idle.append(place)
            return few
        if self._process != os.getpid():  # a worker, forked since, leaves the other processors to its siblings
            self._process = os.getpid()
            self.threads = min(self.threads, thread_count(self._asked))
        result = np.empty((images, self._outputs), np.int32)
        target = ffi.from_buffer("int32_t[]", result)
        workers = min(self.threads, images // self._share)
        if workers <= 1:
            self._run(source, images, target)
        else:
            self._run_parallel(source, images, target, workers)
        return result

    def single(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Return the outputs of one image; see ``bnnhw.executor.SingleExecutor``."""
        if not (type(image) is _ARRAY and image.dtype is _UINT8 and image.shape == self._shape):
            image = checked_batch(self._input, np.asarray(image)[None])[0]
        if self._closed:
            raise _closed()
        try:
            source = _from_buffer(_BYTES, image)
        except ValueError:  # it is not in one piece
            source = _from_buffer(_BYTES, np.ascontiguousarray(image))
        try:
            place = self._idle.pop()  # as in _take, without the call
        except IndexError:
            place = self._workspace()
        if _bnn_evaluate(self._network, place.maps, source, 1, place.target):
            raise interruption()
        outputs = place.row.tobytes()
        self._idle.append(place)
        return outputs

    def close(self) -> None:
        """Release the memory once running calls have ended; calling it again does nothing."""
        self._closed = True
        self._idle.clear()
        self._crew.dismiss()

    def _run(self, source: Any, images: int, target: Any, stop: Any = _NEVER) -> None:
        """Evaluate some images; leave them half done once ``stop`` points to anything but 0."""
        place = self._take()
        try:
            ended = _bnn_evaluate_until(self._network, place.maps, source, images, target, stop)
        finally:
            self._idle.append(place)
        if ended and not (stop and stop[0]):
            raise interruption()

    def _run_parallel(self, source: Any, images: int, target: Any, workers: int) -> None:
        portion = -(-images // (_PORTIONS * workers))
        portion = -(-portion // self._images) * self._images
        size = len(source) // images
        starts = iter(range(0, images, portion))
        lock = threading.Lock()
        stop = ffi.new("int *")

        def work() -> None:
            while not stop[0]:
                with lock:
                    start = next(starts, None)
                if start is None:
                    return
                some = min(portion, images - start)
                self._run(source + start * size, some, target + start * self._outputs, stop)

        helpers: list[Future[None]] = []
        try:
            self._crew.start(work, workers - 1, helpers)
            work()
            _wait(helpers)
            for helper in helpers:
                helper.result()
        finally:
            # Where one ended early, by Ctrl-C or for want of memory, what the others do is of no use.
            stop[0] = 1
            _wait(helpers)

    def _take(self) -> _Workspace:
        try:
            return self._idle.pop()
        except IndexError:
            return self._workspace()

    def _workspace(self) -> _Workspace:
        maps = lib.bnn_workspace_new(self._network, self._images)
        if maps == ffi.NULL:
            raise _no_memory(self._topology)
        return _Workspace(
            ffi.gc(maps, lib.bnn_workspace_free), np.empty((self._images, self._outputs), np.int32)
        )


class _Workspace:
    """What one running call needs.

    Few scores are copied from here: to make an array and to find its address takes longer, and counts where
    an image takes microseconds (benchmarks/kernel_claims.py "own scores").
    """

    __slots__ = ("first", "maps", "row", "scores", "target")

    def __init__(self, maps: Any, scores: npt.NDArray[np.int32]) -> None:
        self.maps = maps
        self.scores = scores
        # To cut these out takes longer than to copy them (benchmarks/kernel_claims.py "cut out" row).
        self.first, self.row = scores[:1], memoryview(scores[0])
        self.target = ffi.from_buffer("int32_t[]", scores)


class _Crew:
    """The threads of one executor, started when first needed, and again in a forked process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = new_lock(awaited=False)
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def start(self, work: Any, wanted: int, helpers: list[Future[None]]) -> None:
        """Run ``work`` on some threads beside the caller's, fewer or none where Python starts no more."""
        try:
            with self._lock:
                if self._pool is None or self._process != os.getpid():
                    # Here, as it cannot be imported any more once the interpreter ends.
                    from concurrent.futures import ThreadPoolExecutor

                    self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="bnnhw")
                    self._process = os.getpid()
                for _ in range(wanted):
                    helpers.append(self._pool.submit(work))
        except RuntimeError:
            # The interpreter ends, or the system has no more threads: the caller's does all.
            pass

    def dismiss(self) -> None:
        """End the threads; running work is finished."""
        with self._lock:
            if self._pool is not None and self._process == os.getpid():
                self._pool.shutdown(wait=False)
            self._pool = None


def _wait(helpers: list[Future[None]]) -> None:
    while not all(helper.done() for helper in helpers):
        from concurrent.futures import wait

        wait(helpers, _GLANCE)


def _load(network: Network, variant: int) -> tuple[Any, int]:
    """Return the packed network, and the bytes that the maps of one image take."""
    topology = network.topology
    given, stages = plan(network)
    sizes = [given.fields["image"] * (8 if given.constants["encoding"] == SIGN_BITS else 1)]
    sizes += [8 * stage.fields["out_image"] for stage in stages[:-1]]
    if sum(sizes) > sys.maxsize // 2:
        raise _no_memory(topology)
    assert lib.BNN_GROUP == GROUP
    made = lib.bnn_network_new(variant, _struct("bnn_input", given.fields, given.constants), len(stages))
    if made == ffi.NULL:
        raise _no_memory(topology)
    packed = ffi.gc(made, lib.bnn_network_free)
    for stage in stages:
        if not isinstance(stage, LayerPlan):
            lib.bnn_network_pool(packed, _struct("bnn_pool", stage.fields))
            continue
        bits = ffi.NULL if stage.bits is None else ffi.from_buffer("uint64_t[]", stage.bits)
        signs = ffi.NULL if stage.bytes is None else ffi.from_buffer("int8_t[]", stage.bytes)
        failed = lib.bnn_network_layer(
            packed,
            _struct("bnn_layer", stage.fields, stage.constants),
            bits,
            signs,
            ffi.from_buffer("int32_t[]", stage.limits),
            ffi.from_buffer("int32_t[]", stage.base),
        )
        if failed:
            raise _no_memory(topology)
    return packed, sum(sizes)


def _struct(name: str, fields: dict[str, int], constants: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Return a filled structure of C, having made sure that exactly its fields are given.

    Pointers among them are set by C itself. Constants are given by name.
    """
    wanted = {field for field, found in ffi.typeof(name).fields if found.type.kind != "pointer"}
    given = fields | {field: getattr(lib, constant) for field, constant in constants.items()}
    assert given.keys() == wanted, f"{name}: {sorted(given.keys() ^ wanted)} are in C or in layout.py only"
    return ffi.new(f"{name} *", given)


def _closed() -> BackendError:
    return BackendError("this executor of backend 'cpu' is closed; make a new one")


def _no_memory(topology: Topology) -> BackendError:
    return BackendError(
        f"topology {topology.name!r} needs more memory than there is for the C kernels; use backend='numpy', "
        "which works in small portions, or a smaller network"
    )
