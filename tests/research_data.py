"""The public logs that some tests measure on, where they lie: project/docs/data.md says how to make them."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def research_data() -> Path:
    """The folder that LLMI2I_DATA names, or data/, or the folder of a workplace that has the logs; the first that holds Toys."""
    named = os.environ.get("LLMI2I_DATA")
    folders = [Path(named)] if named else [ROOT / "data", ROOT.parent / "shared" / "data" / "ard"]
    return next((f for f in folders if (f / "toys_and_games.interactions.parquet").exists()), folders[0])  # fmt: skip


DATA = research_data()
HAS_DATA = (DATA / "toys_and_games.interactions.parquet").exists()
