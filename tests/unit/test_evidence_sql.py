"""The evidence models against a few lines of plain Python: controls, others' pairs, intervals, AUC, samplers, filtered pairs."""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_i2i.config.vars import merge_vars
from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.load import load_manifest, make_renderer

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode knows no sibling modules
from test_reference_sql import (  # type: ignore[import-not-found]
    PROJECT,
    Warehouse,
    plain_swing,
    random_log,
    synthetic,
)

CONTROLS = ["random_keep", "log_probability", "popularity", "swing_top"]


def with_controls(seed: int, **vars: Any) -> Warehouse:
    return synthetic(
        Warehouse(random_log(seed, users=60), controls=CONTROLS, others_folds=3, **vars)
    )


# -- controls ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["append", "distil"])
def test_controls_are_built_and_pass_their_data_tests(fusion: str) -> None:
    house = with_controls(4, fusion=fusion).build("ranking_metrics", "paired_differences", "items")
    arms = {a for (a,) in house.rows("select distinct augmentation from ranking_metrics")}
    assert arms == {"none", "llm_i2i", "llm_i2i_others", *CONTROLS}
    models = [f"{prefix}_{c}" for c in CONTROLS for prefix in ("control", "index", "target_ranks")]
    for model in [*models, "index_others", "target_ranks_others", "paired_differences"]:
        assert house.failures(model) == {}, model


def test_controls_deal_the_same_votes_to_other_pairs() -> None:
    house = with_controls(5, synthetic_per_user=2).build(*(f"control_{c}" for c in CONTROLS))
    kept = defaultdict(list)
    for user, vote in house.rows(
        "select user_number, vote from synthetic_interactions order by vote desc"
    ):
        kept[user].append(vote)
    for control in CONTROLS:
        dealt = defaultdict(list)
        for user, vote in house.rows(
            f"select user_number, vote from control_{control} order by user_number, place"
        ):
            dealt[user].append(vote)
        for user, votes in dealt.items():
            assert votes == pytest.approx(kept[user][: len(votes)]), control
        if control in ("random_keep", "log_probability"):
            assert Counter(map(len, dealt.values())) == Counter(map(len, kept.values()))


def test_a_dealt_vote_has_no_long_tail_factor() -> None:
    """The factor is the item's: an index multiplies by it, whoever's votes it adds (index_of_arm.sql)."""
    house = with_controls(5, long_tail_vote=3.0).build("control_popularity")
    votes = "select user_number, vote from {}"
    kept = defaultdict(list)
    for user, vote in house.rows(votes.format("synthetic_interactions") + " order by 2 desc"):
        kept[user].append(vote)
    rows = house.rows(votes.format("control_popularity") + " order by user_number, place")
    dealt = defaultdict(list)
    for user, vote in rows:
        dealt[user].append(vote)
    assert rows
    for user, found in dealt.items():
        assert found == pytest.approx(kept[user][: len(found)])


def test_each_control_chooses_what_it_says() -> None:
    house = with_controls(6, synthetic_per_user=1, synthetic_order="confidence").build(
        *(f"control_{c}" for c in CONTROLS), "i2i_index_baseline"
    )
    best = dict(
        house.rows("select user_number, item_number from scored_interactions where rank = 1")
    )
    found = dict(house.rows("select user_number, item_number from control_log_probability"))
    assert found == best
    random_items = dict(house.rows("select user_number, item_number from control_random_keep"))
    candidates = set(house.rows("select user_number, item_number from scored_interactions"))
    assert set(random_items.items()) <= candidates
    assert random_items != best
    events = defaultdict(list)
    for user, item in house.rows(
        "select user_number, item_number from interactions_train order by position desc"
    ):
        events[user].append(item)
    index: dict[int, dict[int, float]] = defaultdict(dict)
    for trigger, related, score in house.rows(
        "select trigger_item_number, related_item_number, score from i2i_index_baseline"
    ):
        index[trigger][related] = score
    tops = dict(house.rows("select user_number, item_number from control_swing_top"))
    assert len(tops) > 20
    for user, item in tops.items():
        scores: dict[int, float] = defaultdict(float)
        for age, trigger in enumerate(events[user][:10]):
            for related, score in index[trigger].items():
                if related not in events[user]:
                    scores[related] += 0.5**age * score
        assert item == min(scores, key=lambda i: (-float(np.float32(scores[i])), i))


@pytest.mark.parametrize("fusion", ["append", "distil"])
def test_a_control_that_chooses_the_same_pairs_is_the_same_arm(fusion: str) -> None:
    # votes are probability ^ .35 here, and the kept pairs the most probable: log_probability deals them back.
    house = with_controls(9, fusion=fusion, synthetic_per_user=2, synthetic_weight=0.5)
    house.build("index_log_probability", "i2i_index", "index_random_keep")
    query = "select trigger_item_id, related_item_id, score from {}"
    result, control, other = (
        {(i, j): score for i, j, score in house.rows(query.format(name))}
        for name in ("i2i_index", "index_log_probability", "index_random_keep")
    )
    assert control == pytest.approx(result, rel=1e-6)
    assert other != pytest.approx(result, rel=1e-6)


def test_popular_items_are_drawn_by_their_events() -> None:
    log = [(f"u{n}", "hit", 0) for n in range(0, 400, 2)] + [
        (f"u{n}", f"i{n % 8}", 1) for n in range(400)
    ]
    house = synthetic(
        Warehouse(log, controls=["popularity"], synthetic_per_user=1, others_folds=None)
    )
    house.build("control_popularity")
    drawn = Counter(
        i
        for u, i in house.rows("select user_id, item_id from control_popularity")
        if int(u[1:]) % 2  # who does not have the hit
    )
    # 200 of 600 events; a user's own item (50 events) is passed over: 200 / 550.
    assert drawn["hit"] / sum(drawn.values()) == pytest.approx(200 / 550, abs=0.1)


def test_an_unknown_control_is_refused() -> None:
    with pytest.raises(LlmI2iError, match="var 'controls' must be a list"):
        Warehouse([("u", "a", 0)], controls=["swing_tops"])


def test_others_index_holds_no_pair_of_the_fold() -> None:
    house = with_controls(7, fusion="distil", distil_mu=1000.0).build("index_others", "swing")
    real = {
        pair
        for i, j in house.rows("select item_number, related_item_number from swing")
        for pair in [(i, j)]
    }
    train = defaultdict(list)
    for user, item in house.rows(
        "select user_number, item_number from interactions_train order by position desc"
    ):
        train[user].append(item)
    pairs = defaultdict(list)
    for user, item in house.rows("select user_number, item_number from synthetic_interactions"):
        pairs[user].append(item)
    for fold in range(3):
        carried = {
            (trigger, item)
            for user, events in train.items()
            if user % 3 != fold
            for trigger in events[:5]
            for item in pairs[user]
        }
        found = set(
            house.rows(
                f"select trigger_item_number, related_item_number from index_others where fold = {fold}"
            )
        )
        assert found == carried | real
    own = house.build("target_ranks_others").rows("select count(*) from target_ranks_others")
    assert own == house.rows("select count(*) from targets")


# -- evaluation --------------------------------------------------------------------------------------------------------


def test_near_targets_and_their_segments() -> None:
    log = [(f"u{n}", item, k) for n in range(4) for k, item in enumerate("abcf")]
    log += [("far", item, k) for k, item in enumerate("afbz")]
    asins = {"a": "B1", "b": "B9", "c": "B8", "d": "B7", "e": "B6", "f": "B5", "z": None}
    items = " union all ".join(
        f"select '{i}' as item_id, {'null' if a is None else repr(a)} as asin"
        for i, a in asins.items()
    )
    house = Warehouse(
        log, items, near_column="asin", near_ranks=1, controls=[], others_folds=None,
        held_out_events=2,
    ).build("target_neighbourhood")  # fmt: skip
    # in ASIN order: a f e d c b
    found = {
        (u, s): (steps, near)
        for u, s, steps, near in house.rows(
            "select user_id, split, steps, is_near from target_neighbourhood"
        )
    }
    assert found["u0", "validation"] == (-1, True)  # c after b
    assert found["u0", "test"] == (-3, False)  # f after c
    assert found["far", "validation"] == (4, False)  # b after f
    assert found["far", "test"] == (None, False)  # z has no ASIN
    house.table(
        "synthetic_interactions",
        "select '' as user_id, '' as item_id, 1 as place, 0.5::double as vote, 0 as user_number, 0 as item_number where false",
    ).build("ranking_metrics", "metrics_summary", "paired_differences")
    n_users = dict(
        house.rows(
            "select segment, n_users from ranking_metrics where split = 'validation' and metric = 'recall'"
            " and k = 10 and recommender = 'swing' and augmentation = 'none'"
        )
    )
    assert n_users["all"] == 5
    assert n_users["all_without_near"] == 1
    assert house.failures("ranking_metrics") == {}
    assert house.failures("target_neighbourhood") == {}


def test_a_near_column_needs_an_items_file() -> None:
    merged = merge_vars(PROJECT.var_settings, {"items": None, "near_column": "asin"})
    with pytest.raises(LlmI2iError, match="near_column names a column of the items file"):
        load_manifest(PROJECT, make_renderer(PROJECT, merged, "dev"))


def ranks_house(seed: int, n_users: int = 400, shift: float = 0.0) -> tuple[Warehouse, np.ndarray]:
    """Ranks of two arms for `n_users` users, and their differences in recall@10 and NDCG@10, shape (2, users)."""
    house = Warehouse([("u", "a", 0)], controls=[], others_folds=None)
    draw = np.random.default_rng(seed)
    plain = draw.integers(1, 40, n_users)
    better = np.maximum(1, plain - draw.integers(-8, 9 + int(shift), n_users))
    rows = [
        f"('swing', '{arm}', 'test', {'true' if u % 4 == 0 else 'false'}, false, false, {rank}, {2 * u + 1})"
        for arm, ranks in (("none", plain), ("llm_i2i", better))
        for u, rank in enumerate(ranks)
    ]
    columns = "(recommender, augmentation, split, is_long_tail, is_new_user, is_new_item, rank, target_number)"
    house.table(
        "target_ranks_all",
        f"select *, 'rare' as trigger_popularity from (values {', '.join(rows)}) as t{columns}",
    )
    house.build("ranking_metrics", "paired_differences")

    def gains(ranks: np.ndarray) -> np.ndarray:
        hit = ranks <= 10
        return np.stack([hit * 1.0, np.where(hit, 1 / np.log2(ranks + 1), 0.0)])

    return house, gains(better) - gains(plain)


@pytest.mark.parametrize("seed", range(2))
def test_paired_differences_equal_a_bootstrap_over_users(seed: int) -> None:
    house, differences = ranks_house(seed)
    draw = np.random.default_rng(99)
    resamples = draw.integers(0, 400, (4000, 400))
    for metric, difference in zip(("recall", "ndcg"), differences, strict=True):
        rows = house.rows(
            "select difference, standard_error, lower, upper, value - other_value, relative_gain, value / other_value - 1, n_users"
            f" from paired_differences where segment = 'all' and k = 10 and metric = '{metric}' and against = 'none'"
        )
        ((found, error, lower, upper, of_values, gain, expected_gain, n_users),) = rows
        assert found == pytest.approx(difference.mean())
        assert found == pytest.approx(of_values)
        assert gain == pytest.approx(expected_gain, abs=1e-4)
        assert n_users == 400
        assert error == pytest.approx(difference.std(ddof=1) / math.sqrt(400))
        expected = np.quantile(difference[resamples].mean(axis=1), [0.025, 0.975])
        assert [lower, upper] == pytest.approx(
            expected, abs=0.4 * error
        )  # 1,000 resamples, steps of 1 / 400


def test_an_interval_of_many_users_has_the_width_of_its_standard_error() -> None:
    house, _ = ranks_house(3, n_users=3000)
    rows = house.rows(
        "select (upper - lower) / (2 * 1.96 * standard_error) from paired_differences where against = 'none'"
    )
    assert len(rows) == 4 * 2 * 3  # segments that have targets, metrics, cut-offs
    assert all(0.85 < ratio < 1.15 for (ratio,) in rows)


def test_the_best_arm_is_chosen_on_validation() -> None:
    house = Warehouse([("u", "a", 0)], controls=[], others_folds=None)
    ranks = {  # validation, test
        ("swing", "none"): (30, 1),
        ("swing", "llm_i2i"): (1, 1),
        ("cosine", "none"): (5, 30),
        ("cooccurrence", "none"): (30, 2),
    }
    rows = [
        f"('{r}', '{a}', '{split}', false, false, false, {rank}, {number})"
        for (r, a), both in ranks.items()
        for number, (split, rank) in enumerate(zip(("validation", "test"), both, strict=True))
    ]
    columns = "(recommender, augmentation, split, is_long_tail, is_new_user, is_new_item, rank, target_number)"
    house.table(
        "target_ranks_all",
        f"select *, 'rare' as trigger_popularity from (values {', '.join(rows)}) as t{columns}",
    )
    house.build("paired_differences")
    assert house.rows(
        "select distinct recommender, augmentation, other_recommender, other_augmentation"
        " from paired_differences where against = 'best_without_language_model'"
    ) == [("swing", "llm_i2i", "cosine", "none")]


SCORED = [  # user, item, confidence, log-probability, hit of the validation target
    (0, 0, 0.9, -1.0, True), (0, 1, 0.4, -2.0, False), (1, 0, 0.4, -1.5, False),
    (1, 2, 0.4, -3.0, True), (2, 1, 0.1, -0.5, False), (2, 2, 0.7, -2.5, False),
]  # fmt: skip


def scored_house(**vars: Any) -> Warehouse:
    """Six scored candidates of three users; users 0 and 1 have their target among them, user 0's is a long-tail item."""
    house = Warehouse([("u", "a", 0)], **vars)
    rows = ", ".join(
        f"({u}, {i}, {c}::double, {p}::double, {c}::double)" for u, i, c, p, _ in SCORED
    )
    house.table(
        "scored_interactions",
        f"select * from (values {rows}) as t(user_number, item_number, confidence, log_probability, margin)",
    )
    house.table(
        "targets",
        "select * from (values (0, 0, 'validation'), (1, 2, 'validation'), (2, 9, 'validation')) as t(user_number, item_number, split)",
    )
    tail = "select n::integer as item_number, n = 0 as is_long_tail from range(10) as t(n)"
    return house.table("item_long_tail", tail).table("evaluation_long_tail", tail)


def test_auc_counts_ties_as_half() -> None:
    house = scored_house().build("discriminator_auc")
    found = {
        (score, segment): (auc, hits, misses)
        for score, segment, auc, hits, misses in house.rows(
            "select score, segment, auc, n_hits, n_misses from discriminator_auc"
        )
    }
    # hits .9 and .4 against misses .4 .4 .1 .7: 4 + (1/2 + 1/2 + 1 + 0) of 8.
    assert found["confidence", "all"] == (6 / 8, 2, 4)
    # hits -1 and -3 against -2 -1.5 -.5 -2.5: 3 + 0 of 8.
    assert found["log_probability", "all"] == (3 / 8, 2, 4)
    assert found["confidence", "long_tail"] == (1.0, 1, 1)
    assert found["confidence", "other"] == (pytest.approx((0.5 + 1 + 0) / 3), 1, 3)
    assert house.failures("discriminator_auc") == {}


def test_calibration_by_tenths() -> None:
    house = scored_house().build("discriminator_calibration")
    rows = house.rows(
        "select decile, n_candidates, mean_confidence, share_of_hits, expected_calibration_error, brier_score"
        " from discriminator_calibration order by decile"
    )
    ordered = sorted(SCORED, key=lambda row: (row[2], row[0], row[1]))
    assert [row[:4] for row in rows] == [
        (n + 1, 1, pytest.approx(row[2]), float(row[4])) for n, row in enumerate(ordered)
    ]
    errors = [abs(row[2] - row[4]) for row in SCORED]
    assert rows[0][4] == pytest.approx(sum(errors) / 6)
    assert rows[0][5] == pytest.approx(sum(e * e for e in errors) / 6)
    assert house.failures("discriminator_calibration") == {}


def test_min_confidence_as_a_quantile() -> None:
    vars = {"confidence_scale": "quantile", "min_confidence": 0.5}
    house = scored_house(**vars)
    for model in ("generator", "discriminator"):
        house.table(model, "select 'a checkpoint' as checkpoint")
    house.connection.execute(
        "create or replace table scored_interactions as select user_number as user_id, item_number as item_id, 1 as rank,"
        " -1.0 as log_probability, 'Yes' as label, '' as generator_call, '' as discriminator_call, *"
        " exclude (log_probability) from scored_interactions"
    )
    house.build("synthetic_interactions")
    kept = house.rows("select user_number, item_number from synthetic_interactions")
    # shares below: .1: 0, .4: 1/6 three times, .7: 4/6, .9: 5/6.
    assert sorted(kept) == [(0, 0), (2, 2)]
    equal = synthetic(Warehouse(random_log(4), **vars | {"min_confidence": 0.01}))
    # all margins are equal, so no candidate is below another.
    assert equal.build("synthetic_interactions").rows("from synthetic_interactions") == []


# -- negative samplers -------------------------------------------------------------------------------------------------


def sampler_house(sampler: str, **vars: Any) -> Warehouse:
    log = [
        (f"u{n}", f"i{(n * 7 + k * k + k * (n % 5)) % 60:02}", k)
        for n in range(150)
        for k in range(7)
    ]
    items = "select distinct item_id, 'Kind ' || (substr(item_id, 2)::int % 3) as category from log__interactions"
    house = Warehouse(log, items, negative_sampler=sampler, controls=[], others_folds=None, **vars)
    house.build("interactions_train", "users", "item_numbers")
    return house.table(
        "generated_interactions",
        """
        select user_number, item_number, row_number() over (partition by user_number order by item_number desc) as rank
        from users cross join item_numbers anti join interactions_train using (user_number, item_number)
        qualify rank <= 5
        """,
    )


@pytest.mark.parametrize(
    "sampler", ["popularity", "same_category", "swing_neighbour", "generator", "mixture"]
)
def test_samplers_draw_unseen_items_and_repeat_themselves(sampler: str) -> None:
    house = sampler_house(sampler, negative_ratio=2).build("discriminator_examples", "items")
    assert house.failures("discriminator_examples") == {}
    counts = dict(house.rows("select completion, count(*) from discriminator_examples group by 1"))
    assert counts["No"] == 2 * counts["Yes"]
    query = "select user_id, position, draw, item_id from discriminator_examples where completion = 'No' order by all"
    seed = 7 if sampler == "mixture" else 42
    again = sampler_house(sampler, negative_ratio=2, random_seed=seed)
    again.build("discriminator_examples")
    assert (house.rows(query) == again.rows(query)) == (seed == 42)


def share(house: Warehouse, condition: str) -> float:
    """Share of the negatives, `no`, that fulfil a condition; `yes` is the pair they stand against."""
    ((found,),) = house.rows(
        f"""
        select avg(case when {condition} then 1 else 0 end)
        from discriminator_examples as no
        join discriminator_examples as yes using (user_number, position)
        where no.completion = 'No' and yes.completion = 'Yes'
        """
    )
    return float(found)


def test_each_sampler_draws_from_its_own_pool() -> None:
    kind = "(select any_value(category) from items where item_number = {}.item_number)"
    same_kind = f"{kind.format('no')} = {kind.format('yes')}"
    generated = "exists (select 1 from generated_interactions as g where g.user_number = no.user_number and g.item_number = no.item_number)"
    house = sampler_house("same_category").build("discriminator_examples", "items")
    assert share(house, same_kind) == 1
    house = sampler_house("generator").build("discriminator_examples")
    assert share(house, generated) == 1
    house = sampler_house("swing_neighbour").build("discriminator_examples", "i2i_index_baseline")
    assert house.rows("select max(rank) from i2i_index_baseline")[0][0] > 22
    neighbour = """exists (
        select 1 from i2i_index_baseline as index join interactions_train as train on train.item_number = trigger_item_number
        where train.user_number = no.user_number and train.position between no.position - 5 and no.position - 1
            and related_item_number = no.item_number and rank between 20 and 200
    )"""
    pools = """(
        select count(distinct trigger_item_number) from i2i_index_baseline as index
        join interactions_train as train on train.item_number = trigger_item_number
        where train.user_number = no.user_number and train.position between no.position - 5 and no.position - 1 and rank >= 20
    ) > 0"""
    assert share(house, f"{neighbour} or not {pools}") > 0.9


def test_a_mixture_keeps_its_shares() -> None:
    generated = "exists (select 1 from generated_interactions as g where g.user_number = no.user_number and g.item_number = no.item_number)"
    by_chance = share(
        sampler_house("uniform", negative_ratio=4).build("discriminator_examples"), generated
    )
    house = sampler_house(
        "mixture", negative_mixture={"uniform": 3, "generator": 1}, negative_ratio=4
    ).build("discriminator_examples")
    assert share(house, generated) == pytest.approx(0.25 + 0.75 * by_chance, abs=0.04)


def test_popularity_is_drawn_to_the_power_of_three_quarters() -> None:
    # item h has 256 events, l0 ... l63 have 4 each: 256^.75 = 64 against 64 * 4^.75 = 181.
    log = [(f"h{n}", "h", 0) for n in range(256)]
    log += [(f"l{n}", f"l{(n + k) % 64:02}", k) for n in range(128) for k in range(2)]
    house = Warehouse(
        log, negative_sampler="popularity", negative_ratio=8, controls=[], others_folds=None
    ).build("discriminator_examples")
    drawn = Counter(
        i
        for (i,) in house.rows("select item_id from discriminator_examples where completion = 'No'")
    )
    expected = 64 / (64 + 62 * 4**0.75)  # a user's own two items are passed over
    assert drawn["h"] / sum(drawn.values()) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"uniform": 1, "hard": 1}, "'hard' in var negative_mixture is none of"),
        ({"uniform": -1}, "the share of 'uniform' in var negative_mixture is -1"),
        ({}, "negative_mixture is empty"),
    ],
)
def test_a_wrong_mixture_is_refused(mixture: dict[str, float], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        Warehouse([("u", "a", 0)], negative_sampler="mixture", negative_mixture=mixture)


# -- filtering real pairs ----------------------------------------------------------------------------------------------


def filter_house(filter_real: str, **vars: Any) -> Warehouse:
    """Confidence in a pair is its item's number / 10, for all but first events."""
    house = Warehouse(random_log(8, users=60), filter_real=filter_real, **vars)
    house.build("interactions_train")
    return house.table(
        "filter_scores",
        """
        select user_id, item_id, position, 1 as fold, item_number / 20.0::double as confidence, item_number * 1.0::double as margin,
            user_number, item_number
        from interactions_train where position >= 1
        """,
    )


@pytest.mark.parametrize("filter_real", ["drop_no", "drop_below"])
def test_doubtful_pairs_go_but_nobody_is_left_empty(filter_real: str) -> None:
    house = filter_house(filter_real, filter_max_dropped=1, filter_min_confidence=0.4)
    house.build("refined_interactions", "filter_report")
    threshold = 0.5 if filter_real == "drop_no" else 0.4
    n_dropped = 0
    best: dict[int, Any] = {}
    rows = house.rows(
        "select user_number, item_number, position, confidence, decision, position = max(position) over (partition by user_number)"
        " from filter_decisions"
    )
    for user, item, _, confidence, _, _ in rows:
        key = (0, 0, user) if confidence is None else (1, -confidence, user)
        best[item] = min(best.get(item, key), key)
    for user, item, _, confidence, decision, is_last in rows:
        if confidence is None:
            expected = "not judged"
        elif confidence > threshold or (filter_real == "drop_below" and confidence == threshold):
            expected = "kept"
        elif is_last:
            expected = "kept: last of the user"
        elif best[item][2] == user:
            expected = "kept: best of the item"
        else:
            expected = "dropped"
            n_dropped += 1
        assert decision == expected
    assert n_dropped >= 3
    assert house.rows("select count(*) from refined_interactions") == [(len(rows) - n_dropped,)]
    for model in ("filter_decisions", "refined_interactions", "filter_report"):
        assert house.failures(model) == {}, model


def test_no_more_than_the_cap_goes_and_the_least_convincing_first() -> None:
    free = filter_house("drop_no", filter_max_dropped=1).build("filter_decisions")
    capped = filter_house("drop_no", filter_max_dropped=0.02).build(
        "filter_decisions", "filter_report", "refined_interactions"
    )
    query = "select user_number, item_number from filter_decisions where decision = 'dropped' order by margin, user_number, item_number"
    n_pairs = capped.rows("select count(*) from interactions_train")[0][0]
    allowed = int(0.02 * n_pairs)
    assert allowed >= 1
    assert capped.rows(query) == free.rows(query)[:allowed]
    assert capped.failures("filter_report") == {}


@pytest.mark.parametrize("fusion", ["append", "distil"])
@pytest.mark.parametrize("filter_real", ["drop_no", "downweight"])
def test_the_augmented_index_learns_from_the_filtered_pairs(fusion: str, filter_real: str) -> None:
    house = synthetic(
        filter_house(filter_real, fusion=fusion, protocol="paper", filter_max_dropped=1)
    )
    house.build("swing_augmented", "swing", "i2i_index", "items")
    weights = {
        (u, i): w
        for u, i, w in house.rows("select user_id, item_id, weight from refined_interactions")
    }
    if fusion == "append":
        weights |= dict.fromkeys(
            house.rows("select user_id, item_id from synthetic_interactions"), 1.0
        )
    items_of: dict[str, set[str]] = defaultdict(set)
    for user, item in weights:
        items_of[user].add(item)
    found = {
        (i, j): s
        for i, j, s in house.rows("select item_id, related_item_id, score from swing_augmented")
    }
    assert found == pytest.approx(
        plain_swing(items_of, event_weight=lambda user, item: weights[user, item]), abs=1e-9
    )
    raw = {(i, j): s for i, j, s in house.rows("select item_id, related_item_id, score from swing")}
    assert raw != found
    for model in ("fused_interactions", "i2i_index"):
        assert house.failures(model) == {}, model


def test_filter_models_are_not_there_when_it_is_off() -> None:
    for off in ("off", False):
        nodes = Warehouse([("u", "a", 0)], filter_real=off).manifest.nodes
        assert not [name for name in nodes if name.startswith(("filter_", "refined_"))]
    nodes = Warehouse([("u", "a", 0)], filter_real="drop_no", filter_folds=2).manifest.nodes
    assert [n for n in nodes if n.startswith("filter_discriminator")] == [
        "filter_discriminator_1",
        "filter_discriminator_2",
    ]
