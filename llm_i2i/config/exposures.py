"""Exposures: what reads the project's results outside of it, as declared in YAML."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llm_i2i.config.base import PlainDict, Settings, StrList


def _is_call(text: str) -> str:
    if not text.strip().startswith(("ref(", "source(")):
        raise ValueError("must call ref or source; write ref('model_name')")
    return text.strip()


class Owner(Settings):
    """Who to ask: a name, an email, or both."""

    title: ClassVar[str] = "an exposure's owner"

    name: str | None = None
    email: StrList | None = None

    @model_validator(mode="after")
    def _someone(self) -> Self:
        if not self.name and not self.email:
            raise ValueError("names nobody; write owner: {name: ..., email: ...}")
        return self


class ExposureConfig(Settings):
    """The `config:` of an exposure."""

    title: ClassVar[str] = "an exposure's config"

    enabled: bool = True
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


class ExposureProperties(Settings):
    """A dashboard, notebook, analysis, ml system or application that depends on nodes of the project."""

    title: ClassVar[str] = "an exposure"

    name: str
    type: Literal["dashboard", "notebook", "analysis", "ml", "application"]
    owner: Owner
    depends_on: list[Annotated[str, AfterValidator(_is_call)]] = Field(default_factory=list)
    label: str = ""
    url: str = ""
    maturity: Literal["high", "medium", "low"] | None = None
    description: str = ""
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)
    config: ExposureConfig = ExposureConfig()
