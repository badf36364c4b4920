"""Run networks with the C kernels; beside ``fpga``, and imported only where a network runs.

Data flows ``layout`` (a network as the kernels want it) -> ``executor`` (which variant, which threads, which memory)
-> ``_compiled`` (the kernels, from ``_kernels/``).
"""
