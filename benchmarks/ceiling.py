"""How fast this core can go: the loop of xor, popcount and add on 512 bits, timed in the same process."""

from __future__ import annotations

from pathlib import Path

import cffi

SOURCE = r"""
#include <stdint.h>
#if defined(__x86_64__)
/* Eight sums, each of a xor, a popcount and an add of 512 bits, in registers: 4096 multiply-accumulates. */
static void xor_popcount_add(int64_t rounds) {
    do {
        __asm__ volatile(
#define SUM(x, sum) "vpxord %%zmm30, %%zmm29, %%zmm" #x "\n\tvpopcntd %%zmm" #x ", %%zmm" #x \
                    "\n\tvpaddd %%zmm" #x ", %%zmm" #sum ", %%zmm" #sum "\n\t"
            SUM(8, 0) SUM(9, 1) SUM(10, 2) SUM(11, 3) SUM(12, 4) SUM(13, 5) SUM(14, 6) SUM(15, 7)
            ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                "xmm12", "xmm13", "xmm14", "xmm15", "xmm29", "xmm30");
    } while (--rounds);
}
/* Sixteen sums of 64 products of bytes each: what bounds a first layer of 8 bits. */
static void byte_products(int64_t rounds) {
    do {
        __asm__ volatile(
#define DOT(sum) "vpdpbusd %%zmm30, %%zmm29, %%zmm" #sum "\n\t"
            DOT(0) DOT(1) DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7)
            DOT(8) DOT(9) DOT(10) DOT(11) DOT(12) DOT(13) DOT(14) DOT(15)
            ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                "xmm12", "xmm13", "xmm14", "xmm15", "xmm29", "xmm30");
    } while (--rounds);
}
#else
static void xor_popcount_add(int64_t rounds) { (void)rounds; }
static void byte_products(int64_t rounds) { (void)rounds; }
#endif
"""

XOR_MACS = 8 * 512
BYTE_MACS = 16 * 64


def build(folder: Path):  # a compiled module
    """Compile the loops and return their module."""
    import importlib.util

    builder = cffi.FFI()
    builder.cdef("void xor_popcount_add(int64_t rounds); void byte_products(int64_t rounds);")
    builder.set_source("_ceiling", SOURCE, extra_compile_args=["-O2", "-mavx512f"])
    path = builder.compile(tmpdir=str(folder))
    spec = importlib.util.spec_from_file_location("_ceiling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lib
