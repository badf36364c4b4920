"""Build the C kernels; everything else is declared in pyproject.toml."""

import sysconfig

from setuptools import setup

# The extension keeps to the limited API, which builds of Python without the GIL do not have.
limited = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["bnnhw/cpu/_kernels/build.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if limited else {},
)
