"""Where a project runs: the settings of one target, by engine."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llm_i2i.config.base import Settings

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", re.IGNORECASE)


def _check_size(text: str) -> str:
    if not _SIZE.fullmatch(text.strip()):
        raise ValueError("is not a size; write for example '8GB' or '75%'")
    return text.strip()


def _check_url(text: str) -> str:
    if not re.match(r"sc://[^/\s]+", text.strip()):
        raise ValueError(
            "is not an address of Spark Connect; write for example sc://spark.example.org:15002"
        )
    return text.strip()


_PASSWORD = re.compile(
    r"://[^/@\s]*:(?!\{\{)[^/@\s{]+@|\b(password|pwd)\s*=\s*(?!\{\{)[^\s{]", re.IGNORECASE
)


def _check_no_password(text: str) -> str:
    if _PASSWORD.search(text):
        raise ValueError(
            "holds a password; write \"{{ env_var('SHOP_URL') }}\" and set that variable"
        )
    return text


class Attached(Settings):
    """A database that source tables may name as their connection.

    Attributes:
        alias: What sources call it.
        path: A file, or an address such as postgresql://user@host/name; may hold Jinja, which alone may read secrets.
        type: Found from the path where it is not given; iceberg is a catalogue, whose settings are `options`.
    """

    title: ClassVar[str] = "an attached database"
    hints: ClassVar[dict[str, str]] = {
        "read_only": "remove it: what is attached is only read",
        "secret": "write path: \"{{ env_var('SHOP_URL') }}\"",
    }

    alias: str
    path: Annotated[str, AfterValidator(_check_no_password)] = ""
    type: Literal["duckdb", "sqlite", "postgres", "mysql", "iceberg"] | None = None
    options: dict[str, Annotated[str, AfterValidator(_check_no_password)]] = Field(
        default_factory=dict
    )


class _LocalTarget(Settings):
    """What is said of this process, whichever engine runs the queries.

    Attributes:
        attach: Databases that sources may read, as in dbt-duckdb.
        threads: Of the engine.
        jobs: Table UDFs (trainings) that run at once, each in a process of its own, while the build goes on with what does not
            need them; 1: in this process, one after another.
    """

    threads: Annotated[int, Field(ge=1)] | None = None
    jobs: Annotated[int, Field(ge=1)] = 1
    memory_limit: Annotated[str, AfterValidator(_check_size)] | None = None
    temp_directory: str | None = None
    attach: list[Attached] = Field(default_factory=list)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [one.alias.lower() for one in self.attach]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"attaches {twice!r} twice; give each database an alias of its own")
        return self


class DuckDBTarget(_LocalTarget):
    """DuckDB in this process. What is not given is left to DuckDB's own defaults."""

    title: ClassVar[str] = "a duckdb target"
    hints: ClassVar[dict[str, str]] = {
        "path": "remove it: results live in the store and target/<env>.duckdb is made from it",
        "schema": "remove it: environments (--env) keep results apart",
    }

    type: Literal["duckdb"]


class SparkTarget(_LocalTarget):
    """Apache Spark through Spark Connect. Project and target folder must be on a filesystem that driver and executors share.

    Attributes:
        url: Address of the Connect server, sc://host:port.
        conf: Spark SQL settings of the session, such as {spark.sql.shuffle.partitions: "64"}.
        driver_rows: Most rows of an input of a table UDF, which runs in this process.
        local_bytes: A data test whose tables take less on disk is run by DuckDB in this process: a job on the cluster takes
            longer to start than to run. 0: never.
        threads: Of this process, for what is not run on the cluster; `memory_limit` and `temp_directory` likewise.
    """

    title: ClassVar[str] = "a spark target"
    hints: ClassVar[dict[str, str]] = {
        "host": "write the address as url: sc://host:port",
        "schema": "remove it: environments (--env) keep results apart",
    }

    type: Literal["spark"]
    url: Annotated[str, AfterValidator(_check_url)]
    conf: dict[str, str] = Field(default_factory=dict)
    driver_rows: Annotated[int, Field(ge=1)] = 50_000_000
    local_bytes: Annotated[int, Field(ge=0)] = 256_000_000


Target = Annotated[DuckDBTarget | SparkTarget, Field(discriminator="type")]
