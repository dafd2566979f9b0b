"""Experiments and made-up A/B tests: experiment, simulate-shop, simulate-loop, simulate-log."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from llm_i2i.cli.options import (
    OUTPUTS,
    max_calls_option,
    open_project,
    place_options,
    project_options,
    table_or_json,
)

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=42, show_default=True, help="Of all that is drawn."
)  # fmt: skip
requests_option = click.option(
    "--requests-a-day",
    type=click.FloatRange(0, 100, min_open=True),
    default=0.6,
    show_default=True,
    help="Mean requests of a user a day.",
)
shoppers_option = click.option(
    "--users", type=click.IntRange(min=2), help="Shoppers at most; all without."
)


@click.command()
@place_options
@click.argument("name", required=False)
@click.option(
    "--dataset", "datasets", multiple=True, help="Dataset of experiments.yml; repeatable."
)
@click.option("--seeds", help="Random seeds: 42,43,44.")
@click.option("--variant", "variants", multiple=True, help="Only these: a name or a pattern.")
@click.option(
    "--arm", "arms", multiple=True, help="Only these arms, as the experiment writes them."
)
@click.option("--dry-run", is_flag=True, help="Show what would be built and shared, and stop.")
@max_calls_option
@table_or_json
@click.option("-q", "--quiet", is_flag=True, help="Only errors.")
def experiment(
    name: str | None, datasets: tuple[str, ...], seeds: str | None, variants: tuple[str, ...], arms: tuple[str, ...],
    dry_run: bool, max_calls: int | None, output: str, quiet: bool, project_dir: str, vars_text: str, **settings: Any,
) -> None:  # fmt: skip
    """Run an experiment of experiments.yml.

    Every variant, one results table, one figure. Without NAME: list them.
    """
    from llm_i2i.cli.experiment import list_experiments, parse_seeds, run
    from llm_i2i.config.project import parse_vars_argument
    from llm_i2i.experiment.variants import Choice

    project = open_project(project_dir, "{}", **settings)
    if name is None:
        list_experiments(project, output)
        return
    choice = Choice(datasets, parse_seeds(seeds), variants, arms, parse_vars_argument(vars_text))
    sys.exit(
        run(project, name, choice, dry_run=dry_run, quiet=quiet, output=output, max_calls=max_calls)
    )


@click.command("simulate-shop")
@project_options
@click.option(
    "--out",
    default="target/simulated_shop",
    show_default=True,
    help="Folder for the log, below the project's.",
)
@click.option(
    "--control",
    default="i2i_index_baseline",
    show_default=True,
    help="Arm: a table, ENV/TABLE, or http://.../recommend.",
)
@click.option(
    "--treatment", default="i2i_index", show_default=True, help="The other arm, written alike."
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="Of the test."
)
@click.option(
    "--days-before",
    type=click.IntRange(0, 366),
    default=0,
    show_default=True,
    help="Days before it, when all meet control.",
)
@requests_option
@shoppers_option
@click.option(
    "-k",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    help="Items asked for in a request.",
)
@click.option(
    "--page",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Items of them that are shown.",
)
@click.option(
    "--measured-latency",
    is_flag=True,
    help="Log how long each call really took, not a modelled time.",
)
@seed_option
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
def simulate_shop(out: str, output: str, **settings: Any) -> None:
    """Make the log of an A/B test with a known truth.

    Made-up shoppers with known tastes meet two indices.
    """
    from llm_i2i.cli.simulate import ShopSettings, simulate

    shop = ShopSettings(**{f.name: settings.pop(f.name) for f in fields(ShopSettings)})
    project = open_project(**settings)
    simulate(project, shop, project.dir / out, output)


@click.command("simulate-loop")
@project_options
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Indices, one after the other.",
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="Of a round."
)
@requests_option
@shoppers_option
@click.option(
    "--page",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Items shown in a request.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Related items of each item in the index.",
)
@click.option(
    "--learns/--frozen",
    default=True,
    show_default=True,
    help="A new index each round, or the first one all along, to compare with.",
)
@seed_option
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
def simulate_loop(users: int | None, output: str, **settings: Any) -> None:
    """Let a shop learn from its own lists, round by round.

    Each round made-up shoppers meet a co-occurrence index of the log so far, and what they click joins the log. Shows how the lists drift.
    """
    from llm_i2i.cli.simulate import simulate_rounds
    from llm_i2i.simulate import LoopSettings

    loop = LoopSettings(**{f.name: settings.pop(f.name) for f in fields(LoopSettings)})
    simulate_rounds(open_project(**settings), loop, users, output)


@click.command("simulate-log")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--events",
    type=click.IntRange(min=100),
    default=1_000_000,
    show_default=True,
    help="About so many rows.",
)
@click.option(
    "--users", type=click.IntRange(min=2), help="The paper's share of the events without: 1 to 48."
)
@click.option(
    "--items", type=click.IntRange(min=2), help="The paper's share of the events without: 1 to 147."
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=30,
    show_default=True,
    help="The events lie on so many days.",
)
@click.option(
    "--daily",
    is_flag=True,
    help="OUT is a folder with a file a day (logs of a few million events).",
)
@seed_option
def simulate_log(
    out: Path, events: int, users: int | None, items: int | None, days: int, daily: bool, seed: int
) -> None:
    """Write a made-up log of any size to OUT, a Parquet file, to measure what a build of it costs."""
    from llm_i2i.simulate.big_log import BigLog, write_big_log, write_daily_log

    log = BigLog(events, users, items, days=days, seed=seed)
    rows = sum(write_daily_log(log, out).values()) if daily else write_big_log(log, out)
    click.echo(f"Wrote {rows:,} events of {log.n_users:,} users and {log.n_items:,} items to {out}.", err=True)  # fmt: skip
