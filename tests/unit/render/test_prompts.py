from __future__ import annotations

import duckdb
import pytest

from llm_i2i.errors import ProjectError, ProjectErrors
from llm_i2i.render.prompts import find_prompts, prompt_expression


def expression(text, **keys):
    return prompt_expression(text, keys, file="p.jinja", caller="m.sql:3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {{ x }} b", "('a ' || cast(1 + 1 as varchar) || ' b')"),
        ("{{x}}", "(cast(1 + 1 as varchar))"),
        ("{{ x }}{{ x }}", "(cast(1 + 1 as varchar) || cast(1 + 1 as varchar))"),
        ("it's {{ x }}\n", "('it''s ' || cast(1 + 1 as varchar))"),
        ("{{ x }}\n\n", "(cast(1 + 1 as varchar) || '\n')"),
        ("{{ x }}\r\nb\r\n", "(cast(1 + 1 as varchar) || '\nb')"),
        ('{"a": {"b": {{ x }}}}', """('{"a": {"b": ' || cast(1 + 1 as varchar) || '}}')"""),
    ],
)
def test_expressions(text, expected):
    assert expression(text, x="1 + 1") == expected


def test_without_keys():
    assert expression("it's") == "('it''s')"
    assert expression("") == "('')"


def test_the_expression_runs():
    sql = expression("It's {{ a }}, {{ b }}\n", a="'x' || ''''", b="true or false")
    rows = duckdb.connect().execute(f"select {sql} || '!'").fetchall()
    assert rows[0] == ("It's x', true!",)


def test_missing_and_unused_keys_come_together():
    with pytest.raises(ProjectErrors) as caught:
        expression("a\n{{ history }} {{ n }}", histroy="x")
    missing, other, unused = caught.value.errors
    assert missing.what == "prompt(...) gives no value for 'history'"
    assert missing.where == "m.sql:3"
    assert missing.found == "{{ history }} at p.jinja:2; keys given: histroy"
    assert missing.fix == "add history='<SQL expression>' to the call"
    assert "'n'" in other.what
    assert unused.what == "prompt(...) gives 'histroy', which the prompt does not use"
    assert unused.found == "p.jinja uses: history, n"
    assert unused.fix == "did you mean 'history'?"


@pytest.mark.parametrize(
    "text", ["{% if x %}", "{{ x | upper }}", "{# c #}", "{{ 'a' }}", "{{- x }}"]
)
def test_other_jinja_is_refused(text):
    with pytest.raises(ProjectError) as caught:
        expression(f"a\n {text}", x="1")
    assert caught.value.what == "a prompt template holds only text and {{ key }}"
    assert caught.value.where == "p.jinja:2"
    assert caught.value.found == text
    assert "SQL" in caught.value.fix


def test_find_prompts(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/one.jinja").touch()
    (tmp_path / "a/two.jinja").touch()
    (tmp_path / "a/two.txt").touch()
    assert set(find_prompts([tmp_path / "a", tmp_path / "none"])) == {"one", "two"}
    (tmp_path / "a/one.jinja").touch()
    with pytest.raises(ProjectError) as caught:
        find_prompts([tmp_path])
    assert caught.value.what == "prompt 'one' is defined twice"
    assert caught.value.where.endswith("a/one.jinja") or caught.value.where.endswith("b/one.jinja")
    assert "first defined in" in caught.value.found
    assert "rename" in caught.value.fix
