"""`llmi2i preview`: what a language model reads and answers, of a pretrained one before it is trained and of any after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from llm_i2i.cli.preview import render, render_page
from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.preview import Preview, PreviewRow, previews
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.tiny_llama import ITEMS, write_llama

UDFS = Path(__file__).parents[2] / "udfs"
MODELS = {
    "catalogue": "select unnest({items}) as item_token",
    "examples": "select 'Recent products: ' || item_token || '. Next:' as prompt, lead(item_token, 1, '{first}') over (order by item_token) as completion, 1.0 as weight from {{{{ ref('catalogue') }}}}",
    "judged": "select prompt || ' ' || completion || '?' as prompt, 'Yes' as completion, weight from {{{{ ref('examples') }}}} union all select prompt || ' <b>&?', 'No', weight from {{{{ ref('examples') }}}}",
    "generator": "select step, checkpoint from fine_tune((select prompt, completion, weight from {{{{ ref('examples') }}}} order by all), language_model := {{{{ language_model('small') }}}}, items := (select item_token from {{{{ ref('catalogue') }}}} order by 1), random_seed := 1)",
    "judge": "select step, checkpoint from fine_tune((select prompt, completion, weight from {{{{ ref('judged') }}}} order by all), language_model := {{{{ language_model('small') }}}}, items := (select item_token from {{{{ ref('catalogue') }}}} order by 1), random_seed := 1)",
    "proposed": "select prompt, generate_items(prompt, n := 4, model := (select any_value(checkpoint) from {{{{ ref('generator') }}}})) as items from {{{{ ref('examples') }}}}",
    "confidences": "select prompt, score_interaction(prompt, model := (select any_value(checkpoint) from {{{{ ref('judge') }}}})) as answer from {{{{ ref('judged') }}}}",
    "again": "select score_interaction(cast(items[1].item_token as varchar), model := (select any_value(checkpoint) from {{{{ ref('judge') }}}})) as answer from {{{{ ref('proposed') }}}}",
}


@pytest.fixture
def house(shop: ShopProject) -> ShopProject:
    """A generator and a judge of a pretrained model with random weights."""
    write_llama(shop.dir / "llama")
    for name in ("fine_tune", "generate_items", "score_interaction"):
        shutil.copy(UDFS / f"{name}.py", shop.dir / "udfs")
    settings = "{pretrained: llama, epochs: 1, batch_size: 4, learning_rate: 0.001, max_length: 16, threads: 1}"
    shop.replace("project/project.yml", "{small: {architecture: fake}}", f"{{small: {settings}}}")
    for name, sql in MODELS.items():
        shop.write(f"models/{name}.sql", sql.format(items=ITEMS, first=ITEMS[0]))
    return shop


def test_a_pretrained_model_answers_as_it_is(house: ShopProject) -> None:
    project = Project.load(house.dir)
    asked, judged = previews(project, ["proposed", "confidences"], n=3)
    assert (asked.does, asked.state) == ("asks", "as it is, not fine-tuned yet")
    assert asked.hint == "llmi2i build -s +generator"
    assert len(asked.rows) == 3
    for row in asked.rows:
        best = [line.rpartition(" ") for line in row.answer.splitlines()]
        assert len(best) == 4
        assert {item for item, _, _ in best} <= set(ITEMS)
        values = [float(value) for _, _, value in best]
        assert values == sorted(values, reverse=True)
        assert values[0] < 0
    assert all(0 <= float(row.answer.removeprefix("confidence ")) <= 1 for row in judged.rows)
    # Nothing was trained, and asking again makes nothing anew.
    assert not list((project.target_dir / "store").glob("generator-*"))
    made = sorted((project.target_dir / "preview").iterdir())
    stamps = [(path / "llmi2i.json").stat().st_mtime_ns for path in made]
    assert previews(Project.load(house.dir), ["proposed", "confidences"], n=3) == [asked, judged]
    assert [(path / "llmi2i.json").stat().st_mtime_ns for path in made] == stamps


def test_a_trained_model_answers_as_the_build_does(house: ShopProject) -> None:
    project = Project.load(house.dir)
    assert project.build("+proposed").published
    (asked,) = previews(project, ["proposed"], n=12)
    assert (asked.state, asked.hint) == ("trained", "")
    found = {
        prompt: [one["item_token"] for one in items]
        for prompt, items in project.query("select prompt, items from proposed").fetchall()
    }
    shown = [[line.rpartition(" ")[0] for line in row.answer.splitlines()] for row in asked.rows]
    assert shown == [found[prompt] for prompt in sorted(found)] or sorted(shown) == sorted(found.values())  # fmt: skip


def test_prompts_only_needs_a_tokenizer_alone(house: ShopProject) -> None:
    found = previews(Project.load(house.dir), n=2, with_answers=False)
    by_name = {one.node: one for one in found}
    names = ["generator", "judge", "proposed", "confidences", "again"]
    assert by_name.keys() >= set(names)
    learned, judge, asked, scored, again = (by_name[name] for name in names)
    assert learned.rows[0].answer == f"{sorted(ITEMS)[1]} (weight 1)"
    assert [row.answer for row in asked.rows] == ["", ""]
    assert learned.rows[0].prompt.startswith("<s>Recent products: sku")
    # The longest prompts do not fit into max_length, and it is said.
    longest = max(judge.rows + scored.rows, key=lambda row: row.whole)
    assert longest.whole > longest.tokens == 16
    assert f"16 tokens, cut from {longest.whole}" in render(scored, 80) + render(judge, 80)
    assert again.rows == ()
    assert again.hint == "llmi2i build -s +proposed"
    assert not (house.dir / "target" / "preview").exists()


def test_the_command_and_its_page(house: ShopProject) -> None:
    done = house.run(
        "preview", "judge", "--rows", "2", "--html", str(house.dir / "page.html"), timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "judge learns from such rows: not fine-tuned yet" in done.stdout
    page = (house.dir / "page.html").read_text()
    assert "&lt;b&gt;&amp;?" in page
    assert "<b>" not in page
    done = house.run("preview", "proposed", "--prompts-only", "--output", "json", timeout=200)
    (record,) = json.loads(done.stdout)
    assert record["rows"][0]["tokens"] == record["rows"][0]["whole"] > 8


def test_what_cannot_be_shown_is_said(house: ShopProject) -> None:
    with pytest.raises(ProjectError, match="catalogue neither trains nor asks") as raised:
        previews(Project.load(house.dir), ["catalogue"])
    assert {"generator", "judge", "proposed", "confidences"} <= set(
        raised.value.found.replace(",", "").split()
    )
    done = house.run(
        "preview",
        "judge",
        "--prompts-only",
        "--html",
        str(house.dir / "none" / "page.html"),
        timeout=200,
    )
    assert done.returncode != 0
    assert "the page cannot be written" in done.stderr


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit(width: int) -> None:
    rows = (PreviewRow("a prompt " * 90, 180, 180, "An answer that is a long title -3.12\n" * 5),)
    text = render(Preview("proposed", "asks", "trained", rows), width)
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) < 40
    assert text.count("An answer") == 5
    assert "a prompt" in render_page([Preview("proposed", "asks", "trained", rows)])
