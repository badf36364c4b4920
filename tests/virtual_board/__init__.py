"""A PYNQ board without a board: a register-level model of the BNN-PYNQ accelerators and of a board's memory.

``designs`` (what a bitstream holds), ``fabric`` (what is loaded, for all processes), ``accelerator`` (the
registers), ``memory`` (contiguous memory, cached), ``board`` (a device for the driver, without pynq) and
``pynq_board`` (a device for the real pynq package).

The model is written from the register protocol, not from the driver, and raises ``ProtocolError`` where
real hardware would go wrong without a word.
"""
