"""Everything here needs PyTorch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs PyTorch: pip install bnncore[train]")
