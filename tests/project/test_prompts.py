"""Prompts of the reference project: every template under every form of item ids, with their data tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.history import is_open_list
from tests.project.test_reference_project import build, write_log

STAGE = "+generator_prompts +generator_examples +discriminator_examples"
LARGE = {"generator_examples": "by_position", "discriminator": "history"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("prompts")
    return folder, {**write_log(folder, users=80), **LARGE}


CASES = [
    {"item_ids": "token", "generator_prompt": "g1", "discriminator_prompt": "d3"},
    {"item_ids": "text", "generator_prompt": "g2", "discriminator_prompt": "d1"},
    {"item_ids": "text", "generator_prompt": "g4", "discriminator_prompt": "d4"},
    {"item_ids": "semantic", "generator_prompt": "g3", "discriminator_prompt": "d3"},
    {"item_ids": "semantic", "generator_prompt": "g2", "discriminator_prompt": "short"},
    {"item_ids": "title", "generator_prompt": "g5", "discriminator_prompt": "d2"},
]
LISTS = [
    {"item_ids": "title", "generator_prompt": "g6", "discriminator_prompt": "d2"},
    {"item_ids": "text", "generator_prompt": "g6", "generator_examples": "by_user"},
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: " ".join(c.values()))
def test_prompts_build_and_leak_nothing(log: tuple[Path, dict[str, Any]], case: dict[str, str]):
    project = build(log[0], {**log[1], **case, "semantic_codes": 8}, select=STAGE)
    query = "select prompt, history, n_events from generator_prompts order by user_number"
    rows = project.rows(query)[1]
    for prompt, history, n_events in rows:
        lines = history.split("\n")
        assert [line.split(". ")[0] for line in lines] == [str(n + 1) for n in range(n_events)]
        assert f"\n{history}\nNext product " in prompt
        assert ("Shopper: o'user" in prompt) == (case["generator_prompt"] in ("g1", "g2", "g3"))
    tokens = {t for (t,) in project.rows("select item_token from item_numbers")[1]}
    bracketed = case["generator_prompt"] in ("g2", "g4")
    for line in [line for _, history, _ in rows for line in history.split("\n")]:
        shown = line.partition(". ")[2]
        assert (shown[1 : shown.index("] ")] if bracketed else shown) in tokens
    # Training and inference read one form: prompts of both differ in the shopper and in the lines of the history only.
    examples = project.rows("select prompt, completions[1] from generator_examples")[1]
    frames = {
        re.sub(r"(\d+\. .*\n)+|Shopper: .*", "", prompt)
        for prompt in [row[0] for row in [*examples, *rows]]
    }
    assert len(frames) == 1
    assert {completion for _, completion in examples} <= tokens


@pytest.mark.parametrize("case", LISTS, ids=lambda c: " ".join(c.values()))
def test_a_list_goes_on_where_its_history_ends(
    log: tuple[Path, dict[str, Any]], case: dict[str, str]
):
    project = build(log[0], {**log[1], **case}, select=STAGE)
    rows = project.rows("select prompt, history from generator_prompts")[1]
    (frame,) = {prompt.replace(history, "HISTORY") for prompt, history in rows}
    assert frame == "Products that one shopper took, oldest first, one a line:\nHISTORY\n-"
    tokens = {t for (t,) in project.rows("select item_token from item_numbers")[1]}
    lines = [line for _, history in rows for line in history.split("\n")]
    assert {line.removeprefix("- ") for line in lines} <= tokens
    assert all(line.startswith("- ") for line in lines)
    examples = project.rows("select prompt, completions, weights from generator_examples")[1]
    if "generator_examples" in case:
        assert {prompt for prompt, *_ in examples} == {frame.replace("HISTORY", "")}
        assert all(weights[0] == 0 and len(weights) > 1 for *_, weights in examples)
    else:
        assert all(is_open_list(prompt) and len(done) == 1 for prompt, done, _ in examples)


def test_histories_are_lines_of_id_and_text(log: tuple[Path, dict[str, Any]]):
    vars = {**log[1], "item_ids": "text", "generator_prompt": "g2", "discriminator_prompt": "d4"}
    project = build(log[0], vars, select=STAGE)
    query = "select history from generator_prompts where n_events > 2 order by user_number limit 1"
    ((history,),) = project.rows(query)[1]
    pattern = r"\d\. \[it \"\d+\" ü\] Kite \d of the \d winds \| Toys > Kind \d"
    assert all(re.fullmatch(pattern, line) for line in history.split("\n"))
    query = (
        "select prompt, completion from discriminator_examples order by user_number, position, draw"
    )
    prompt, answer = project.rows(query)[1][0]
    candidate = prompt.split("\n")[-2]
    assert re.fullmatch(
        r"Candidate: \[it \"\d+\" ü\] Kite \d of the \d winds \| Toys > Kind \d \| popularity \d",
        candidate,
    )
    assert prompt.endswith("\nWill this shopper interact with the candidate? Answer:")
    assert answer == "Yes"


def test_semantic_ids_are_four_codes_and_know_no_target(log: tuple[Path, dict[str, Any]]):
    vars = {**log[1], "item_ids": "semantic", "semantic_codes": 8}
    project = build(log[0], vars, select="+item_numbers +interactions_train")
    rows = project.rows("select item_token from item_numbers order by item_number")[1]
    assert len({token for (token,) in rows}) == len(rows) == 70
    assert all(re.fullmatch(r"<a_\d> <b_\d> <c_\d> <d_\d+>", token) for (token,) in rows)
    counts = """
        select count(*) filter (where train.item_id is null) as strangers, count(*) as n, (select count(*) from interactions_train)
        from semantic_events as events
        left join interactions_train as train on train.user_id = events.user_id and train.item_id = events.item_id
    """
    ((strangers, n, n_train),) = project.rows(counts)[1]
    assert strangers == 0
    assert 0 < n < n_train


@pytest.mark.parametrize(
    ("case", "leak"),
    [
        ({"item_ids": "text", "generator_prompt": "g2"}, "'1. [' || item_token || '] Kite'"),
        (
            {"item_ids": "text", "generator_prompt": "g1"},
            "'1. a' || chr(10) || '2. ' || item_token",
        ),
        ({"item_ids": "semantic", "generator_prompt": "short"}, "'<a_1> ' || item_token"),
        ({"item_ids": "title", "generator_prompt": "g5"}, "'1. ' || item_token"),
        (
            {"item_ids": "title", "generator_prompt": "g6"},
            "'Took:' || chr(10) || '- ' || item_token",
        ),
    ],
)
def test_a_leak_is_found(log: tuple[Path, dict[str, Any]], case: dict[str, str], leak: str):
    vars = {**log[1], **case, "semantic_codes": 8}
    project = build(log[0], vars, select="+generator_prompts +targets")
    (check,) = [
        c
        for c in project.manifest.checks
        if c.model == "generator_prompts" and "leakage_in_text" in c.name
    ]
    leaky = f"""
        with generator_prompts as (
            select targets.user_id, {leak} as prompt
            from targets inner join item_numbers on item_numbers.item_id = targets.item_id
        )
    """
    n_targets = project.rows("select count(*) from targets")[1][0][0]
    assert len(project.rows(leaky + check.sql)[1]) >= n_targets > 0


def test_titles_are_unique_and_short(log: tuple[Path, dict[str, Any]], tmp_path: Path):
    project = build(tmp_path, {**log[1], "item_ids": "title"}, select="+item_numbers")
    tokens = [t for (t,) in project.rows("select item_token from item_numbers")[1]]
    assert len(set(tokens)) == 70
    assert "Kite 0 of the 0 winds" in tokens
    assert "Kite 0 of the 0 winds (2)" in tokens


@pytest.mark.parametrize(
    ("vars", "message"),
    [
        ({"generator_prompt": "g3"}, "g3 needs item_ids: semantic, not token"),
        ({"generator_prompt": "g5", "item_ids": "text"}, "g5 needs item_ids: title"),
        ({"generator_prompt": "g2", "generator_examples": "by_user"}, "by_position"),
        ({"item_ids": "words"}, "must be one of token, text, semantic, title"),
    ],
)
def test_what_does_not_fit_together(
    log: tuple[Path, dict[str, Any]], vars: dict[str, Any], message: str
):
    with pytest.raises(LlmI2iError) as caught:
        build(log[0], {**log[1], **vars}, select="+generator_examples")
    assert message in str(caught.value)


def test_large_prompts_run_through_the_whole_project(tmp_path: Path):
    vars = {**write_log(tmp_path), **LARGE, "generator_prompt": "g2", "discriminator_prompt": "d1"}
    project = build(tmp_path, vars)
    assert project.rows("select count(*) from scored_interactions")[1][0][0] > 0
