"""A board's programmable logic through pynq: the only module that imports it, and only when used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnnhw import environment
from bnnhw.errors import BackendError
from bnnhw.fpga.registers import IP_NAME, IP_TYPE

__all__ = ["PynqDevice"]

# What the accelerator's memory port reaches, by the name of the processing system in the hand-off file.
_MEMORY_LIMITS = {"processing_system7": 0x2000_0000, "zynq_ultra_ps_e": 0x8000_0000}
_FIRMWARE = Path("/lib/firmware")
# PLL that Zynq-7000 designs divide their clocks from, in MHz.
_ZYNQ_PLL_MHZ = 1000.0


class PynqDevice:
    """The programmable logic of the board at hand.

    Args:
        device: a ``pynq.Device``; None for pynq's active one.

    Raises:
        BackendError: if pynq cannot be imported, or sees no device.
    """

    def __init__(self, device: Any = None) -> None:
        self._pynq = _import_pynq()
        if device is None:
            try:
                device = self._pynq.Device.active_device
            except Exception as error:
                unset = not environment.XILINX_XRT.is_set
                raise BackendError(
                    f"pynq {self._pynq.__version__} sees no FPGA on this machine ({error}). "
                    + ("XILINX_XRT is not set, so pynq did not even look for one: on a board " if unset else "")
                    + "run 'source /etc/profile.d/pynq_venv.sh' as root first; elsewhere use the backend 'cpu'"
                ) from error
        self._device = device
        self._overlay: Any = None
        self._seen: tuple[object, object] | None = None
        self.name = str(device.tag)

    def download(self, bit: Path) -> None:
        """Load a bitstream and set its clocks."""
        overlay = self._pynq.Overlay(str(bit), download=False, device=self._device)
        _complete_clocks(overlay.clock_dict)
        overlay.download()
        self._keep(overlay)

    def attach(self, bit: Path) -> None:
        """Make ready to use a bitstream that another process has loaded."""
        self._keep(self._pynq.Overlay(str(bit), download=False, device=self._device))

    def stamp(self) -> str:
        """Return a text that changes whenever a program loads a bitstream through pynq.

        pynq notes the last bitstream in a file. It leaves that file alone where the same bitstream is loaded
        again, but writes the data that it hands to the kernel anew each time: the time of that file tells.
        """
        from pynq.pl_server import global_state

        noted, written = [], []
        for file in sorted(Path(global_state.STATE_DIR).glob("global_pl_state*.json")):
            text = file.read_text("utf-8")
            noted.append(text)
            try:
                firmware = _FIRMWARE / f"{Path(json.loads(text)['bitfile_name']).stem}.bin"
                written.append(firmware.stat().st_mtime_ns)
            except (ValueError, KeyError, TypeError, FileNotFoundError):
                # Half written, or loaded by other means: the note alone must do.
                written.append(0)
        return json.dumps([noted, written])

    def attached(self) -> bool:
        """Say whether pynq, in this process, still sees what was downloaded or attached."""
        return self._seen is not None and self._seen == self._sees()

    def registers(self) -> _MmioRegisters:
        """Return the accelerator's registers.

        Raises:
            BackendError: if the loaded design has no such accelerator.
        """
        found = self._overlay.ip_dict.get(IP_NAME)
        if found is None or found["type"] != IP_TYPE:
            raise BackendError(
                f"the hand-off file of {self._overlay.bitfile_name} describes no {IP_NAME} of type {IP_TYPE}, "
                f"but {', '.join(sorted(self._overlay.ip_dict)) or 'nothing'}; it is of another design"
            )
        return _MmioRegisters(getattr(self._overlay, IP_NAME).mmio)

    def memory_limit(self) -> int:
        """Return the lowest address that the accelerator cannot reach."""
        family = getattr(self._overlay.parser, "family_ps", None)
        return _MEMORY_LIMITS.get(str(family), min(_MEMORY_LIMITS.values()))

    def allocate(self, size: int) -> _PynqBuffer:
        """Return contiguous cached memory."""
        return _PynqBuffer(self._pynq.allocate((size,), np.uint8, target=self._device, cacheable=1))

    def _keep(self, overlay: Any) -> None:
        self._overlay = overlay
        self._seen = self._sees()

    def _sees(self) -> tuple[object, object]:
        return getattr(self._device, "timestamp", None), getattr(self._device, "bitfile_name", None)


class _MmioRegisters:
    """Registers through a ``pynq.MMIO``; mapped where the device maps them."""

    def __init__(self, mmio: Any) -> None:
        self.read = mmio.read
        self.write = mmio.write
        mapped = isinstance(mmio.array, np.ndarray) and mmio.array.dtype == np.uint32
        self.words: npt.NDArray[np.uint32] | None = mmio.array if mapped else None


class _PynqBuffer:
    """A ``pynq`` buffer."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        self.address = int(buffer.device_address)
        # A plain view: slices of a PynqBuffer carry its bookkeeping along, at a cost for each.
        self.array: npt.NDArray[np.uint8] = np.asarray(buffer)

    def flush(self) -> None:
        self._buffer.flush()

    def invalidate(self) -> None:
        self._buffer.invalidate()

    def free(self) -> None:
        self._buffer.freebuffer()


def _import_pynq() -> Any:
    try:
        import pynq
    except Exception as error:
        raise BackendError(
            f"pynq cannot be imported: {type(error).__name__}: {error}. On a board use the Python of its PYNQ "
            "image, with numpy below 2 and pycparser below 3; 'bnncore doctor' checks them"
        ) from error
    return pynq


def _complete_clocks(clocks: dict[Any, dict[str, Any]]) -> None:
    """Fill in frequencies that pynq 4.0 asks for and its hand-off parser leaves out for Zynq-7000."""
    for clock in clocks.values():
        if clock.get("frequency") is None and clock.get("divisor0") and clock.get("divisor1"):
            clock["frequency"] = _ZYNQ_PLL_MHZ / int(clock["divisor0"]) / int(clock["divisor1"])
