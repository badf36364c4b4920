"""Tests of boards run on what looks like one."""

from fixtures.boards import board, plain_environment, server

__all__ = ["board", "plain_environment", "server"]
