"""The fake server of the models' tests serves the tools' as well."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "llm"))
