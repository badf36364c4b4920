"""The one user of a physical device in this process: who has it, what is loaded, and its buffers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from attrs import evolve, frozen

from bnnhw.errors import BackendError, BnnError
from bnnhw.fpga.accelerator import Accelerator
from bnnhw.fpga.device import Buffer, Device
from bnnhw.fpga.residency import Resident, StateFile, default_directory, locked
from bnnhw.fpga.words import WordRun
from bnnhw.locks import new_lock

__all__ = ["Counters", "Lease", "Load", "Owner", "counters", "owner_of"]

_Result = TypeVar("_Result")


@frozen(kw_only=True, eq=False)
class Load:
    """What must be on the device before a network can run.

    Attributes:
        bit: the bitstream file, its hand-off file beside it.
        bitstream: SHA-256 of that file.
        parameters: tells this parameter set from others.
        words: the parameters as the accelerator stores them.
        input_bytes, output_bytes: of one image and of one answer.
        timeout: longest time in seconds that one start may take.
        foreign: what to do about a bitstream that somebody else loaded over ours.
    """

    bit: Path
    bitstream: str
    parameters: str
    words: tuple[WordRun, ...]
    input_bytes: int
    output_bytes: int
    timeout: float
    foreign: Literal["replace", "refuse"]


@frozen(kw_only=True)
class Counters:
    """What this process has done to a device.

    Attributes:
        downloads: bitstreams loaded.
        parameter_loads: parameter sets stored.
    """

    downloads: int = 0
    parameter_loads: int = 0


@frozen(kw_only=True, eq=False)
class Lease:
    """The device with everything loaded, for the time of one lease.

    Attributes:
        accelerator: idle and ready.
        images, answers: the two buffers.
        capacity: how many images they hold.
    """

    accelerator: Accelerator
    images: Buffer
    answers: Buffer
    capacity: int


# A mebibyte of images is 0.1 s of work for the convolutional networks, so starting costs nothing beside it,
# and small beside the 128 MB of contiguous memory that boards have by default.
_BUFFER_BYTES = 2**20
# How long another thread or process may keep the device; a lease itself takes a few seconds at most.
_LEASE_TIMEOUT = 60.0


class Owner:
    """The one user of a device in this process. Safe to use from several threads.

    Args:
        device: the board's programmable logic.
        directory: where the state file, which says what is loaded, is kept.
    """

    def __init__(self, device: Device, directory: Path | None = None) -> None:
        self._device = device
        self._directory = directory or default_directory()
        # A lease may take seconds, and a child has none: see `disown`.
        self._lock = new_lock(awaited=False)
        self._users = 0
        # What this process is attached to: the bitstream, and the device's stamp at that time.
        self._attached: tuple[str, str] | None = None
        self._buffers: tuple[Buffer, Buffer, int] | None = None
        # After an accident the accelerator may still write to the buffers. Until a bitstream has been loaded,
        # that memory must not be given to anything else.
        self._running_wild = False
        self._counters = Counters()

    @property
    def counters(self) -> Counters:
        """What this process has done to the device."""
        return self._counters

    def register(self) -> None:
        """Count one more user."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Count one user less; after the last, free the buffers. What is loaded stays loaded."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and not self._running_wild:
                self._free()
                self._attached = None

    def disown(self) -> None:
        """Know nothing of the device, in a process that was just forked: buffers and leases are its parent's."""
        # Kept, as whoever frees them takes them from the parent.
        _inherited.append(self._buffers)
        self._buffers = self._attached = None

    @contextmanager
    def lease(self, load: Load) -> Iterator[Lease]:
        """Have the device alone, with this load on it, while the context lasts.

        Whatever goes wrong meanwhile, the next lease starts by loading the bitstream.

        Raises:
            BackendError: if the device stays in use, cannot be loaded, or has no memory to give.
        """
        if not self._lock.acquire(timeout=_LEASE_TIMEOUT):
            raise BackendError(
                f"another thread has used the FPGA for more than {_LEASE_TIMEOUT:g} s without a break; "
                "try again later"
            )
        try:
            with locked(self._directory, self._device.name, _LEASE_TIMEOUT) as state:
                resident = self._known(load, state)
                try:
                    yield self._make_ready(load, resident, state)
                except BaseException as error:
                    state.write(None)
                    self._attached = None
                    self._running_wild = True
                    if isinstance(error, BnnError) or not isinstance(error, Exception):
                        raise
                    raise _failed("use the FPGA", error) from error
        finally:
            self._lock.release()

    def _make_ready(self, load: Load, resident: Resident | None, state: StateFile) -> Lease:
        if resident is None or resident.bitstream != load.bitstream or not self._attach(load, resident):
            state.write(None)
            resident = self._download(load)
        accelerator = Accelerator(self._device.registers(), load.timeout)
        accelerator.wait_until_idle()
        images, answers, capacity = self._buffers or self._allocate(load)
        if resident.parameters != load.parameters:
            state.write(None)
            accelerator.store(load.words)
            self._counters = evolve(self._counters, parameter_loads=self._counters.parameter_loads + 1)
            resident = evolve(resident, parameters=load.parameters)
            state.write(resident)
        return Lease(accelerator=accelerator, images=images, answers=answers, capacity=capacity)

    def _known(self, load: Load, state: StateFile) -> Resident | None:
        """Return what is loaded, or None if it is not known or somebody else has loaded something."""
        resident = state.read()
        if resident is None:
            return None
        try:
            stamp = self._device.stamp()
        except Exception as error:
            raise _failed("see what is loaded on the FPGA", error) from error
        attached = self._attached == (resident.bitstream, resident.stamp)
        if resident.stamp == stamp and (not attached or self._device.attached()):
            return resident
        if load.foreign == "refuse":
            raise BackendError(
                "another program has loaded its own overlay since bnncore used the FPGA, and replacing it was "
                "refused; end that program, or allow its overlay to be replaced"
            )
        return None

    def _download(self, load: Load) -> Resident:
        self._attached = None
        if not self._running_wild:
            # Boards want their buffers back before another overlay is loaded.
            self._free()
        try:
            self._device.download(load.bit)
        except Exception as error:
            if self._buffers is None:
                raise _failed(f"load the bitstream {load.bit}", error) from error
            # Loading with buffers kept is refused by some versions of the board's runtime.
            self._free()
            try:
                self._device.download(load.bit)
            except Exception as again:
                raise _failed(f"load the bitstream {load.bit}", again) from again
        self._free()
        self._running_wild = False
        self._counters = evolve(self._counters, downloads=self._counters.downloads + 1)
        stamp = self._device.stamp()
        self._attached = (load.bitstream, stamp)
        return Resident(bitstream=load.bitstream, parameters="", stamp=stamp)

    def _attach(self, load: Load, resident: Resident) -> bool:
        """Make sure that this process can use what is loaded, by whomever; say whether it can.

        Where a board gives no memory to a process that has not loaded the bitstream itself, it cannot.
        """
        if self._attached == (load.bitstream, resident.stamp):
            return True
        self._free()
        self._running_wild = False
        self._attached = None
        try:
            self._device.attach(load.bit)
            self._allocate(load)
        except Exception:
            return False
        self._attached = (load.bitstream, resident.stamp)
        return True

    def _allocate(self, load: Load) -> tuple[Buffer, Buffer, int]:
        """Return buffers for as many images as there is memory for, and that number."""
        capacity = max(1, _BUFFER_BYTES // load.input_bytes)
        while True:
            try:
                self._buffers = (*self._pair(load, capacity), capacity)
            except BnnError:
                raise
            except Exception as error:
                if capacity == 1:
                    raise BackendError(
                        f"found no contiguous memory for one image of {load.input_bytes} bytes and its answer: "
                        f"{error}. Free buffers of other programs (pynq.allocate), or restart the board"
                    ) from error
                capacity = -(-capacity // 4)
            else:
                return self._buffers

    def _pair(self, load: Load, capacity: int) -> tuple[Buffer, Buffer]:
        images = self._checked(load.input_bytes * capacity)
        try:
            return images, self._checked(load.output_bytes * capacity)
        except BaseException:
            images.free()
            raise

    def _checked(self, size: int) -> Buffer:
        buffer = self._device.allocate(size)
        limit = self._device.memory_limit()
        if buffer.address + size > limit:
            address = buffer.address
            buffer.free()
            raise BackendError(
                f"the board gave memory at {address:#x}, the accelerator reaches addresses below {limit:#x} "
                "only; restart the board, or give its contiguous memory (CMA) a lower place"
            )
        return buffer

    def _free(self) -> None:
        if self._buffers is not None:
            for buffer in self._buffers[:2]:
                buffer.free()
            self._buffers = None


_owners: dict[tuple[str, str], Owner] = {}
_owners_lock = new_lock()


# Buffers of the process that this one was forked from.
_inherited: list[object] = []


def _disown_all() -> None:
    for owner in list(_owners.values()):
        owner.disown()


os.register_at_fork(after_in_child=_disown_all)


def owner_of(device: Device, directory: Path | None = None) -> Owner:
    """Return the one owner of a device in this process."""
    directory = directory or default_directory()
    with _owners_lock:
        return _owners.setdefault((device.name, str(directory)), Owner(device, directory))


def counters() -> dict[str, Counters]:
    """Return what this process has done so far to each device that it has used, by the device's name."""
    with _owners_lock:
        return {device: owner.counters for (device, _), owner in _owners.items()}


def _failed(what: str, error: Exception) -> BackendError:
    """Return an error for whatever a board's library raised."""
    return BackendError(
        f"could not {what}: {type(error).__name__}: {error}. The next use starts by loading the bitstream; "
        "'bnncore doctor' checks the board"
    )
