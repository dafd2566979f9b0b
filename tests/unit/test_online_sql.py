"""The SQL of models/online: its statistics against scipy and plain numpy, attribution by hand, and 200 simulated A/B tests whose truth is known."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import optimize, stats  # noqa: TID253

from llm_i2i.config.loader import load_project
from llm_i2i.config.vars import merge_vars
from llm_i2i.graph.load import load_manifest, make_renderer
from llm_i2i.render.result import Instance
from llm_i2i.simulate import (
    Behaviour,
    Log,
    Shop,
    Visits,
    ask,
    assign,
    draw_log,
    index_recommender,
    log_tables,
    make_shop,
    plan_requests,
    true_values,
)
from llm_i2i.simulate.behaviour import draw_logs
from llm_i2i.simulate.visits import NO_ITEM

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load_project(ROOT)
TABLE_6 = ["rn", "l2p", "ctr", "cvr", "gmv", "latency"]


@lru_cache
def compiled(vars: str) -> tuple[Any, Any]:
    """Renderer and manifest with these vars (JSON)."""
    merged = merge_vars(PROJECT.var_settings, {"online_logs": "log", **json.loads(vars)})
    renderer = make_renderer(PROJECT, merged, "dev")
    return renderer, load_manifest(PROJECT, renderer)


class House:
    """Online models as DuckDB tables, and pieces of SQL with the project's macros."""

    def __init__(self, tables: dict[str, Any] | None = None, **vars: Any) -> None:
        self.renderer, self.manifest = compiled(json.dumps(vars))
        self.connection = duckdb.connect(config={"threads": 1})
        self.built: set[str] = set()
        for name, table in (tables or {}).items():
            self.table(f"online__{name}", table)

    def table(self, name: str, rows: pa.Table) -> None:
        self.connection.register("incoming", rows)
        self.connection.execute(f"create or replace table {name} as from incoming")
        self.connection.unregister("incoming")
        self.built.add(name)

    def build(self, *names: str) -> House:
        for name in names:
            if name not in self.built:
                self.build(*self.manifest.nodes[name].reads)
                self.connection.execute(f"create table {name} as {self.manifest.nodes[name].sql}")
                self.built.add(name)
        return self

    def dicts(self, sql: str) -> list[dict[str, Any]]:
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def render(self, template: str) -> list[dict[str, Any]]:
        return self.dicts(self.renderer.render_model("test.sql", template, name="test").sql)

    def failures(self, model: str) -> dict[str, list[dict[str, Any]]]:
        """Data tests of a model that find rows."""
        checks = self.manifest.checks_of(model)
        self.build(*(name for check in checks for name in check.depends_on))
        found = {check.name: self.dicts(check.sql) for check in checks}
        return {name: rows for name, rows in found.items() if rows}

    def fails(self, model: str, test: str) -> bool:
        """Whether that one data test of a model finds rows."""
        (check,) = (c for c in self.manifest.checks_of(model) if test in c.name)
        return bool(self.dicts(check.sql))

    def instance(self, file: str, **values: str) -> list[dict[str, Any]]:
        """What a model file of models/online makes of other tables than those of the project."""
        path = ROOT / "models/online" / file
        values["name"] = name = path.stem
        instance = Instance(name, values, str(path), {})
        return self.dicts(
            self.renderer.render_model(path, path.read_text(), name=name, instance=instance).sql
        )

    def compare(self, by: str = "day") -> dict[str, dict[str, Any]]:
        """Estimates and comparisons of the table `users`, by metric (and `/cuped`)."""
        ratios = self.instance("online_ratios.sql", users="users", by=by)
        self.table("estimates", pa.Table.from_pylist(ratios))
        rows = self.instance("online_comparisons.sql", estimates="estimates", by=by)
        return {
            r["metric"] + ("/cuped" if r["method"] == "cuped" else "")
            + (f"@{r[by]}" if by != "day" else ""): r
            for r in rows
        }  # fmt: skip


# -- the normal distribution ---------------------------------------------------------------------------------------


def test_the_normal_distribution_is_scipys() -> None:
    house = House()
    xs = np.concatenate([np.linspace(-8.5, 8.5, 1201), [-30.0, -12.0, 0.0, 7.07, 7.0711, 12.0, 37.0]])  # fmt: skip
    house.table("points", pa.table({"x": xs, "a": np.abs(xs)}))
    rows = house.render("select x, {{ normal_tail('a') }} as tail from points")
    for row in rows:
        exact = stats.norm.sf(abs(row["x"]))
        assert row["tail"] == pytest.approx(exact, rel=1e-13 if abs(row["x"]) < 7 else 1e-8)
    shares = [1e-9, 0.0005, 0.02, 0.024, 0.03, 0.2, 0.5, 0.8, 0.95, 0.975, 0.976, 0.995, 0.9999]
    columns = ", ".join(f"{{{{ normal_quantile({p}) }}}} as q{i}" for i, p in enumerate(shares))
    (found,) = house.render(f"select {columns}")
    assert list(found.values()) == pytest.approx(stats.norm.ppf(shares), rel=1.2e-9, abs=1e-15)


# -- estimates and comparisons -------------------------------------------------------------------------------------


def user_rows(**metrics: dict[str, tuple[Any, ...]]) -> pa.Table:
    """metric={arm: (numerators, denominators[, covariates])} as the table `users`."""
    columns: dict[str, list[Any]] = {c: [] for c in "day arm metric numerator denominator covariate".split()}  # fmt: skip
    for metric, arms in metrics.items():
        for arm, (numerators, denominators, *covariates) in arms.items():
            n = len(numerators)
            columns["day"] += ["all"] * n
            columns["arm"] += [arm] * n
            columns["metric"] += [metric] * n
            columns["numerator"] += [float(v) for v in numerators]
            columns["denominator"] += [float(v) for v in denominators]
            columns["covariate"] += [float(v) for v in covariates[0]] if covariates else [None] * n
    return pa.table(columns, schema=pa.schema(
        [("day", pa.string()), ("arm", pa.string()), ("metric", pa.string()), *((c, pa.float64()) for c in ("numerator", "denominator", "covariate"))]
    ))  # fmt: skip


def compared(**metrics: Any) -> dict[str, dict[str, Any]]:
    house = House()
    house.table("users", user_rows(**metrics))
    return house.compare()


def test_a_mean_over_users_is_welchs_comparison() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.gamma(1, 20, 300), draw.gamma(1, 24, 200)
    found = compared(gmv={"control": (one, np.ones(300)), "treatment": (other, np.ones(200))})["gmv"]  # fmt: skip
    welch = stats.ttest_ind(other, one, equal_var=False)
    assert found["z"] == pytest.approx(welch.statistic, rel=1e-12)
    assert found["p_value"] == pytest.approx(2 * stats.norm.sf(abs(welch.statistic)), rel=1e-9)
    error = math.sqrt(one.var(ddof=1) / 300 + other.var(ddof=1) / 200)
    assert found["upper"] - found["difference"] == pytest.approx(1.959963985 * error, rel=1e-8)
    assert found["minimal_detectable_change"] == pytest.approx(
        (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error / one.mean(), rel=1e-8
    )
    # power at that change is 80%.
    true = found["minimal_detectable_change"] * one.mean() / error
    assert stats.norm.sf(stats.norm.ppf(0.975) - true) == pytest.approx(0.8, abs=1e-6)


def test_a_ratio_has_the_delta_methods_error() -> None:
    draw = np.random.default_rng(2)
    arms = {}
    for arm, n, rate in (("control", 400, 0.1), ("treatment", 500, 0.13)):
        shown = draw.poisson(30, n) * draw.integers(0, 3, n)  # some users were shown nothing
        clicks = draw.binomial(shown, np.clip(draw.normal(rate, 0.05, n), 0, 1))
        arms[arm] = (clicks.astype(float), shown.astype(float))
    found = compared(ctr=arms)["ctr"]
    errors = {}
    for arm, (y, x) in arms.items():
        ratio, n = y.sum() / x.sum(), len(y)
        (s_y, s_xy), (_, s_x) = np.cov(y, x)
        errors[arm] = math.sqrt((s_y - 2 * ratio * s_xy + ratio**2 * s_x) / (n * x.mean() ** 2))
        # a bootstrap over users agrees; errors over clicks would be smaller by far.
        picked = draw.integers(n, size=(2000, n))
        assert errors[arm] == pytest.approx((y[picked].sum(1) / x[picked].sum(1)).std(), rel=0.07)
        assert errors[arm] > 1.3 * math.sqrt(ratio * (1 - ratio) / x.sum())
    assert found["standard_error"] == pytest.approx(math.hypot(*errors.values()), rel=1e-9)
    values = {arm: y.sum() / x.sum() for arm, (y, x) in arms.items()}
    assert found["change"] == pytest.approx(values["treatment"] / values["control"] - 1, rel=1e-12)

    def excess(ratio: float) -> float:
        distance = values["treatment"] - ratio * values["control"]
        width = stats.norm.ppf(0.975) * math.hypot(errors["treatment"], ratio * errors["control"])
        return distance**2 - width**2

    ratio = values["treatment"] / values["control"]
    assert found["change_lower"] + 1 == pytest.approx(optimize.brentq(excess, 0, ratio), rel=1e-7)
    assert found["change_upper"] + 1 == pytest.approx(optimize.brentq(excess, ratio, 9), rel=1e-7)


def test_shares_of_users_are_compared_as_two_proportions() -> None:
    buyers = {"control": (40, 500), "treatment": (66, 520)}
    arms = {
        arm: (np.arange(n + 30) < k, np.arange(n + 30) < n)  # thirty came and were shown nothing
        for arm, (k, n) in buyers.items()
    }
    found = compared(l2p=arms)["l2p"]
    table = [[k, n - k] for k, n in buyers.values()]
    chi = stats.chi2_contingency(table, correction=False)
    assert found["method"] == "two_proportion"
    assert found["z"] ** 2 == pytest.approx(chi.statistic, rel=1e-9)
    assert found["p_value"] == pytest.approx(chi.pvalue, rel=1e-9)
    assert found["value"] == pytest.approx(66 / 520)


def test_cuped_is_least_squares_on_the_covariate() -> None:
    draw = np.random.default_rng(3)
    before = {"control": draw.gamma(2, 5, 300), "treatment": draw.gamma(2, 5, 280)}
    arms = {
        arm: (0.8 * z + draw.normal(1.0 if arm == "treatment" else 0.0, 4, len(z)), np.ones(len(z)), z - 10)
        for arm, z in before.items()
    }  # fmt: skip
    found = compared(gmv=arms)
    y, z = (np.concatenate([arms[a][i] for a in arms]) for i in (0, 2))
    is_treated = np.repeat([0.0, 1.0], [300, 280])
    design = np.stack([np.ones_like(y), is_treated, z], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert found["gmv/cuped"]["difference"] == pytest.approx(coefficients[1], rel=1e-9)
    assert found["gmv/cuped"]["standard_error"] < 0.9 * found["gmv"]["standard_error"]
    residual = y - coefficients[2] * z
    error = math.sqrt(sum(residual[is_treated == a].var(ddof=1) / n for a, n in ((0, 300), (1, 280))))  # fmt: skip
    assert found["gmv/cuped"]["standard_error"] == pytest.approx(error, rel=1e-9)
    assert compared(gmv={a: v[:2] for a, v in arms.items()}).keys() == {"gmv"}


def test_holm_corrects_the_six_metrics_and_no_other() -> None:
    draw = np.random.default_rng(4)
    shifts = dict(zip([*TABLE_6, "gmv_winsorised"], [0.6, 0.31, 0.3, 0.29, 0.05, 0.0, 0.5], strict=True))  # fmt: skip
    arms = {
        metric: {
            "control": (draw.normal(5, 1, 80), np.ones(80)),
            "treatment": (draw.normal(5 + s, 1, 80), np.ones(80)),
        }
        for metric, s in shifts.items()
    }
    arms["l2p"] = {
        "control": (np.arange(80) < 20, np.ones(80)), "treatment": (np.arange(80) < 33, np.ones(80))
    }  # fmt: skip
    found = compared(**arms)
    assert found.pop("gmv_winsorised")["p_holm"] is None
    by_p = sorted(TABLE_6, key=lambda m: found[m]["p_value"])
    reached = 0.0
    for place, metric in enumerate(by_p):
        reached = max(reached, min(1.0, (6 - place) * found[metric]["p_value"]))
        assert found[metric]["p_holm"] == pytest.approx(reached, rel=1e-12)
        assert found[metric]["is_significant"] == (reached < 0.05)
    assert 1 <= sum(found[m]["is_significant"] for m in TABLE_6) < 6
    assert any(f["p_value"] < 0.05 < f["p_holm"] for f in found.values())


def test_what_cannot_be_said_is_null() -> None:
    nothing = compared(gmv={"control": (np.zeros(20), np.ones(20)), "treatment": (np.arange(20), np.ones(20))})["gmv"]  # fmt: skip
    assert nothing["change"] is None
    assert nothing["change_lower"] is None
    assert nothing["minimal_detectable_change"] is None
    alone = compared(ctr={"control": ([1], [2]), "treatment": ([1, 2], [4, 5])})["ctr"]
    assert alone["difference"] == pytest.approx(3 / 9 - 1 / 2)
    assert alone["p_value"] is None
    same = compared(rn={"control": ([5, 5], [1, 1]), "treatment": ([5, 5], [1, 1])})["rn"]
    assert (same["difference"], same["p_value"]) == (0, None)
    assert compared(cvr={"control": ([0, 0], [0, 0]), "treatment": ([1, 0], [1, 1])}) == {}


# -- a log by hand -------------------------------------------------------------------------------------------------


def table(columns: str, *rows: tuple[Any, ...]) -> pa.Table:
    names = columns.split()
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def small_log() -> dict[str, pa.Table]:
    """a, b in control, c, d in treatment, e in both; times without a date are of the first of two days."""
    return {
        "requests": table(
            "req_id user arm ts latency_ms n_retrieved",
            (1, "a", "control", "2025-03-03 09:00", 10.0, 30),
            (2, "a", "control", "2025-03-04 09:00", 20.0, 10),
            (3, "b", "control", "2025-03-03 10:00", 30.0, 20),
            (4, "c", "treatment", "2025-03-03 11:00", 12.0, 50),
            (5, "d", "treatment", "2025-03-03 12:00", 14.0, 0),  # nothing found, nothing shown
            (6, "e", "control", "2025-03-03 13:00", 9.0, 9),
            (7, "e", "treatment", "2025-03-04 13:00", 9.0, 9),
        ),
        "exposures": table(
            "req_id user item pos ts",
            (1, "a", "x", 1, "2025-03-03 09:00"),
            (1, "a", "y", 2, "2025-03-03 09:00"),
            (2, "a", "x", 1, "2025-03-04 09:00"),
            (3, "b", "x", 1, "2025-03-03 10:00"),
            (4, "c", "x", 1, "2025-03-03 11:00"),
            (4, "c", "z", 2, "2025-03-03 11:00"),
            (6, "e", "x", 1, "2025-03-03 13:00"),
        ),
        "clicks": table(
            "req_id user item ts",
            (1, "a", "x", "2025-03-03 09:01"),
            (1, "a", "x", "2025-03-03 09:02"),  # every click counts
            (4, "c", "x", "2025-03-03 11:01"),
            (6, "e", "x", "2025-03-03 13:01"),
        ),
        "orders": table(
            "user item ts amount",
            ("a", "x", "2025-03-03 09:30", 5.0),  # shown and clicked
            ("a", "x", "2025-03-03 08:59", 7.0),  # before it was shown
            ("a", "y", "2025-03-03 23:59", 11.0),  # shown, not clicked
            ("a", "y", "2025-03-04 00:01", 13.0),  # the day after
            ("b", "z", "2025-03-03 10:30", 17.0),  # never shown
            ("c", "x", "2025-03-04 10:59", 19.0),  # within a day, on the next
            ("e", "x", "2025-03-03 13:30", 23.0),
        ),
    }


def metrics_of(house: House) -> dict[tuple[str, str, str], float]:
    rows = house.build("online_metrics").dicts("from online_metrics")
    return {(r["day"], r["arm"], r["metric"]): r["value"] for r in rows}


def test_metrics_of_a_log_counted_by_hand() -> None:
    house = House(small_log())
    found = metrics_of(house)
    control = {m: found["all", "control", m] for m in TABLE_6}
    assert control == pytest.approx(
        {"rn": 60 / 3, "l2p": 1 / 2, "ctr": 2 / 4, "cvr": 1 / 2, "gmv": (5 + 11) / 2, "latency": 20}
    )
    treatment = {m: found["all", "treatment", m] for m in TABLE_6}
    assert treatment == pytest.approx(
        {"rn": 25, "l2p": 0, "ctr": 1 / 2, "cvr": 0, "gmv": 0, "latency": 13}
    )
    assert found["all", "control", "latency_p50"] == 20
    assert found["all", "control", "latency_p95"] == pytest.approx(29)
    assert found["2025-03-04", "control", "rn"] == 10
    assert ("2025-03-04", "treatment", "rn") not in found  # only e came, who met both arms
    totals = house.dicts("select numerator from online_metrics where metric in ('rn', 'gmv') and day = 'all' and arm = 'control' order by metric")  # fmt: skip
    assert [t["numerator"] for t in totals] == [16, 60]


def test_a_longer_window_credits_the_last_exposure_and_its_day() -> None:
    house = House(small_log(), online_attribution_days=1)
    found = metrics_of(house)
    # 13.0 has its exposure within 24 hours of it, 7.0 is still before.
    assert found["all", "control", "gmv"] == pytest.approx((5 + 11 + 13) / 2)
    assert found["all", "treatment", "gmv"] == 19
    assert found["all", "treatment", "cvr"] == 1
    assert found["2025-03-03", "treatment", "l2p"] == 1


def test_users_of_two_arms_fail_the_build_and_stay_out() -> None:
    house = House(small_log()).build("online_users")
    (messages,) = house.failures("online_users").values()
    assert messages[0]["message"].startswith("1 of 5 users met more than one arm")
    assert House(small_log(), max_rejected_share=0.2).failures("online_users") == {}


def test_a_log_without_control_says_which_arms_there_are() -> None:
    house = House(small_log(), max_rejected_share=1, online_control="standard")
    (messages,) = house.failures("online_users").values()
    assert messages[0]["message"] == "no user of the control arm 'standard'; arms: treatment, control; set the var online_control" or (
        messages[0]["message"] == "no user of the control arm 'standard'; arms: control, treatment; set the var online_control"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "row", "check"),
    [
        ("clicks", (1, "a", "z", "2025-03-03 09:03"), "clicks_were_shown"),
        ("exposures", (99, "a", "z", 1, "2025-03-03 09:03"), "relationships"),
        ("orders", ("a", "z", "2025-03-03 09:03", -1.0), "accepted_range"),
    ],
)
def test_a_log_that_contradicts_itself_is_found(name: str, row: tuple[Any, ...], check: str) -> None:  # fmt: skip
    log = small_log()
    assert House(log).failures(f"online_{name}") == {}
    more = pa.table({c: [v] for c, v in zip(log[name].column_names, row, strict=True)})
    log[name] = pa.concat_tables([log[name], more])
    assert any(check in found for found in House(log).failures(f"online_{name}"))


def test_days_before_the_start_are_the_covariate() -> None:
    house = House(small_log(), online_start="2025-03-04", max_rejected_share=1)
    rows = house.build("online_user_metrics").dicts("select * from online_user_metrics where day = 'all' and metric = 'rn'")  # fmt: skip
    # only a and e came on the second day, and e has one arm there: requests of the first day have an arm of their own.
    found = {r["user_id"]: (r["arm"], r["numerator"], r["covariate"]) for r in rows}
    average = (30 + 9) / 2
    assert found == {"a": ("control", 10, 30 - average), "e": ("treatment", 9, 9 - average)}


# -- sample ratio, A/A ---------------------------------------------------------------------------------------------


def arms_table(house: House, **arms: int) -> None:
    users = [(f"{arm} {n}", arm, 1) for arm, size in arms.items() for n in range(size)]
    house.table("online_users", table("user_id arm n_arms", *users))


@pytest.mark.parametrize("shares", [{}, {"control": 2, "treatment": 1}])
def test_the_sample_ratio_is_a_chi_square(shares: dict[str, float]) -> None:
    house = House(online_arm_shares=shares)
    arms_table(house, control=800, treatment=480)
    (row,) = house.build("online_sample_ratio").dicts("from online_sample_ratio")
    weights = np.array([shares.get(a, 1) for a in ("control", "treatment")])
    expected = stats.chisquare([800, 480], 1280 * weights / weights.sum())
    assert row["chi_squared"] == pytest.approx(expected.statistic, rel=1e-9)
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-7)
    failures = house.failures("online_sample_ratio")
    assert bool(failures) == (expected.pvalue < 0.001)
    if failures:
        assert "find out why" in next(iter(failures.values()))[0]["message"]


def test_an_arm_without_a_share_is_named() -> None:
    house = House(online_arm_shares={"control": 1})
    arms_table(house, control=10, treatment=10)
    (rows,) = house.failures("online_sample_ratio").values()
    assert "no share in online_arm_shares" in rows[0]["message"]


@pytest.mark.parametrize(("n_flagged", "fails"), [(10, False), (19, False), (20, True), (60, True)])
def test_aa_fails_above_what_chance_explains(n_flagged: int, fails: bool) -> None:
    house = House()
    rows = [(split, "ctr", "delta", 0.01 if split < n_flagged else 0.5) for split in range(200)]
    house.table("online_aa", table("split metric method p_value", *rows))
    assert house.fails("online_aa", "aa_flags") == fails  # .05 + 3 sqrt(.05 .95 / 200) = .0962


# -- simulated tests of known truth --------------------------------------------------------------------------------


def neighbours(shop: Shop, noise: float, size: int, seed: int) -> Any:
    """An index of the items that look nearest when seen through noise: the less, the better."""
    draw = np.random.default_rng(seed)
    seen = shop.vectors + noise * draw.normal(size=shop.vectors.shape)
    scores = seen @ seen.T
    np.fill_diagonal(scores, -np.inf)
    best = np.argsort(-scores, axis=1)[:, :size]
    triggers = [shop.items[n] for n in np.repeat(np.arange(len(best)), size)]
    related = [shop.items[n] for n in best.ravel()]
    return index_recommender(triggers, related, np.take_along_axis(scores, best, 1).ravel())


def visits_of(users: int, *noises: float, days_before: int = 0, seed: int = 1) -> Visits:
    """A shop with an arm for each noise; equal noises are equal arms."""
    shop = make_shop(users=users, items=150, groups=12, seed=seed)
    requests = plan_requests(shop, days=5, days_before=days_before, a_day=0.7, seed=seed)
    answers = {}
    for name, noise in zip(("control", "treatment"), noises, strict=True):
        size = 16 if noise > 0.2 else 18
        answers[name] = ask(shop, requests, neighbours(shop, noise, size, seed=2), k=100, page=8)
    return Visits(shop, requests, answers)


def user_sums(log: Log, run: int) -> dict[str, Any]:
    """The rows of online_user_metrics, straight from the draw."""
    visits, n = log.visits, len(log.visits.shop.users)
    user = visits.requests.user

    def total(values: Any) -> Any:
        return np.bincount(user, values, n)

    shown = log.shown != NO_ITEM
    amount = np.where(log.ordered, visits.shop.prices[log.shown], 0).sum(axis=1)
    came = total(np.ones(len(user)))
    exposed = (total(shown.sum(axis=1)) > 0).astype(float)
    orders = total(log.ordered.sum(axis=1))
    metrics = {
        "rn": (total(log.n_retrieved), came),
        "l2p": ((orders > 0).astype(float), exposed),
        "ctr": (total(log.clicked.sum(axis=1)), total(shown.sum(axis=1))),
        "cvr": (orders, total(log.clicked.sum(axis=1))),
        "gmv": (total(amount), exposed),
        "latency": (total(log.latency), came),
    }
    arm = np.zeros(n, dtype=int)
    arm[user] = log.arm
    there = came > 0
    size = there.sum()
    return {
        "run": np.full(size * len(metrics), run),
        "user": np.tile(np.flatnonzero(there), len(metrics)),
        "arm": np.tile(np.array(visits.arms)[arm[there]], len(metrics)),
        "metric": np.repeat(list(metrics), size),
        "numerator": np.concatenate([y[there] for y, _ in metrics.values()]),
        "denominator": np.concatenate([x[there] for _, x in metrics.values()]),
    }


def many_tests(visits: Visits, runs: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Each metric's p-values and intervals over the runs, by the SQL of the models."""
    arms = [assign(visits.shop.users, [1, 1], f"{seed} {n}") for n in range(runs)]
    logs = draw_logs(visits, arms, Behaviour(), seed=seed)
    parts = [user_sums(log, run) for run, log in enumerate(logs)]
    house = House()
    rows = pa.table({c: np.concatenate([p[c] for p in parts]) for c in parts[0]})
    house.table("users", rows.append_column("covariate", pa.nulls(len(rows), pa.float64())))
    found = list(house.compare("run").values())
    assert len(found) == runs * len(TABLE_6)
    return {
        metric: {
            column: np.array([f[column] for f in found if f["metric"] == metric], dtype=float)
            for column in ("p_value", "lower", "upper", "change_lower", "change_upper")
        }
        for metric in TABLE_6
    }


def test_200_aa_tests_flag_five_percent() -> None:
    runs = 200
    found = many_tests(visits_of(500, 0.3, 0.3), runs, seed=11)
    flags = {m: (f["p_value"] < 0.05).mean() for m, f in found.items()}
    # binomial error of 200 runs: .0154; a metric on its own may reach three of them.
    assert max(flags.values()) <= 0.05 + 3 * 0.0154, flags
    assert np.mean(list(flags.values())) <= 0.05 + 0.0154, flags
    assert min(flags.values()) > 0, flags


def test_200_ab_tests_cover_the_true_effect() -> None:
    visits = visits_of(500, 0.3, 0.1)
    control, treatment = (true_values(visits, arm, Behaviour()) for arm in visits.arms)
    found = many_tests(visits, 200, seed=12)
    covered = []
    for metric, f in found.items():
        true = treatment[metric] - control[metric]
        change = true / control[metric]
        covered.append(((f["lower"] <= true) & (true <= f["upper"])).mean())
        assert covered[-1] >= 0.93 - 0.0154, metric
        assert ((f["change_lower"] <= change) & (change <= f["change_upper"])).mean() >= 0.93 - 0.0154, metric  # fmt: skip
    assert np.mean(covered) >= 0.93, covered
    # there is something to find, and it is found more often than not where the effect is large.
    assert treatment["ctr"] / control["ctr"] > 1.05
    assert (found["ctr"]["p_value"] < 0.05).mean() > 0.3


def test_the_models_read_the_log_as_it_was_drawn() -> None:
    visits = visits_of(300, 0.3, 0.1)
    log = draw_log(visits, assign(visits.shop.users, [1, 1], "x"), Behaviour(), seed=5)
    house = House(log_tables(log))
    rows = house.build("online_user_metrics").dicts("select * from online_user_metrics where day = 'all' and metric <> 'gmv_winsorised'")  # fmt: skip
    found = {(r["user_id"], r["metric"]): (r["arm"], r["numerator"], r["denominator"]) for r in rows}  # fmt: skip
    sums = user_sums(log, 0)
    expected = {
        (visits.shop.users[u], str(m)): (str(a), y, x)
        for u, m, a, y, x in zip(*(sums[c] for c in ("user", "metric", "arm", "numerator", "denominator")), strict=True)
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for key, (arm, *values) in expected.items():
        assert found[key][0] == arm
        assert found[key][1:] == pytest.approx(values, rel=1e-9), key
    names = [n for n in house.manifest.nodes if n.startswith("online_") and not n.startswith("online__")]  # fmt: skip
    assert {name: house.failures(name) for name in names} == {name: {} for name in names}


def test_a_week_before_the_test_narrows_the_intervals() -> None:
    visits = visits_of(700, 0.3, 0.1, days_before=10)
    log = draw_log(visits, assign(visits.shop.users, [1, 1], "y"), Behaviour(), seed=6)
    house = House(log_tables(log), online_start="2025-03-03").build("online_effects")
    rows = house.dicts("select * from online_effects where day = 'all'")
    assert {r["day"] for r in house.dicts("select distinct day from online_effects")} == {"all", *(f"2025-03-0{n}" for n in range(3, 8))}  # fmt: skip
    errors = {(r["metric"], r["method"] == "cuped"): r["standard_error"] for r in rows}
    assert errors["latency", True] < 0.8 * errors["latency", False]  # users are slow for good
    assert errors["ctr", True] < 0.99 * errors["ctr", False]
    control, treatment = (true_values(visits, arm, Behaviour()) for arm in visits.arms)
    for r in rows:
        if r["method"] == "cuped" and r["metric"] in TABLE_6:
            true = treatment[r["metric"]] - control[r["metric"]]
            assert abs(r["difference"] - true) < 4 * r["standard_error"], r["metric"]
    assert house.failures("online_aa") == {}


def test_percentiles_have_the_error_of_a_bootstrap_over_users() -> None:
    visits = visits_of(400, 0.3, 0.1)
    log = draw_log(visits, np.zeros(400, dtype=np.int64), Behaviour(), seed=7)
    house = House(log_tables(log)).build("online_latency_percentiles")
    draw = np.random.default_rng(8)
    user = visits.requests.user
    of_user = [log.latency[user == u] for u in np.unique(user)]
    true = true_values(visits, "control", Behaviour())
    rows = house.dicts("select * from online_latency_percentiles where day = 'all'")
    assert len(rows) == 3
    for row in rows:
        share = float(row["metric"].removeprefix("latency_p")) / 100
        assert row["value"] == pytest.approx(np.quantile(log.latency, share), rel=1e-12)
        resampled = [
            np.quantile(np.concatenate([of_user[n] for n in draw.integers(len(of_user), size=len(of_user))]), share)
            for _ in range(200)
        ]  # fmt: skip
        if share < 0.99:  # one log has some dozen requests above its p99; see the next test
            assert row["standard_error"] == pytest.approx(np.std(resampled), rel=0.3)
        assert abs(row["value"] - true[row["metric"]]) < 4 * row["standard_error"]


def test_100_aa_tests_of_the_percentiles_flag_five_percent() -> None:
    visits = visits_of(400, 0.3, 0.3)
    arms = [assign(visits.shop.users, [1, 1], f"p {n}") for n in range(100)]
    logs = draw_logs(visits, arms, Behaviour(), seed=9)
    # every run is a day of its own, with users of its own.
    n = len(visits.requests.user)
    run = np.repeat(np.arange(len(logs)), n)
    user = np.tile(visits.requests.user, len(logs)) + 1000 * run
    arm = np.array(visits.arms)[np.concatenate([log.arm for log in logs])]
    house = House()
    house.table("online_requests", pa.table({"user_id": user, "arm": arm, "day": run, "latency_ms": np.concatenate([log.latency for log in logs])}))  # fmt: skip
    users = house.dicts("select user_id, any_value(arm) as arm, 1 as n_arms from online_requests group by user_id")  # fmt: skip
    house.table("online_users", pa.Table.from_pylist(users))
    house.build("online_latency_percentiles")
    house.connection.execute("create view estimates as select *, cast(null as double) as numerator from online_latency_percentiles where day <> 'all'")  # fmt: skip
    rows = house.instance("online_comparisons.sql", estimates="estimates", by="day")
    for metric in ("latency_p50", "latency_p95", "latency_p99"):
        flags = [r["p_value"] < 0.05 for r in rows if r["metric"] == metric]
        assert len(flags) == 100
        assert np.mean(flags) <= 0.05 + 3 * 0.0218, metric
        spread = np.std([r["z"] for r in rows if r["metric"] == metric])
        assert 0.75 < spread < 1.2, metric
