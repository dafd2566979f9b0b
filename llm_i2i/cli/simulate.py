"""`llmi2i simulate-shop`: made-up shoppers in front of two indices, their log, and the effects it should show; `simulate-loop`: their rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from llm_i2i.cli.output import print_rows
from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project
from llm_i2i.simulate import (
    Behaviour,
    LoopSettings,
    Recommend,
    Round,
    Shop,
    Visits,
    ask,
    assign,
    draw_log,
    http_recommender,
    index_recommender,
    plan_requests,
    run_loop,
    shop_of_log,
    true_values,
    write_log,
)
from llm_i2i.simulate.behaviour import changes

ARMS = ("control", "treatment")


@dataclass(frozen=True)
class ShopSettings:
    """What the command line says.

    Attributes:
        control, treatment: A table of the environment (`i2i_index`), one of another (`prod/i2i_index`), or a service's address.
        users: At most so many shoppers, the first by id; None: all.
    """

    control: str
    treatment: str
    days: int
    days_before: int
    requests_a_day: float
    users: int | None
    k: int
    page: int
    measured_latency: bool
    seed: int


def simulate(project: Project, settings: ShopSettings, out: Path, output: str) -> None:
    """Write the log and truth.json into a folder; the truth on stdout."""
    shop = read_shop(project, users=settings.users, seed=settings.seed)
    requests = plan_requests(
        shop, days=settings.days, days_before=settings.days_before, a_day=settings.requests_a_day, seed=settings.seed
    )  # fmt: skip
    answers = {}
    for arm, place in zip(ARMS, (settings.control, settings.treatment), strict=True):
        with open_recommender(project, place) as recommend:
            answers[arm] = ask(shop, requests, recommend, k=settings.k, page=settings.page)
        if not answers[arm].n_retrieved.any():
            raise ProjectError(
                f"the {arm} arm recommends nothing to anybody",
                where=place,
                found=f"{len(requests.user):,} requests, no item of the catalogue in any answer",
                fix="ask an index of the same log as --env's",
            )
    visits = Visits(shop, requests, answers)
    behaviour = replace(Behaviour(), is_measured=settings.measured_latency)
    arms = assign(shop.users, [1, 1], str(settings.seed))
    rows = write_log(draw_log(visits, arms, behaviour, seed=settings.seed), out)
    truth = {arm: true_values(visits, arm, behaviour) for arm in ARMS}
    change = changes(*(truth[arm] for arm in ARMS))
    (out / "truth.json").write_text(json.dumps({**truth, "change": change}, indent=1) + "\n")
    click.echo(f"Wrote {', '.join(f'{n:,} {name}' for name, n in rows.items())} to {out}.", err=True)  # fmt: skip
    table = [
        [name, *(round(truth[arm][name], 6) for arm in ARMS), round(change[name], 6) if name in change else None]
        for name in truth["control"]
    ]  # fmt: skip
    print_rows(["metric", *(f"true_{arm}" for arm in ARMS), "true_change"], table, output)


def simulate_rounds(
    project: Project, settings: LoopSettings, users: int | None, output: str
) -> None:
    """The rounds on stdout, a row each."""
    shop = read_shop(project, users=users, seed=settings.seed)
    rare = _columns(project, "items", "select item_id from items where is_long_tail")["item_id"]
    members = set(rare)
    is_long_tail = np.array([item in members for item in shop.items])
    rounds = run_loop(shop, is_long_tail, settings)
    rows = [
        [round(v, 4) if isinstance(v, float) else v for v in asdict(one).values()] for one in rounds
    ]
    print_rows([f.name for f in fields(Round)], rows, output)


def read_shop(project: Project, *, users: int | None, seed: int) -> Shop:
    """The catalogue and the users of the environment."""
    items = _columns(project, "items", "select item_id, text from items order by item_id")
    log = _columns(
        project, "interactions", "select user_id, item_id from interactions order by user_number, position"
    )  # fmt: skip
    histories: dict[Any, list[Any]] = {}
    for user, item in zip(log["user_id"], log["item_id"], strict=True):
        histories.setdefault(user, []).append(item)
    chosen = {u: h for u, h in histories.items() if len(h) > 1}
    chosen = dict(list(chosen.items())[:users])
    if not chosen:
        raise ProjectError("no user has two interactions", where=project.environment.name)
    texts = dict(zip(items["item_id"], items["text"], strict=True))
    return shop_of_log(texts, chosen, seed=seed)


@contextmanager
def open_recommender(project: Project, place: str) -> Iterator[Recommend]:
    """By table, environment/table or address."""
    if "://" in place:
        with http_recommender(place) as recommend:
            yield recommend
        return
    env, _, table = place.rpartition("/")
    there = project.variant({}, env) if env else project
    rows = _columns(
        there, table, f'select trigger_item_id, related_item_id, score from "{table}" order by trigger_item_id, rank'
    )  # fmt: skip
    yield index_recommender(*(rows[c] for c in ("trigger_item_id", "related_item_id", "score")))


def _columns(project: Project, table: str, sql: str) -> Mapping[str, list[Any]]:
    if table not in project.environment.pointers():
        raise ProjectError(
            f"environment '{project.environment.name}' has no table {table}",
            where=str(project.target_dir),
            fix=f"llmi2i build --env {project.environment.name} -s +{table}",
        )
    columns, rows = project.rows(sql)
    found = zip(*rows, strict=True) if rows else ([] for _ in columns)
    return dict(zip(columns, map(list, found), strict=True))
