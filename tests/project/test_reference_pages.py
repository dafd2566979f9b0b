"""The handbook's reference pages say what the code says, and text of a project stays text."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from llm_i2i.cli.group import COMMANDS
from llm_i2i.cli.main import cli
from llm_i2i.cli.reference import PAGES, commands_page, table, write_pages
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    shop = ShopProject(tmp_path_factory.mktemp("reference"))
    shop.replace("models/models.yml", "description: The log.", 'description: "<b>All</b> events."')
    folder = shop.dir / "reference"
    write_pages(Project.load(shop.dir), folder)
    assert {path.name for path in folder.iterdir()} == set(PAGES)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_command_has_its_options() -> None:
    page = commands_page()
    for name in COMMANDS:
        assert f"\n### llmi2i {name}\n" in page
    assert "\n### llmi2i calls forget\n" in page
    assert "| `--with PARTS` | Optional parts," in page


def test_tables_have_file_grain_and_columns(pages: dict[str, str]) -> None:
    section = pages["tables.md"].split("\n## events\n")[1].split("\n## ")[0]
    assert "`models/events.sql` (table; one row for each `user_id`, `item_id`)" in section
    assert "&lt;b>All&lt;/b> events." in section
    assert "| `user_id` | VARCHAR |" in section


def test_udfs_have_their_call(pages: dict[str, str]) -> None:
    assert "score(prompt VARCHAR, model := VARCHAR" in pages["udfs.md"]
    assert "A batch UDF." in pages["udfs.md"]


def test_python_errors_and_dbt(pages: dict[str, str]) -> None:
    assert "build(select: str | Iterable[str] = ()" in pages["python.md"]
    assert "| `ProjectError` | 2 |" in pages["errors.md"]
    assert "| `--defer` | Not needed:" in pages["dbt.md"]


def test_a_cell_is_one_line_of_text() -> None:
    assert table(("a",), [("x | y\n*z* `<b>`",)]) == "| a |\n| --- |\n| x \\| y \\*z\\* `<b>` |"


@pytest.mark.parametrize("command", ["run", "seed", "dag"])
def test_the_program_says_what_the_page_says(command: str, pages: dict[str, str]) -> None:
    said = CliRunner().invoke(cli, [command]).output.split("Instead: ")[1].strip().rstrip(".")
    assert f"| `{command}` | {said}" in pages["dbt.md"]
