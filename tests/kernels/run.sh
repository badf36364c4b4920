#!/usr/bin/env bash
# Compare the C kernels' variants with each other, and their primitives with plain twins: with sanitizers, other
# compilers, and for other processors.
#
#   tests/kernels/run.sh quick      as they are compiled here; seconds
#   tests/kernels/run.sh sanitize   AddressSanitizer and UndefinedBehaviorSanitizer, and guard pages: variants, then
#                                   the Python tests
#   tests/kernels/run.sh arm        aarch64 and armv7 with NEON, cross-compiled and run under user-mode emulation:
#                                   apt-get install gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf qemu-user-static
#   tests/kernels/run.sh compilers  gcc and clang, at -O2 and -O3, without warnings
#
# CC and PYTHON choose the compiler and the interpreter, LAYERS the number of random layers.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$PWD/build/kernels
layers=${LAYERS:-300}
programs="bits primitives_avx512 primitives_avx2"
flags="-std=c11 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -Ihw/bnnhw/cpu/_kernels -Itests/kernels"
mkdir -p "$work"

compile() { # COMPILER SUFFIX FLAG...
    local compiler=$1 suffix=$2 program
    shift 2
    mkdir -p "$work/objects$suffix"
    # shellcheck disable=SC2086
    (cd "$work/objects$suffix" && "$compiler" ${flags//-I/-I$root/} "$@" -c "$root"/hw/bnnhw/cpu/_kernels/*.c)
    # shellcheck disable=SC2086
    "$compiler" $flags "$@" tests/kernels/compare.c "$work/objects$suffix"/*.o -o "$work/compare$suffix"
    for program in $programs; do # of headers alone
        # shellcheck disable=SC2086
        "$compiler" $flags "$@" "tests/kernels/$program.c" -o "$work/$program$suffix"
    done
}

evaluate() { # SUFFIX [EMULATOR...]: the programs of that suffix
    local suffix=$1 program
    shift
    for program in $programs; do "$@" "$work/$program$suffix"; done
    "$@" "$work/compare$suffix" "$layers"
}

quick() {
    compile "${CC:-gcc}" .quick -O2
    evaluate .quick
}

sanitize() {
    local compiler=${CC:-gcc} python=${PYTHON:-python3} sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
    # shellcheck disable=SC2086
    compile "$compiler" .sanitized -O1 -g $sanitizers
    evaluate .sanitized
    # The sanitizers do not see into assembly; guard pages do.
    compile "$compiler" .guarded -O2 -D_DEFAULT_SOURCE -DBNN_GUARDED
    evaluate .guarded
    # The extension module itself, in a copy, so that the installed one stays as it is.
    rm -rf "$work/hw"
    mkdir -p "$work/hw"
    cp -r hw/bnnhw hw/setup.py hw/pyproject.toml hw/README.md "$work/hw"
    rm -f "$work"/hw/bnnhw/cpu/_compiled.*so
    (cd "$work/hw" && CC=$compiler CFLAGS="-O1 -g $sanitizers" LDFLAGS="$sanitizers" \
        "$python" setup.py -q build_ext --inplace)
    # The interpreter itself is not checked, and leaks on purpose.
    LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)" \
        ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$work/hw:$PWD" BNNCORE_KERNEL_EXAMPLES=10 \
        "$python" -m pytest -q tests/hw/test_cpu.py tests/hw/test_guard_pages.py
}

arm() {
    local target
    for target in aarch64-linux-gnu arm-linux-gnueabihf; do
        compile "$target-gcc" ".$target" -O2 -static
    done
    evaluate .aarch64-linux-gnu qemu-aarch64-static
    evaluate .arm-linux-gnueabihf qemu-arm-static -cpu cortex-a9
}

compilers() {
    local compiler level
    for compiler in gcc clang; do
        for level in -O2 -O3; do
            compile "$compiler" ".$compiler$level" "$level"
            evaluate ".$compiler$level"
        done
    done
}

case ${1:-} in
    quick | sanitize | arm | compilers) "$1" ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
