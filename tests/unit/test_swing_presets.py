"""Swing's presets and the vars over them, against the worked table of method.md 6.1 and a ten-line Swing."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import combinations, permutations
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from tests.unit.test_reference_sql import WORKED_LOG, Log, Warehouse

LITERAL = {"self_pairs": True, "self_pair_weight": 1, "user_pair_weight": 2}
SETTINGS: dict[str, dict[str, Any]] = {  # of the ten lines below, preset by preset
    "ours": {"selves": 0.1, "exponent": 0.5},
    "paper": {},
    "alink": {"shift": 5, "beta": -0.35, "drop": True},
    "flink": {"shift": 15, "beta": 0.3, "alpha": 0, "drop": True},
    "pai_ext": {"shift": 5, "beta": 0.3, "normalise": True},
}

Scores = dict[tuple[str, str], float]


def ten_lines(
    items_of: dict[str, set[str]], *, shift: float = 0, beta: float = 0.5, alpha: float = 1, pairs: float = 1,
    selves: float = 0, exponent: float = 0, fewest: int = 1, least: int = 1, most: int = 10**9, normalise: bool = False, drop: bool = False,
) -> Scores:  # fmt: skip
    """Swing as method.md 6.1 writes it; a cap on a user's items either drops the user here or has cut the items before."""
    kept = {u: i for u, i in items_of.items() if len(i) >= least and not (drop and len(i) > most)}
    w = {u: (len(items) + shift) ** -beta for u, items in kept.items()}
    degree = Counter(item for items in kept.values() for item in items)
    scores: Scores = {}
    for i, j in permutations(degree, 2):
        both = [u for u, items in kept.items() if {i, j} <= items]
        score = pairs * sum(
            w[u] * w[v] / (alpha + len(kept[u] & kept[v])) for u, v in combinations(both, 2)
        )
        score += selves * sum(w[u] ** 2 / (alpha + len(kept[u])) for u in both)
        if score and len(both) >= fewest:
            scores[i, j] = score / (degree[i] * degree[j]) ** exponent
    best = {i: max(s for (a, _), s in scores.items() if a == i) for i, _ in scores}
    return {(i, j): s / best[i] if normalise else s for (i, j), s in scores.items()}  # fmt: skip


def swing(log: Log, **vars: Any) -> Scores:
    """Scores of the model swing when the whole log is the train part."""
    house = Warehouse(log, held_out_events=0, **vars).build("swing")
    rows = house.rows("select item_id, related_item_id, score from swing")
    return {(i, j): score for i, j, score in rows}


def baskets(log: Log, most: int = 10**9) -> dict[str, set[str]]:
    """Items of each user, the most recent `most` of them."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for user, item, when in log:
        found[user][item] = min(when, found[user].get(item, when))
    return {
        user: set(sorted(items, key=lambda item: (items[item], item))[-most:])
        for user, items in found.items()
    }


def log_of(seed: int) -> Log:
    """Users with 1 to 12 events on 14 items, repeats among them."""
    draw = random.Random(seed)
    items = [f"i{n:02}" for n in range(14)]
    weights = [1 / (n + 1) for n in range(14)]
    return [
        (f"u{u:02}", draw.choices(items, weights)[0], when)
        for u in range(30)
        for when in range(draw.choice([1, 2, 3, 5, 12]))
    ]


@pytest.mark.parametrize(
    ("vars", "expected"),
    [
        ({"swing_preset": "paper", "user_beta": 0}, (0.833333, 0.250000, 0)),
        ({"swing_preset": "paper", "user_beta": 0} | LITERAL, (2.366667, 0.950000, 0.200000)),
        ({"swing_preset": "paper"}, (0.255449, 0.072169, 0)),
        ({"swing_preset": "paper"} | LITERAL, (0.727564, 0.277671, 0.050000)),
        ({"swing_preset": "pai_ext", "max_normalised": False}, (0.234327, 0.069301, 0)),
        ({"swing_preset": "flink"}, (0.204067, 0.057899, 0)),
        ({"swing_preset": "alink"}, (3.662791, 1.116880, 0)),
        ({"swing_preset": "ours", "protocol": "paper"}, (0.255449, 0.072169, 0)),
        # ours adds a tenth of the u = v terms, (.727564 - 2 x .255449) / 10, and divides by the root of the degrees, 3 x 3, 3 x 2, 2 x 2.
        (
            {"swing_preset": "ours", "protocol": "standard"},
            (0.277116 / 3, 0.085502 / 6**0.5, 0.005 / 2),
        ),
    ],
)
def test_presets_give_the_worked_table(vars: dict[str, Any], expected: tuple[float, ...]) -> None:
    found = swing(WORKED_LOG, **vars)
    groups = [[("A", "B")], [("A", "C"), ("A", "D"), ("B", "C"), ("B", "D")], [("C", "D")]]
    for pairs, value in zip(groups, expected, strict=True):
        for i, j in pairs:
            assert found.get((i, j), 0) == found.get((j, i), 0) == pytest.approx(value, abs=1e-6)


def test_max_normalised_list_of_the_worked_log() -> None:
    vars = {"swing_preset": "paper", "user_beta": 0, "max_normalised": True}
    found = swing(WORKED_LOG, **vars)
    assert {j: s for (i, j), s in found.items() if i == "A"} == pytest.approx(
        {"B": 1.0, "C": 0.3, "D": 0.3}
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("preset", SETTINGS)
def test_presets_equal_ten_lines(preset: str, seed: int) -> None:
    log = log_of(seed)
    expected = ten_lines(baskets(log), **SETTINGS[preset])
    assert len(expected) > 50
    assert swing(log, swing_preset=preset) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("vars", "options"),
    [
        ({"user_alpha": 2.0, "swing_alpha": 3}, {"shift": 2, "alpha": 3}),
        (LITERAL, {"pairs": 2, "selves": 1}),
        ({"min_common_users": 3}, {"fewest": 3}),
        ({"min_items_per_user": 3}, {"least": 3}),
        ({"max_items_per_user": 4, "over_max_items": "drop_user"}, {"most": 4, "drop": True}),
        (
            {"max_items_per_user": 4, "over_max_items": "drop_user", "min_items_per_user": 3},
            {"most": 4, "drop": True, "least": 3},
        ),
        ({"max_normalised": True, "degree_exponent": 0.5}, {"normalise": True, "exponent": 0.5}),
    ],
)
def test_a_var_overrides_the_preset(vars: dict[str, Any], options: dict[str, Any]) -> None:
    log = log_of(5)
    plain = ten_lines(baskets(log))
    expected = ten_lines(baskets(log), **options)
    assert expected != pytest.approx(plain), "the var must matter on this log"
    assert swing(log, swing_preset="paper", **vars) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["auto", "by_user", "by_item"])
@pytest.mark.parametrize("fewest", [2, 3])
def test_both_forms_equal_ten_lines(seed: int, form: str, fewest: int) -> None:
    log = log_of(seed)
    vars = {"min_common_users": fewest, "swing_form": form}
    expected = ten_lines(baskets(log), fewest=fewest, selves=0.1, exponent=0.5)
    assert len(expected) > 20
    assert swing(log, **vars) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("popular", "by_user"), [(True, True), (False, False)])
def test_auto_takes_the_form_of_fewer_pairs(popular: bool, by_user: bool) -> None:
    """One item that all have makes pairs of users; one user who has all makes pairs of items."""
    one, all_of_them = ("i0", "u{}") if popular else ("i{}", "u0")
    log = [(all_of_them.format(n), one.format(n), n) for n in range(20)]
    house = Warehouse(log, held_out_events=0, min_common_users=2).build("swing_costs")
    found = house.rows("select item_pairs, user_pairs, by_user from swing_costs")
    assert found == [(0, 190, True) if by_user else (190, 0, False)]


def test_a_log_over_the_budget_fails_with_the_cap_that_would_do() -> None:
    log = [(f"u{u}", f"i{i}", i) for u in range(60) for i in range(40)]
    house = Warehouse(log, held_out_events=0, swing_max_pairs=10_000)
    (failures,) = house.failures("swing_costs").values()
    assert "46,800" in failures[0][0]
    assert "max_users_per_item: 20" in failures[0][0]  # 40 items, 190 pairs of users each
    assert "min_common_users: 2" in failures[0][0]
    assert not Warehouse(log, held_out_events=0).failures("swing_costs")


def test_by_item_cannot_know_items_with_one_user_in_common() -> None:
    with pytest.raises(ProjectError, match="min_common_users"):
        Warehouse(WORKED_LOG, swing_form="by_item")


@pytest.mark.parametrize(("cap", "kept"), [(4, 4), (0, 10**9)])
def test_the_most_recent_items_stay(cap: int, kept: int) -> None:
    log = log_of(6)
    vars = {"swing_preset": "paper", "max_items_per_user": cap}
    assert swing(log, **vars) == pytest.approx(ten_lines(baskets(log, kept)), abs=1e-9)
    assert ten_lines(baskets(log, 4)) != pytest.approx(ten_lines(baskets(log)))


def test_the_sample_of_an_items_users_follows_the_seed() -> None:
    log = [(f"u{n}", item, 0) for n in range(40) for item in ("a", "b", f"c{n % 5}")]
    capped = {"swing_preset": "paper", "max_users_per_item": 20}
    one, same, other = (swing(log, random_seed=seed, **capped) for seed in (1, 1, 2))
    assert one == pytest.approx(same, rel=1e-12), "threads add in any order"
    assert one != pytest.approx(other, rel=1e-6)
    house = Warehouse(log, held_out_events=0, **capped).build("swing_sums")
    assert max(d for pair in house.rows("select degree, related_degree from swing_sums") for d in pair) == 20  # fmt: skip


@pytest.mark.parametrize(
    "vars", [{"swing_preset": "alinc"}, {"over_max_items": "oldest"}, {"min_items_per_user": 0}]
)
def test_a_wrong_setting_fails_before_anything_runs(vars: dict[str, Any]) -> None:
    with pytest.raises(ProjectError, match=next(iter(vars))):
        Warehouse(WORKED_LOG, **vars)
