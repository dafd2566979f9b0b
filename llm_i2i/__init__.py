"""llm_i2i: declarative data augmentation for item-to-item recommenders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_i2i.version import __version__

if TYPE_CHECKING:
    from llm_i2i.api import Project

__all__ = ["Project", "__version__"]


def __getattr__(name: str) -> Any:
    # `import llm_i2i` stays cheap: the runner (duckdb, jinja2) loads on first use of Project.
    if name == "Project":
        from llm_i2i.api import Project

        return Project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
