"""``python -m dummy_cuebot``, for a tree that isn't installed."""

from __future__ import annotations

import sys

from dummy_cuebot.command import main

if __name__ == "__main__":
    sys.exit(main())
