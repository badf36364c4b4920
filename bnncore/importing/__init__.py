"""Parameters that were trained elsewhere, made exact integers here, or refused with the reason.

``brevitas`` reads the state dict of Brevitas' BNN-PYNQ models, ``qonnx`` any chain of layers in that format;
both describe what they found as a ``chain`` of layers, whose normalisation is absorbed as after our own training.
"""
