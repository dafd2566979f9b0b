"""BM25, TF-IDF, BPR and YoutubeDNN in the reference project: data tests, own ranking against the libraries, errors, the published rows."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.research_data import DATA, HAS_DATA

pytest.importorskip("implicit")
pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
ALL = ["bm25", "tfidf", "bpr", "youtube_dnn"]
QUICK = {
    "language_model": "fake",
    "controls": [],
    "others_folds": None,
    "bootstrap_resamples": 100,
    "bpr_factors": 8,
    "youtube_dnn_dimensions": 8,
    "youtube_dnn_epochs": 2,
    "youtube_dnn_min_epochs": 0,
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Vars that read a log of 120 users, some of one event, on 50 items."""
    folder = tmp_path_factory.mktemp("backbones")
    chance = random.Random(3)
    with (folder / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "position"])
        for user in range(120):
            start = chance.randrange(50)
            for event in range(chance.choice([1, 3, 4, 6, 9])):
                rows.writerow([f"u{user}", (start + int(chance.expovariate(0.3))) % 50, event])
    return {
        **QUICK,
        "interactions": str(folder / "log.csv"),
        "items": None,
        "order_column": "position",
    }


def build(folder: Path, vars: dict[str, Any], select: str = "") -> Project:
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    result = project.build(select=select)
    failed = [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    errors = [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    assert not failed + errors
    assert result.published
    return project


@pytest.mark.slow
def test_backbones_beside_the_recommender(tmp_path: Path, log: dict[str, Any]) -> None:
    project = build(tmp_path, {**log, "backbones": ALL})
    arms = set(project.rows("select distinct recommender, augmentation from ranking_metrics")[1])
    assert {(name, kind) for name in ALL for kind in ("none", "llm_i2i")} <= arms
    for name in ALL:
        same = f"select count(*) from (from {name}_augmented except from {name})"
        assert project.rows(same)[1] == [(0,)]  # distil blends in the index


@pytest.mark.parametrize("protocol", ["standard", "paper"])
def test_the_default_project_has_no_backbone(protocol: str) -> None:
    nodes = Project.load(ROOT, vars={"protocol": protocol}).manifest.nodes
    assert "i2i_index" in nodes
    assert not [name for name in nodes if any(backbone in name for backbone in ALL)]


@pytest.mark.parametrize(
    "recommender",
    [*(pytest.param(name, marks=pytest.mark.slow) for name in ALL[:3]), "youtube_dnn"],
)
def test_a_backbone_as_the_recommender(
    tmp_path: Path, log: dict[str, Any], recommender: str
) -> None:
    vars = {**log, "recommender": recommender, "fusion": "append"}
    project = build(
        tmp_path,
        vars,
        f"+target_ranks_{recommender} +target_ranks_{recommender}_augmented +i2i_index +i2i_index_baseline",
    )
    for index in ("i2i_index", "i2i_index_baseline"):
        assert project.rows(f"select count(*) > 0 from {index}")[1] == [(True,)]
    changed = f"select count(*) > 0 from (from {recommender}_augmented except from {recommender})"
    assert project.rows(changed)[1] == [(True,)]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory, log: dict[str, Any]) -> Project:
    vars = {**log, "protocol": "paper", "fusion": "append", "backbones": ALL}
    wanted = " ".join(f"+target_ranks_{name} +target_ranks_{name}_augmented" for name in ALL)
    return build(tmp_path_factory.mktemp("paper"), vars, wanted)


def ranks(project: Project, arm: str) -> dict[tuple[int, str], int | None]:
    _, rows = project.rows(
        f"""
        select targets.user_number, targets.split, ranks.rank
        from target_ranks_{arm} as ranks
        inner join targets on targets.target_number = ranks.target_number
        """
    )
    return {(user, split): rank for user, split, rank in rows}


def plain_ranks(
    scores: np.ndarray, targets: list[tuple[int, str, int]], *, scored: bool
) -> dict[tuple[int, str], int | None]:
    """Rank by score, ties by the smaller item; `scored`: an item of score 0 is not ranked."""
    found: dict[tuple[int, str], int | None] = {}
    for user, split, item in targets:
        row = scores[user].astype(np.float32)
        ahead = (row > row[item]) | ((row == row[item]) & (np.arange(len(row)) < item))
        found[user, split] = None if scored and row[item] == 0 else 1 + int(ahead.sum())
    return found


def matrix_of(project: Project, relation: str) -> np.ndarray:
    _, rows = project.rows(f"select user_number, item_number, weight from {relation}")
    shape = [project.rows(f"select count(*) from {t}")[1][0][0] for t in ("users", "item_numbers")]
    matrix = np.zeros(shape)
    for user, item, weight in rows:
        matrix[user, item] = weight
    return matrix


@pytest.mark.parametrize("arm", ["bm25", "tfidf", "bm25_augmented"])
@pytest.mark.filterwarnings("ignore")
def test_own_ranking_is_that_of_implicit(paper: Project, arm: str) -> None:
    from implicit.nearest_neighbours import BM25Recommender, TFIDFRecommender
    from scipy.sparse import csr_matrix

    real = matrix_of(paper, "(select *, 1 as weight from interactions_train)")
    learnt = matrix_of(paper, "fused_interactions") if arm == "bm25_augmented" else real
    model = TFIDFRecommender(K=20) if arm == "tfidf" else BM25Recommender(K=20, K1=1.2, B=0.75)
    model.fit(csr_matrix(learnt), show_progress=False)
    scores = (csr_matrix(real) @ model.similarity).toarray()
    _, targets = paper.rows("select user_number, split, item_number from targets")
    assert ranks(paper, arm) == plain_ranks(scores, targets, scored=True)
    assert len(set(ranks(paper, arm).values())) > 10


def test_bpr_ranks_by_the_users_factors(paper: Project) -> None:
    _, rows = paper.rows("select kind, number, vector from bpr_vectors")
    vectors = {(kind, number): np.array(vector, np.float32) for kind, number, vector in rows}
    _, targets = paper.rows("select user_number, split, item_number from targets")
    found = ranks(paper, "bpr")
    items = sorted(number for kind, number in vectors if kind == "item")
    for user, split, item in targets:
        scores = {i: float(vectors["user", user] @ vectors["item", i]) for i in items}
        if item not in scores:
            assert found[user, split] is None
            continue
        ahead = sum(score > scores[item] for score in scores.values())
        assert abs(found[user, split] - 1 - ahead) <= 1  # sums of floats in another order


def test_youtube_dnn_reads_the_events_before_each_target(paper: Project) -> None:
    both = ranks(paper, "youtube_dnn")
    _, rows = paper.rows("select count(*) from youtube_dnn_vectors where kind = 'query'")
    assert rows[0][0] == len(both)
    _, rows = paper.rows(
        """
        select count(distinct vectors.vector), count(distinct targets.user_number)
        from youtube_dnn_vectors as vectors
        inner join targets on targets.target_number = vectors.number
        where vectors.kind = 'query'
        """
    )
    vectors, users = rows[0]
    assert 2 * users == len(both)
    assert vectors > 1.8 * users  # two targets of a user have two histories


@pytest.mark.parametrize(
    ("vars", "message"),
    [
        ({"protocol": "paper", "recommender": "bm25", "fusion": "distil"}, "ranks users by itself"),
        ({"backbones": ["bm52"]}, "var 'backbones' must be a list"),
        ({"recommender": "als"}, "recommender"),
        ({"bm25_b": 2}, "at most 1"),
        ({"youtube_dnn_similarity": "angle"}, "cosine, dot"),
        ({"bpr_factors": "many"}, "bpr_factors"),
    ],
)
def test_bad_settings_fail_before_anything_runs(
    tmp_path: Path, vars: dict[str, Any], message: str
) -> None:
    with pytest.raises(LlmI2iError) as error:
        _ = Project.load(ROOT, vars=vars, target_path=tmp_path / "target").manifest
    assert message in error.value.render()


@pytest.mark.slow
@pytest.mark.parametrize("recommender", ["bm25", "bpr", "youtube_dnn"])
def test_the_bundled_shop(tmp_path: Path, recommender: str) -> None:
    vars = {
        "language_model": "fake",
        "recommender": recommender,
        "controls": [],
        "others_folds": None,
    }
    build(tmp_path, vars)


PUBLISHED = {  # BM25 without augmentation, LLM-I2I Table 2: R@5 R@10 N@5 N@10
    "beauty": (0.0060, 0.0209, 0.0025, 0.0073),
    "sports_and_outdoors": (0.0031, 0.0094, 0.0013, 0.0035),
    "toys_and_games": (0.0092, 0.0258, 0.0037, 0.0096),
}
MEASURED = {  # the same by this project, mean over TIE_ORDERS
    "beauty": (0.00655, 0.02316, 0.00269, 0.00803),
    "sports_and_outdoors": (0.00347, 0.01150, 0.00143, 0.00401),
    "toys_and_games": (0.00956, 0.02887, 0.00389, 0.01012),
}
TIE_ORDERS = 5


def bm25_gains(folder: Path, name: str, *, seed: int, **vars: Any) -> np.ndarray:
    """Recall and NDCG at 5 and 10 of each test target, shape (users, 4); item ids shuffled by the seed, as ties go by id."""
    folder.mkdir()
    log = pq.read_table(DATA / f"{name}.interactions.parquet").to_pydict()
    old_ids = sorted(set(log["item_id"]))
    new_ids = dict(zip(old_ids, np.random.default_rng(seed).permutation(old_ids), strict=True))
    shuffled = {**log, "item_id": [new_ids[item] for item in log["item_id"]]}
    pq.write_table(pa.table(shuffled), folder / "log.parquet")
    vars |= {
        "interactions": str(folder / "log.parquet"),
        "items": None,
        "order_column": "position",
        "protocol": "paper",
        "fusion": "append",
        "recommender": "bm25",
    }
    project = build(folder, vars, "+target_ranks_bm25")
    _, rows = project.rows(
        """
        select (rank <= 5)::int, (rank <= 10)::int,
            case when rank <= 5 then 1 / log2(rank + 1) else 0 end,
            case when rank <= 10 then 1 / log2(rank + 1) else 0 end
        from (select user_id, coalesce(rank, 1000000) as rank from target_ranks_bm25 where split = 'test')
        order by user_id
        """
    )
    return np.array(rows, dtype=float)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not HAS_DATA, reason=f"needs the research data in {DATA}")
@pytest.mark.parametrize("name", PUBLISHED)
def test_bm25_is_as_far_from_the_paper_as_another_draw_of_targets(
    tmp_path: Path, name: str
) -> None:
    """Ours is above the published figures everywhere, by 4% to 22%, and ties do not explain it (project/docs/backbones.md).

    The paper's targets need not be ours: its Table 1 counts a quarter more events than the public files hold, and reviews have the
    day only, so that another order within the day gives about half of the users another last event. So the two figures are compared
    as those of two samples of as many targets: the interval is that of their difference, at 95% for all twelve figures together
    (Bonferroni). It still tells the protocol apart: leaving out what was seen, the usual evaluation, falls outside of it.
    """
    orders = [bm25_gains(tmp_path / f"{seed}", name, seed=seed) for seed in range(TIE_ORDERS)]
    means = np.array([gains.mean(axis=0) for gains in orders])
    ours, published = means.mean(axis=0), np.array(PUBLISHED[name])
    # equal scores decide who is in front and who is among an item's 20 neighbours, but for few targets: one order has a standard
    # deviation of at most .0001 (R@10 on Toys), so the mean of five has .00005, and four of those are the tolerance.
    assert np.ptp(means, axis=0).max() < 0.0005
    assert ours == pytest.approx(MEASURED[name], abs=0.0002)

    n_figures = len(PUBLISHED) * 4
    quantile = NormalDist().inv_cdf(1 - 0.05 / (2 * n_figures))
    variances = np.mean(orders, axis=0).var(axis=0, ddof=1)
    interval = (
        quantile * np.sqrt(2 * variances / len(orders[0])) + 0.00005
    )  # published: four digits
    assert (abs(ours - published) < interval).all()
    filtered = bm25_gains(tmp_path / "filtered", name, seed=0, exclude_seen=True).mean(axis=0)
    assert (abs(filtered - published) > 2 * interval).all()
