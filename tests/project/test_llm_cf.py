"""The rival augmentation LLM-CF in the reference project, with the fake language model, which writes text."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import ROOT, write_log

STAGE = "+llm_cf_interactions"
PAPER = {
    "llm_cf": True,
    "llm_cf_share": 0.5,
    "fusion": "append",
    "recommender": "swing",
    "discriminator": "history",
    "min_confidence": 0.3,
    "controls": [],
    "others_folds": None,
}


def build(folder: Path, vars: dict[str, Any], select: str = "", env: str = "other") -> Project:
    """Each variant in an environment of its own: what is published for `shop` stays."""
    project = Project.load(ROOT, vars=vars, target_path=folder / "target", env=env)
    result = project.build(select=select)
    failed = [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    errors = [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    assert not failed + errors
    return project


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("llm_cf")
    vars = {**write_log(folder, users=80), **PAPER}
    build(folder, vars, env="dev")
    return folder, vars


def pairs(project: Project) -> list[tuple[Any, ...]]:
    query = "select user_id, item_id, place, vote from llm_cf_interactions order by all"
    return project.rows(query)[1]


def test_the_arm_stands_beside_the_others(shop: tuple[Path, dict[str, Any]]):
    project = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target")
    arms = project.rows("select recommender, augmentation from metrics_summary")[1]
    assert {("swing", "none"), ("swing", "llm_i2i"), ("swing", "llm_cf")} <= set(arms)
    against = project.rows("select distinct against from paired_differences")[1]
    assert ("llm_cf",) in against


def test_as_many_pairs_a_user_as_llm_i2i_keeps(shop: tuple[Path, dict[str, Any]]):
    project = Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target")
    kept = Counter(project.rows("select user_id from synthetic_interactions")[1])
    found = Counter((user,) for user, *_ in pairs(project))
    assert sum(kept.values()) > 100
    assert found == kept  # this set is large enough for all
    new = project.rows(
        "select 1 from llm_cf_interactions join interactions_train using (user_id, item_id)"
    )
    assert not new[1]


def test_a_small_set_gives_what_it_has(shop: tuple[Path, dict[str, Any]]):
    vars = {**shop[1], "llm_cf_share": 0.02}
    project = build(
        shop[0], vars, select=STAGE
    )  # its data test allows fewer only where no example is left
    kept = Counter(project.rows("select user_id from synthetic_interactions")[1])
    found = Counter((user,) for user, *_ in pairs(project))
    assert 0 < sum(found.values()) < sum(kept.values())


def test_what_is_held_out_changes_nothing(tmp_path: Path):
    vars = {**write_log(tmp_path, users=120), **PAPER}
    stage = f"{STAGE} targets"
    project = build(tmp_path, vars, select=stage)
    before, train = pairs(project), project.rows("from interactions_train order by all")[1]
    targets = project.rows("from targets order by all")[1]
    rows = list(csv.reader((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()))
    last: dict[str, list[list[str]]] = {}
    for row in rows[1:]:
        last.setdefault(row[0], []).append(row)
    # Held-out events trade places, item by item, among users of as many events who do not know them.
    held = []
    for events in last.values():
        items = list(dict.fromkeys(e[1] for e in sorted(events, key=lambda e: e[2])))
        if len(items) == len(events) >= 5:
            held.append((events[-1], {e[1] for e in events}))
    swapped = 0
    for (one, known), (other, others) in zip(held[::2], held[1::2], strict=False):
        if one[1] not in others and other[1] not in known:
            one[1], other[1] = other[1], one[1]
            swapped += 1
    assert swapped >= 3
    with (tmp_path / "other.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    vars["interactions"] = str(tmp_path / "other.csv")
    project = build(tmp_path, vars, select=stage)
    assert project.rows("from interactions_train order by all")[1] == train
    assert project.rows("from targets order by all")[1] != targets
    assert pairs(project) == before


def test_reasoning_takes_part_where_the_model_writes(shop: tuple[Path, dict[str, Any]]):
    plain = pairs(Project.load(ROOT, vars=shop[1], target_path=shop[0] / "target"))
    vars = {**shop[1], "llm_cf_reasoning": True, "llm_cf_max_tokens": 30}
    project = build(shop[0], vars, select=STAGE)
    texts = project.rows("select example_number, sample, reasoning from llm_cf_texts")[1]
    examples = project.rows("select count(*) from llm_cf_examples")[1][0][0]
    assert len(texts) == 3 * examples
    assert all(text for _, _, text in texts)
    best = project.rows(
        "select score, coherence + completeness + relevance + consistency from llm_cf_reasoning"
    )[1]
    assert len(best) == examples
    assert all(abs(4 * score - parts) < 1e-9 for score, parts in best)
    assert pairs(project) != plain
    without = {**vars, "llm_cf_reasoning_weight": 0.0}
    assert pairs(build(shop[0], without, select=STAGE)) == plain


@pytest.mark.slow
def test_distilled_pairs_are_votes(shop: tuple[Path, dict[str, Any]]):
    vars = {**shop[1], "fusion": "distil", "discriminator": "signals", "min_confidence": 0.0}
    vars["recommender"] = "cooccurrence_text"
    vars["long_tail_vote"] = 1.25
    project = build(shop[0], vars)
    arms = project.rows("select recommender, augmentation from metrics_summary")[1]
    assert ("cooccurrence_text", "llm_cf") in arms
    # The largest vote of a user for the first choice; the factor for long-tail items is the index's.
    kept, dealt = (
        project.rows(
            f"""
            select user_number, list(vote order by {order})
            from {table}
            group by user_number
            """
        )[1]
        for table, order in (
            ("synthetic_interactions", "vote desc"),
            ("llm_cf_interactions", "place"),
        )
    )
    votes = dict(kept)
    assert len(dealt) > 50
    for user, found in dealt:
        assert found == pytest.approx(votes[user][: len(found)])


@pytest.mark.parametrize(
    ("recommender", "protocol"),
    [("bm25", "standard"), ("bpr", "paper"), ("youtube_dnn", "standard"), ("tfidf", "paper")],
)
def test_every_backbone_has_the_arm(
    shop: tuple[Path, dict[str, Any]], recommender: str, protocol: str
):
    pytest.importorskip("implicit")
    vars = {**shop[1], "recommender": recommender, "protocol": protocol}
    vars |= {"bpr_factors": 8, "bpr_iterations": 5, "youtube_dnn_epochs": 2}
    project = build(shop[0], vars, select="+ranking_metrics")
    query = f"""
        select augmentation, list(coalesce(rank, 0) order by target_number) from target_ranks_all
        where recommender = '{recommender}' group by augmentation
    """
    ranks = dict(project.rows(query)[1])
    assert set(ranks) == {"none", "llm_i2i", "llm_cf"}
    # Each is trained on pairs of its own.
    assert len({tuple(found) for found in ranks.values()}) == 3


def test_the_native_model_adds_pairs_and_ranks(shop: tuple[Path, dict[str, Any]]):
    vars = {**shop[1], "llm_cf_reading": "B", "youtube_dnn_epochs": 2}
    project = build(shop[0], vars, select="+target_ranks_llm_cf")
    kept = Counter(project.rows("select user_id from synthetic_interactions")[1])
    assert Counter((user,) for user, *_ in pairs(project)) == kept
    vars |= {"llm_cf_reading": "C", "recommender": "youtube_dnn"}
    project = build(shop[0], vars, select="+target_ranks_llm_cf", env="native")
    seen = project.rows(
        """
        select count(rank), count(*), min(recommender), min(augmentation) from target_ranks_llm_cf
        """
    )[1]
    ranked, targets, *arm = seen[0]
    assert arm == ["youtube_dnn", "llm_cf"]
    assert 0 < ranked <= targets
    with pytest.raises(LlmI2iError, match="needs recommender: youtube_dnn"):
        Project.load(ROOT, vars={**vars, "recommender": "swing"}).build(select="targets")


def test_a_log_without_text_is_told_so(tmp_path: Path):
    vars = {**write_log(tmp_path, users=40), **PAPER, "items": None}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    result = project.build(select=STAGE)
    errors = [str(n.error) for n in result.nodes if n.status == "ERROR"]
    assert len(errors) == 1
    assert "no item has text" in errors[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("llm_cf_share", 1.5), ("llm_cf_reading", "Z"), ("llm_cf_similarity", "l2"), ("llm_cf", 3)],
)
def test_wrong_vars_fail_before_anything_runs(name: str, value: Any):
    with pytest.raises(LlmI2iError, match=name):
        Project.load(ROOT, vars={"llm_cf": True, name: value})
