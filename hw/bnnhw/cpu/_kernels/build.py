"""Describe the extension module ``bnnhw.cpu._compiled`` to cffi (API mode); setup.py runs this.

What Python sees of the kernels is read from their own headers, so that it is written once.
"""

from pathlib import Path

import cffi

SOURCES = (
    "network.c",
    "watch.c",
    "variants.c",
    "portable.c",
    "popcnt.c",
    "avx2_tiles.c",
    "avx512_tiles.c",
    "neon.c",
)
FOLDER = "bnnhw/cpu/_kernels"

SEEN = ("layer.h", "network.h")
"""Headers of plain declarations: constants, structures, and functions."""

QUESTION = 'extern "Python" int bnn_heed(void);'
"""What ``bnn_ask`` is given: a function of ``extension.py``, called with Python's lock."""


def declarations(header: str) -> str:
    """Return a header without what is for the preprocessor, which cffi does not read."""
    lines = (Path(__file__).parent / header).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffibuilder = cffi.FFI()
for name in SEEN:
    ffibuilder.cdef(declarations(name))
ffibuilder.cdef(QUESTION)
ffibuilder.set_source(
    "bnnhw.cpu._compiled",
    '#include "network.h"',
    sources=[f"{FOLDER}/{name}" for name in SOURCES],
    depends=sorted(str(header) for header in Path(FOLDER).glob("*.h")),
    include_dirs=[FOLDER],
    # Without a compiler the install succeeds all the same, and numpy does the work.
    optional=True,
)
