"""Parameters that were trained elsewhere, made exact integers here, or refused with the reason.

``recognition`` says what a file is, and ``trained`` reads any. ``lasagne`` reads what BNN-PYNQ's training saved,
``brevitas`` the state dict of Brevitas' BNN-PYNQ models, ``qonnx`` any chain of layers in that format; each describes
what it found as a ``chain`` of layers, whose normalisation is absorbed as after our own training. ``tensors`` and the
modules under it read checkpoints without PyTorch.
"""
