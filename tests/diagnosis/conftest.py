"""What a machine says of itself, on what looks like a board, and with datasets made on the spot."""

from fixtures.boards import board, plain_environment
from fixtures.shapes import first, offer, second

__all__ = ["board", "first", "offer", "plain_environment", "second"]
