#!/usr/bin/env bash
# Run kernels, FPGA driver and plugins as a 32-bit ARM board would, on Debian's armhf Python and numpy.
#
#   apt-get install qemu-user-static debootstrap gcc-arm-linux-gnueabihf
#   tests/arm/run.sh
#
# User-mode emulation: no root, no kernel support, no board. The tree (some 500 MB) is made once, in build/arm. What
# starts further Python processes is left out, as an emulated process cannot start another without the kernel's help.
# Debian 12 has Python 3.11, numpy 1.24 and Pillow 9.4; a PYNQ 3 image has 3.10, 1.21 and 9. The processor emulated is the
# Cortex-A9 of Zynq-7000.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${BNNCORE_ARM:-$PWD/build/arm}
tree=$work/tree
site=$work/site
python=${PYTHON:-python3}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

for tool in qemu-arm-static debootstrap arm-linux-gnueabihf-gcc dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "missing: $tool; see the head of $0"; exit 1; }
done

# The first stage downloads and checks the packages; unpacked they are enough, nothing need be configured.
if [ ! -e "$tree/.unpacked" ]; then
    rm -rf "$tree"
    mkdir -p "$work"
    packages=python3,python3-dev,python3-numpy,python3-pil,python3-cffi,python3-attr,python3-click,python3-hypothesis
    debootstrap --arch=armhf --variant=minbase --foreign --include="$packages" bookworm "$tree" "$mirror"
    for package in "$tree"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
    touch "$tree/.unpacked"
fi

# Pure Python, with the entry points; the compiler is kept from building the kernels for this machine.
rm -rf "$site"
CC=false "$python" -m pip install --quiet --no-deps --target "$site" ./hw . ./plugins/cifar10 ./plugins/cucumber9 \
    ./plugins/mnist_lfc
"$python" -m pip install --quiet --no-deps --target "$site" 'pluggy>=1.7' 'pytest>=8.2' iniconfig packaging pygments

# The kernels, from the sources and the interface that the package itself builds them from.
"$python" - "$work" <<'PYTHON'
import runpy, sys
builder = runpy.run_path("hw/bnnhw/cpu/_kernels/build.py")
builder["ffibuilder"].emit_c_code(f"{sys.argv[1]}/_compiled.c")
print(*builder["SOURCES"], file=open(f"{sys.argv[1]}/sources", "w"))
PYTHON
headers=$work/headers
rm -rf "$headers"
mkdir -p "$headers/arm-linux-gnueabihf"
cp -r "$tree/usr/include/python3.11" "$headers"
cp -r "$tree/usr/include/arm-linux-gnueabihf/python3.11" "$headers/arm-linux-gnueabihf"
(cd hw/bnnhw/cpu/_kernels && arm-linux-gnueabihf-gcc -O3 -fPIC -shared -I . -I "$headers" -I "$headers/python3.11" \
    "$work/_compiled.c" $(cat "$work/sources") -o "$site/bnnhw/cpu/_compiled.abi3.so")

# Where the system would have links that configuring the packages makes.
libraries=$tree/usr/lib/arm-linux-gnueabihf
on_arm() {
    qemu-arm-static -cpu cortex-a9 -L "$tree" -E PYTHONPATH="$site:$work/root" -E PYTHONDONTWRITEBYTECODE=1 \
        -E LD_LIBRARY_PATH="$libraries/blas:$libraries/lapack" \
        -E BNNCORE_TEST_DATA="${BNNCORE_TEST_DATA:-}" "$tree/usr/bin/python3.11" "$@"
}

# The tests without the sources beside them: what is tested is what was installed.
rm -rf "$work/root"
mkdir "$work/root"
cp -r tests examples pyproject.toml "$work/root"

cd "$work/root"
on_arm -c 'import platform, numpy, PIL; print(platform.machine(), platform.python_version(), numpy.__version__, PIL.__version__)'
on_arm -m bnncore doctor
on_arm - <<'PYTHON'
import bnncore
for name in bnncore.names():
    with bnncore.get(name, backend="cpu") as classifier:
        found = classifier.selftest()
        print(f"{name}: {found.vectors} golden vectors agree on backend {found.backend}")
PYTHON
on_arm -m pytest -q -p no:cacheprovider tests/fpga tests/hw/test_cpu.py \
    -k "not process and not keeps_its_memory and not changed_the_bitstream and not test_missing_extension_is_a_backend_error" "$@"
