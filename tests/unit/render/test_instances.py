"""A model file that is several models, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project


def load(folder: Path, text: str, **more: str) -> Project:
    files = {"project/project.yml": "name: shop\n", "models/counts.sql": text} | more
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return Project.load(folder)


def test_each_instance_is_a_model(tmp_path: Path) -> None:
    text = "{{ instances([{'n': 1, 'tags': ['one']}, {'n': 2, 'tags': []}], name='c{n}') }}\nselect {{ n }} as x\n"
    project = load(tmp_path, text)
    assert {name: node.sql.strip() for name, node in project.manifest.nodes.items()} == {
        "c1": "select 1 as x",
        "c2": "select 2 as x",
    }
    assert sorted(project.select(["path:models/counts.sql"])) == ["c1", "c2"]
    assert list(project.select(["tag:one"])) == ["c1"]
    assert sorted(project.select(["c*"])) == ["c1", "c2"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("instances([{'n': 1}], name='c{n}', nam=1)", "takes no argument 'nam'"),
        ("instances([{'n': 1}, {'n': 1}], name='c{n}')", "are called 'c1'"),
        ("instances([{'n': 1}, {'m': 1}], name='c')", "lacks the value"),
        ("instances([{'n': 1}, {'n': 2}, {'n': 3, 'nn': 1}], name='c{n}')", "did you mean 'n'"),
        ("instances([{'n': 1}], name='c{m}')", "needs the value 'm'"),
        ("instances([{'ref': 1}], name='c')", "has the name of a function"),
        ("instances(entries('none'), name='c')", "none"),
        ("instances([{'n': 1}], name='c{n')", "cannot be read"),
        ("instances([{'n': 1}], name='c/{n}')", "cannot be the name of a model"),
        ("instances([{'n': 1}])", "needs the pattern"),
        ("instances({'n': 1}, name='c')", "needs a list of value sets"),
        ("instances([{'n': lost}], name='c')", "'lost' is not defined"),
        ("instances([{'n': 1, 'enabled': 'no'}], name='c')", "neither true nor false"),
    ],
)
def test_a_wrong_declaration_names_its_line(tmp_path: Path, call: str, message: str) -> None:
    with pytest.raises(LlmI2iError, match=message) as caught:
        _ = load(
            tmp_path, f"-- instances( in a comment\n{{{{ {call} }}}}\nselect 1 as x\n"
        ).manifest
    assert "models/counts.sql:2" in str(caught.value)


def test_instances_inside_an_if(tmp_path: Path) -> None:
    text = "{% if true %}{{ instances([{'n': 1}], name='c') }}{% endif %}select 1 as x"
    with pytest.raises(LlmI2iError, match="inside a block"):
        _ = load(tmp_path, text).manifest
