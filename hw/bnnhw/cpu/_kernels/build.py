"""Describe the extension module ``bnnhw.cpu._compiled`` to cffi (API mode); setup.py runs this."""

from pathlib import Path

import cffi

SOURCES = ("network.c", "variants.c", "portable.c", "popcnt.c", "avx2.c", "avx512.c", "neon.c")
FOLDER = "bnnhw/cpu/_kernels"

CDEF = """
typedef struct {
    int encoding, height, row_bytes, border_rows, border_bytes;
    ptrdiff_t image;
    ...;
} bnn_input;

typedef struct {
    int kind, result, outputs, groups, planes, alpha, beta;
    int runs, run;
    ptrdiff_t in_row, in_column, in_line, in_image;
    int rows, columns, pooled;
    ptrdiff_t out_start, out_row, out_column, out_image;
    int32_t scale;
    ...;
} bnn_layer;

typedef struct {
    int ternary, size, stride, rows, columns, words;
    ptrdiff_t in_row, in_image, out_start, out_row, out_image;
    ...;
} bnn_pool;

typedef ... bnn_network;
typedef ... bnn_workspace;

const char *bnn_variant_name(int index);
int bnn_variant_runs(int index);
bnn_network *bnn_network_new(int variant, const bnn_input *input, int stages);
int bnn_network_layer(bnn_network *network, const bnn_layer *layer, const uint64_t *bits,
                      const int8_t *bytes, const int32_t *limits, const int32_t *base);
void bnn_network_pool(bnn_network *network, const bnn_pool *pool);
void bnn_network_free(bnn_network *network);
bnn_workspace *bnn_workspace_new(const bnn_network *network, int images);
void bnn_workspace_free(bnn_workspace *workspace);
void bnn_run(const bnn_network *network, bnn_workspace *workspace, const uint8_t *images,
             ptrdiff_t count, int32_t *scores);
"""

ffibuilder = cffi.FFI()
ffibuilder.cdef(CDEF)
ffibuilder.set_source(
    "bnnhw.cpu._compiled",
    '#include "network.h"',
    sources=[f"{FOLDER}/{name}" for name in SOURCES],
    depends=sorted(str(header) for header in Path(FOLDER).glob("*.h")),
    include_dirs=[FOLDER],
    # Without a compiler the install succeeds all the same, and numpy does the work.
    optional=True,
)
