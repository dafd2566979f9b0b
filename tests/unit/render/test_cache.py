from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render import renderer as module
from llm_i2i.render.cache import RenderCache
from llm_i2i.render.environment import MacroLibrary
from llm_i2i.render.renderer import RenderedModel, Renderer

TEXT = """{{ config(materialized='view', tags=['a', 'b']) }}
select {{ double(var('n')) }} as x, '{{ prompt('greet', name='title') }}'
from {{ ref('a') }} join {{ source('log', 'events') }} using (id)
"""
MACROS = "{% macro double(n) %}{{ n }} * 2{% endmacro %}"


@pytest.fixture
def kept() -> dict[str, Any]:
    return {}


def make(kept: dict[str, Any], folder: Path, macros: str = MACROS, **vars: Any) -> Renderer:
    (folder / "greet.jinja").write_text("Hello {{ name }}")
    return Renderer(
        vars={"n": 1, **vars},
        macros=MacroLibrary.parse(macros),
        prompts=folder,
        env={"HOME": "/x"},
        cache=RenderCache(kept),
    )


def count_renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    real = module.compile_template

    def compile_template(text: str, file: str, *, marked: bool = False) -> Any:
        made.append(file)
        return real(text, file, marked=marked)

    monkeypatch.setattr(module, "compile_template", compile_template)
    return made


def test_what_is_kept_equals_what_was_rendered(
    kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_renderings(monkeypatch)
    first = make(kept, tmp_path).render_model("m.sql", TEXT, name="m")
    second = make(kept, tmp_path).render_model("m.sql", TEXT, name="m")
    assert first == second
    assert isinstance(second, RenderedModel)
    assert made == ["m.sql"]
    one = make(kept, tmp_path).render_data_test("not_null", "m", "x", location="m.yml:3")
    assert one == make(kept, tmp_path).render_data_test("not_null", "m", "x", location="m.yml:3")


def test_whatever_a_template_reads_is_in_its_key(
    kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_renderings(monkeypatch)
    make(kept, tmp_path).render_model("m.sql", TEXT, name="m")
    assert "2 * 2" in make(kept, tmp_path, n=2).render_model("m.sql", TEXT, name="m").sql
    tripled = MACROS.replace("* 2", "* 3")
    assert "1 * 3" in make(kept, tmp_path, tripled).render_model("m.sql", TEXT, name="m").sql
    assert "3 * 2" in make(kept, tmp_path).overridden({"n": 3}).render_model("m.sql", TEXT, name="m").sql  # fmt: skip
    changed = make(kept, tmp_path)
    (tmp_path / "greet.jinja").write_text("Good day {{ name }}")
    assert "Good day" in changed.render_model("m.sql", TEXT, name="m").sql
    assert len(made) == 5


@pytest.mark.parametrize("text", ["{{ env_var('HOME') }}", "{{ log('hello', info=true) }}"])
def test_what_reads_the_environment_or_speaks_is_not_kept(
    text: str, kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level(logging.INFO)
    made = count_renderings(monkeypatch)
    for _ in range(2):
        make(kept, tmp_path).render_model("m.sql", text, name="m")
    assert len(made) == 2
    assert "/x" not in str(kept)


def test_a_date_among_the_vars_is_rendered_each_time(kept: dict[str, Any], tmp_path: Path) -> None:
    for day in (1, 2):
        renderer = make(kept, tmp_path, day=date(2026, 1, day))
        found = renderer.render_model("m.sql", "select '{{ var('day') | string }}'", name="m")
        assert found.sql == f"select '2026-01-0{day}'"


def test_mistakes_are_not_kept(kept: dict[str, Any], tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ProjectError, match="'nothing' is not defined"):
            make(kept, tmp_path).render_model("m.sql", "{{ nothing }}", name="m")
        with pytest.raises(ProjectError, match="not valid Jinja"):
            MacroLibrary.load([_folder(tmp_path)], cache=RenderCache(kept))


@pytest.mark.parametrize("text", ["", "{# nothing yet #}", "{{ config(tags=['a']) }}"])
def test_a_template_that_gives_nothing_gives_nothing_again(
    kept: dict[str, Any], tmp_path: Path, text: str
) -> None:
    first = make(kept, tmp_path).render_model("m.sql", text, name="m")
    again = make(kept, tmp_path).render_model("m.sql", text, name="m")
    assert again == first
    assert again.sql == ""


def _folder(place: Path) -> Path:
    (place / "macros").mkdir(exist_ok=True)
    (place / "macros" / "bad.sql").write_text("{% macro a() %}")
    return place / "macros"


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}
    for n in range(20):
        make(kept, tmp_path, n=n).render_model("m.sql", TEXT, name="m")
    cache = RenderCache(kept)
    make(kept, tmp_path)
    cache.parsed("x", "m", lambda: [])
    cache.forget_oldest()
    assert len(kept) == 3
