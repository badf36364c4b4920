"""A network on a board's accelerator."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from attrs import define, evolve

from bnnhw.errors import BackendError
from bnnhw.executor import checked_batch
from bnnhw.fpga.batches import ImageFormat
from bnnhw.fpga.bitfile import check_part
from bnnhw.fpga.device import Device
from bnnhw.fpga.owner import Counters, Lease, Load, owner_of
from bnnhw.fpga.words import parameter_words, words_id
from bnnhw.locks import new_lock
from bnnhw.network import Network
from bnnhw.topology import Folding

__all__ = ["FpgaExecutor", "Seconds"]

# After so many starts the device is offered to others: up to 4 s of work, so that changing the parameters back
# and forth between two large batches costs little.
_STARTS_A_TURN = 32


@define(kw_only=True)
class Seconds:
    """Where the time went, in seconds, summed over all calls.

    Attributes:
        prepare: waiting for the device, and loading what was not on it.
        pack: images to the accelerator's layout, answers to scores.
        transfer: flushing and invalidating caches.
        compute: from start to finish of the accelerator.
    """

    prepare: float = 0.0
    pack: float = 0.0
    transfer: float = 0.0
    compute: float = 0.0


class FpgaExecutor:
    """Run a network on a board's accelerator.

    The device is taken for one batch at a time; networks used in turn each give their own answers, and only
    what differs is loaded: the parameters, or the bitstream and the parameters.

    Args:
        network: topology and parameters.
        folding: PE and SIMD of the accelerator's layers.
        bit: the bitstream; its hand-off file must lie beside it, with the suffix ``.hwh``.
        part: of the board's programmable logic; the bitstream must be made for it. None: not checked.
        bitstream_id: SHA-256 of the bitstream if the caller knows it, else it is computed.
        parameters_id: tells this parameter set from others if the caller knows it, else it is computed.
        timeout: longest time in seconds that one start of the accelerator may take. A start classifies at
            most a mebibyte of images.
        foreign: ``"replace"`` or ``"refuse"`` an overlay that another program has loaded over ours.
        device: the board's programmable logic; None for pynq's active device.
        directory: where it is noted what is loaded, the same for all processes; None for the usual place.

    Attributes:
        name: ``"fpga"``.
        seconds: where the time went.

    Raises:
        BackendError: if a file is missing or of another part, pynq cannot be used, or the topology does not
            fit the accelerator's answers.
        NetworkError: if a threshold does not fit the accelerator.
        TopologyError: if the folding does not fit the topology.
    """

    name = "fpga"

    def __init__(
        self,
        network: Network,
        *,
        folding: Folding,
        bit: Path,
        part: str | None = None,
        bitstream_id: str | None = None,
        parameters_id: str | None = None,
        timeout: float = 10.0,
        foreign: Literal["replace", "refuse"] = "replace",
        device: Device | None = None,
        directory: Path | None = None,
    ) -> None:
        self._topology = network.topology
        words = parameter_words(network, folding)
        self._format = ImageFormat(network.topology, folding)
        for file in (bit, bit.with_suffix(".hwh")):
            if not file.is_file():
                raise BackendError(
                    f"{file}: expected a file, found none. pynq needs the .bit and the .hwh of an overlay side "
                    "by side, with the same name"
                )
        if part is not None:
            check_part(bit, part)
        self._load = Load(
            bit=bit,
            bitstream=bitstream_id or hashlib.sha256(bit.read_bytes()).hexdigest(),
            # The same parameters folded otherwise are other words.
            parameters=f"{parameters_id or words_id(words)} {folding.digest(network.topology)}",
            words=words,
            input_bytes=self._format.input_bytes,
            output_bytes=self._format.output_bytes,
            timeout=timeout,
            foreign=foreign,
        )
        if device is None:
            from bnnhw.fpga.pynq_device import PynqDevice

            device = PynqDevice()
        self._owner = owner_of(device, directory)
        self._owner.register()
        self._closing = new_lock()
        self._closed = False
        self.seconds = Seconds()

    @property
    def bit(self) -> Path:
        """The bitstream's file."""
        return self._load.bit

    @property
    def counters(self) -> Counters:
        """How many bitstreams and parameter sets this process has loaded on the device, for all networks."""
        return self._owner.counters

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs] for uint8 [N, *input shape]; N may be 0 and exceed the buffers.

        Raises:
            InputError: if the batch has another dtype or shape.
            BackendError: if the device cannot be loaded, stays in use, or does not finish.
        """
        if self._closed:
            raise BackendError("this executor has been closed; make a new one")
        batch = checked_batch(self._topology.input, batch)
        result = np.empty((len(batch), self._topology.outputs), np.int32)
        done = 0
        while done < len(batch):
            asked = time.perf_counter()
            with self._owner.lease(self._load) as lease:
                spent = evolve(self.seconds, prepare=self.seconds.prepare + time.perf_counter() - asked)
                for _ in range(_STARTS_A_TURN):
                    part = batch[done : done + lease.capacity]
                    result[done : done + len(part)] = self._classify(lease, part, spent)
                    done += len(part)
                    if done == len(batch):
                        break
                self.seconds = spent
        return result

    def close(self) -> None:
        """Release the device; calling it again does nothing. What is loaded stays loaded."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._owner.release()

    def _classify(self, lease: Lease, part: npt.NDArray[np.uint8], spent: Seconds) -> npt.NDArray[np.int32]:
        count = len(part)
        images = lease.images.array[: count * self._format.input_bytes]
        answers = lease.answers.array[: count * self._format.output_bytes]
        clock = [time.perf_counter()]
        self._format.pack(part, images.reshape(count, -1))
        clock.append(time.perf_counter())
        # The accelerator's port is not coherent with the processor's caches.
        lease.images.flush()
        clock.append(time.perf_counter())
        lease.accelerator.classify(count, lease.images.address, lease.answers.address)
        clock.append(time.perf_counter())
        lease.answers.invalidate()
        clock.append(time.perf_counter())
        scores = self._format.unpack(answers.reshape(count, -1))
        clock.append(time.perf_counter())
        pack, flush, compute, invalidate, unpack = np.diff(clock).tolist()
        spent.pack += pack + unpack
        spent.transfer += flush + invalidate
        spent.compute += compute
        return scores
