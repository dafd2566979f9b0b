"""How old a source may be."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from llm_i2i.config.base import Settings


class Age(Settings):
    """A length of time: a count of minutes, hours or days."""

    title: ClassVar[str] = "a freshness threshold"

    count: Annotated[int, Field(ge=0)]
    period: Literal["minute", "hour", "day"]

    @property
    def length(self) -> timedelta:
        return timedelta(**{f"{self.period}s": self.count})


class Freshness(Settings):
    """When a source is too old; `filter` is an SQL condition on the rows that are looked at."""

    title: ClassVar[str] = "freshness"

    warn_after: Age | None = None
    error_after: Age | None = None
    filter: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (
            self.warn_after
            and self.error_after
            and self.error_after.length < self.warn_after.length
        ):
            raise ValueError("errs before it warns; make error_after the longer of the two")
        return self
