"""The environment variables, one record each.

The code reads them through these records, and so do ``bnncore doctor`` and ``docs/reference/environment.md``, which
say what there is.

An empty variable is as good as none, but for ``XILINX_XRT``, which is pynq's own.
"""

from __future__ import annotations

from bnnhw.environment import CPU_ISA, OMP_NUM_THREADS, THREADS, XILINX_XRT, Variable

__all__ = [
    "ALLOW",
    "BITSTREAMS",
    "BITSTREAMS_ACCEPT",
    "BNN_PARAM_DIR",
    "BOARD",
    "CACHE",
    "CPU_ISA",
    "DISABLE",
    "FOREIGN_OVERLAY",
    "OMP_NUM_THREADS",
    "OTHERS",
    "STRICT",
    "THREADS",
    "VARIABLES",
    "XDG_CACHE_HOME",
    "XILINX_XRT",
    "Variable",
]

DISABLE = Variable(
    name="BNNCORE_DISABLE",
    summary="leaves plugins out before they are imported",
    values="names of distributions, or of what they offer, with commas",
    default="nothing is left out",
    reader="bnncore.discovery.blocklist",
)
ALLOW = Variable(
    name="BNNCORE_ALLOW",
    summary="lists the only distributions to use besides bnncore itself",
    values="names of distributions, with commas; a comma alone allows none",
    default="all that are installed",
    reader="bnncore.discovery.blocklist",
)
STRICT = Variable(
    name="BNNCORE_STRICT",
    summary="makes a broken plugin an error, instead of a warning that it is left out",
    values="anything but `0`",
    default="a warning",
    reader="bnncore.discovery.registry",
)
BITSTREAMS = Variable(
    name="BNNCORE_BITSTREAMS",
    summary="names your own folder of bitstreams; the argument `bitstreams` goes before it",
    values="a folder with `.bit` and `.hwh` files side by side",
    default="installed packages, the cache, the network",
    reader="bnncore.boards.bitstream_files",
)
BITSTREAMS_ACCEPT = Variable(
    name="BNNCORE_BITSTREAMS_ACCEPT",
    summary="accepts files in that folder though they are not the published ones",
    values="SHA-256 digests, with commas",
    default="published files only",
    reader="bnncore.boards.bitstream_files",
)
FOREIGN_OVERLAY = Variable(
    name="BNNCORE_FOREIGN_OVERLAY",
    summary="says what to do with an overlay that another program has loaded on the board",
    values="`replace` or `refuse`",
    default="`replace`",
    reader="bnncore.boards.fpga",
)
CACHE = Variable(
    name="BNNCORE_CACHE",
    summary="names the folder where fetched files are kept",
    values="a folder; `~` is your home",
    default="`bnncore` in `XDG_CACHE_HOME`",
    reader="bnncore.places",
)
BNN_PARAM_DIR = Variable(
    name="BNN_PARAM_DIR",
    summary="names the folder of parameter sets for `bnncore.compat.bnn`; their names go before those of packages",
    values="a folder of `<data set>/<network>` folders",
    default="`~/.local/share/bnncore/params`",
    reader="bnncore.compat.bnn",
)
BOARD = Variable(
    name="BOARD",
    summary="names the board, as the images of PYNQ do, where the kernel does not say it",
    values="a board's name, such as `Pynq-Z1`",
    default="what the kernel says",
    reader="bnncore.boards.detection",
)
XDG_CACHE_HOME = Variable(
    name="XDG_CACHE_HOME",
    summary="names the folder of all programs' caches, as the XDG specification has it",
    values="a folder",
    default="`~/.cache`",
    reader="bnncore.places",
)

VARIABLES = (
    DISABLE,
    ALLOW,
    STRICT,
    CPU_ISA,
    THREADS,
    BITSTREAMS,
    BITSTREAMS_ACCEPT,
    FOREIGN_OVERLAY,
    CACHE,
    BNN_PARAM_DIR,
)
"""Those of bnncore and, for old notebooks, of BNN-PYNQ."""

OTHERS = (XDG_CACHE_HOME, BOARD, OMP_NUM_THREADS, XILINX_XRT)
"""Those of other programs that are heeded."""
