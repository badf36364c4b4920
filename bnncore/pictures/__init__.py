"""From a picture to the bytes that a network sees.

Data flows ``decoding`` (a path, bytes, an image, an array -> an upright picture) -> ``preprocessing`` (declared steps)
-> the network's input; ``digits`` is the longest of the steps. What decoding may take is in ``limits``; ``mending`` has
whole pictures that a decoder would refuse, ``deep`` those of more than 8 bits.
"""
