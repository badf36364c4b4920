"""The files that bnncore reads and writes: each one's name, layout and limits, reader and writer, in one module.

Parameters (``npz``, ``binparam``, ``classes``, ``golden``), and what is said of them (``card``, ``recipe``,
``manifest``, ``evaluation``).
"""
