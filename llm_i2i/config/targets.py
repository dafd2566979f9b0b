"""Where a project runs: the settings of one target, by engine."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from llm_i2i.config.base import Settings

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", re.IGNORECASE)


def _check_size(text: str) -> str:
    if not _SIZE.fullmatch(text.strip()):
        raise ValueError("is not a size; write for example '8GB' or '75%'")
    return text.strip()


class DuckDBTarget(Settings):
    """DuckDB in this process. What is not given is left to DuckDB's own defaults."""

    title: ClassVar[str] = "a duckdb target"
    hints: ClassVar[dict[str, str]] = {
        "path": "remove it: results live in the store and target/<env>.duckdb is made from it",
        "schema": "remove it: environments (--env) keep results apart",
    }

    type: Literal["duckdb"]
    threads: Annotated[int, Field(ge=1)] | None = None
    memory_limit: Annotated[str, AfterValidator(_check_size)] | None = None
    temp_directory: str | None = None


# The Spark target joins here as Annotated[DuckDBTarget | SparkTarget, Field(discriminator="type")].
Target = DuckDBTarget
