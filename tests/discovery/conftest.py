"""Distributions made on the spot."""

from fixtures.shapes import first, offer, second

__all__ = ["first", "offer", "second"]
