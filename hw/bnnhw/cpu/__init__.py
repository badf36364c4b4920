"""Run networks with the C kernels; beside ``fpga``, and imported only where a network runs.

Data flows ``layout`` (a network as the kernels want it) -> ``executor`` (which variant, which threads, which memory)
-> ``extension`` (the kernels, compiled from ``_kernels/``, or why they are not there).
"""
