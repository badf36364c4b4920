"""The FPGA driver: runs the BNN-PYNQ accelerators on nothing but pynq's overlay, buffers and registers.

Modules, in the order data flows: ``registers`` (what the accelerator offers), ``bitfile`` (what a ``.bit`` says
of itself), ``words`` (parameters as the accelerator stores them), ``batches`` (images as it reads
them, and its answers), ``accelerator`` (starts and waits), ``device`` (what is needed of a board), ``pynq_device`` (a
board through pynq, the only module that imports it), ``residency`` (what is loaded, for all processes),
``owner`` (the one user of a device in this process) and ``executor`` (a network on a board).

The driver knows no plugins: it is given plain paths, a folding and a network. Start at
``bnnhw.fpga.executor.FpgaExecutor``; this package itself imports nothing.
"""
