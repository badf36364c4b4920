"""``python -m bnncore`` is the command ``bnncore``."""

from __future__ import annotations

from bnncore.cli import main

if __name__ == "__main__":
    main()
