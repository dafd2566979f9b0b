"""A tiny project: two sources, a seed, models in folders, an exposure."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project

FILES = {
    "project.yml": """
        name: tiny
        seed_paths: seeds
        macro_paths: macros
        target: dev
        targets: {dev: {type: duckdb, threads: 1}}
        vars: {least: 1}
        models:
          staging:
            +tags: [stg]
            events:
              +materialized: view
    """,
    "data/log.csv": "user_id,item_id,seen_at\n1,10,2026-01-01 10:00:00\n2,11,2026-01-02 10:00:00\n",
    "data/items.csv": "item_id,title\n10,kite\n11,drum\n",
    "seeds/kinds.csv": "item_id;kind\n10;toy\n11;music\n",
    "seeds/properties.yml": """
        seeds:
          - name: kinds
            description: What an item is.
            grain: item_id
            config: {delimiter: ";", column_types: {item_id: VARCHAR}, tags: [small]}
    """,
    "models/sources.yml": """
        sources:
          - name: log
            tables:
              - {name: events, path: data/log.csv, tags: [raw]}
              - {name: items, path: data/items.csv}
    """,
    "models/staging/events.sql": """
        -- the log
        select user_id, item_id, seen_at from {{ source('log', 'events') }}
    """,
    "models/staging/items.sql": "select item_id, title from {{ source('log', 'items') }}",
    "models/counts.sql": """
        {{ config(tags=['nightly'], meta={'owner': 'ann'}) }}
        select item_id, count(*) as n from {{ ref('events') }}
        group by item_id having count(*) >= {{ var('least') }}
    """,
    "models/named.sql": """
        select c.item_id, c.n, i.title
        from {{ ref('counts') }} as c join {{ ref('items') }} as i using (item_id)
    """,
    "models/kinds_of_items.sql": """
        select n.item_id, k.kind from {{ ref('named') }} as n
        join {{ ref('kinds') }} as k on k.item_id = cast(n.item_id as varchar)
    """,
    "models/exposures.yml": """
        exposures:
          - name: shop_window
            type: dashboard
            maturity: high
            url: https://shop.example/window
            description: What customers see.
            owner: {name: Ann, email: ann@shop.example}
            tags: [public]
            depends_on: ["ref('named')", "source('log', 'items')"]
    """,
}


class Tiny:
    """The project's folder, and ways to change and load it."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.dir / name).read_text()
        assert old in text
        (self.dir / name).write_text(text.replace(old, new))

    def project(self, **settings: Any) -> Project:
        return Project.load(self.dir, **settings)

    def keys(self, *select: str, exclude: tuple[str, ...] = (), **settings: Any) -> list[str]:
        """Keys of the selected resources."""
        project = self.project(**settings)
        return project.selection.select(*project.criteria(select, exclude))


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path / "tiny")
