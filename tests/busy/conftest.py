"""Databases that fail while they are used: servers that die, connections that drop, disks that are full."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "busy"), str(TESTS / "cli"), str(TESTS / "services"), str(TESTS)]
