"""The Python API: `from llm_i2i import Project`. What it returns is a table in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError, counted
from llm_i2i.runner import project as runner
from llm_i2i.runner.build.events import Reporter
from llm_i2i.tabular import Records, Tabular

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from llm_i2i.experiment.run import ExperimentPlan, Failure

PREVIEW = 10  # rows in a console
STATUSES = ("PASS", "WARN", "FAIL", "ERROR")


class Project(runner.Project):
    """A project on disk, with the vars and target of one invocation.

    The project in `shop` is what `llmi2i init shop` writes.

    >>> from llm_i2i import Project
    >>> shop = Project.load("shop", vars={"long_tail_fraction": 0.3})
    >>> plan = shop.plan("+item_long_tail")
    >>> [step.node.name for step in plan.to_build][-1]
    'item_long_tail'
    >>> shop.build("+item_long_tail").success
    True
    >>> tail = shop.query("select count(*) as items from item_long_tail where is_long_tail")
    >>> tail.columns
    ['items']
    >>> tail.fetchall() == [(tail.arrow()["items"][0].as_py(),)]
    True
    >>> {outcome.status for outcome in shop.test("item_long_tail")}
    {'PASS'}

    What is not there is said:

    >>> shop.query("select * from item_longtail")
    Traceback (most recent call last):
        ...
    llm_i2i.errors.ProjectError: error: Catalog Error: Table with name item_longtail does not exist!
      fix:   did you mean 'item_long_tail'?
    """

    def __repr__(self) -> str:
        name, env = self.loaded.config.name, self.environment.name
        return f"<project {name} in {self.dir}, target {self.target_name}, environment {env}>"

    def query(self, sql: str) -> Rows:
        """One read-only query on the published environment; rows are read when you ask for them.

        >>> rows = Project.load("shop").query("from item_long_tail order by item_number")
        >>> rows.limit(2).arrow().num_rows
        2
        """
        return Rows(super().query(sql))

    def test(self, *arguments: Any, **settings: Any) -> Outcomes:
        """Run the tests of the selected models on what is built now; see `llm_i2i.runner.Project.test`."""
        return Outcomes(super().test(*arguments, **settings))

    def experiment(
        self,
        name: str,
        *,
        datasets: Sequence[str] = (),
        seeds: Sequence[int] = (),
        variants: Sequence[str] = (),
        arms: Sequence[str] = (),
        vars: Mapping[str, Any] | None = None,
        max_calls: int | None = None,
        reporter: Reporter | None = None,
    ) -> ExperimentResult:
        """Build every variant of an experiment of experiments.yml; what was built before is reused.

        Args:
            datasets: Of the experiment's datasets; empty: those it lists. Likewise `seeds`, `variants` and `arms`.
            vars: Over those of every variant.
            max_calls: Fail a node that needs more new UDF calls than this.

        Raises:
            ProjectError: The experiment is not defined, or cannot be planned; nothing was run.
        """
        from llm_i2i.config.experiments import load_experiments
        from llm_i2i.experiment.report import report
        from llm_i2i.experiment.results import Results, read_published
        from llm_i2i.experiment.run import plan_experiment, run_experiment
        from llm_i2i.experiment.variants import Choice, make_trials

        experiments = load_experiments(self.loaded.file, self.dir)
        choice = Choice(datasets, seeds, variants, arms, vars or {})
        trials = make_trials(name, experiments, self.loaded.var_settings, choice)
        published = experiments.config.published
        facts = read_published(self.dir / published, published) if published else []
        plan = plan_experiment(self, trials, experiments)
        failures = run_experiment(plan, lambda *_: reporter or Reporter(), max_calls)
        results = Results(plan, failures, facts)
        rows = results.rows()
        summary = results.summary(rows)
        folder, _ = report(self, plan, rows, summary, failures)
        return ExperimentResult(plan, rows, summary, failures, folder)


class Rows(Tabular):
    """The rows of a query. Nothing is read before you ask: `arrow`, `df`, `pl`, `fetchall`, or a look at it."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self.relation = relation

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.relation.columns)

    def limit(self, rows: int) -> Rows:
        """At most so many of the rows."""
        return Rows(self.relation.limit(rows))

    def arrow(self) -> pa.Table:
        import duckdb

        try:
            return self.relation.to_arrow_table()
        except duckdb.Error as error:
            raise ProjectError(str(error).splitlines()[0], fix="correct the query") from error

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as tuples."""
        from llm_i2i.runner.environments.query import fetch_rows

        return fetch_rows(self.relation)[1]

    def records(self) -> list[dict[str, Any]]:
        columns = self.columns
        return [dict(zip(columns, row, strict=True)) for row in self.fetchall()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def __repr__(self) -> str:
        return str(self.limit(PREVIEW).arrow())

    def _shown(self, limit: int) -> tuple[list[str], list[Sequence[Any]], int | None]:
        rows: list[Sequence[Any]] = list(self.limit(limit + 1).fetchall())
        return self.columns, rows[:limit], None if len(rows) > limit else len(rows)


class Outcomes(list[Any], Tabular):
    """What tests found, one outcome a test."""

    def __init__(self, outcomes: Iterable[Any]) -> None:
        super().__init__(outcomes)

    @property
    def success(self) -> bool:
        """Whether none failed; warnings are no failures."""
        return not any(outcome.status in ("FAIL", "ERROR") for outcome in self)

    def __repr__(self) -> str:
        counts = Counter(outcome.status for outcome in self)
        return f"<{counted({'test': len(self)})}: {' '.join(f'{w}={counts[w]}' for w in STATUSES)}>"

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "test": outcome.check.name,
                "model": outcome.check.model,
                "status": outcome.status,
                "failures": outcome.failures,
                "error": outcome.error.what if outcome.error else None,
            }
            for outcome in self
        ]


class ExperimentResult(Tabular):
    """An experiment that was run: its summary as a table, with all that it was made from.

    Attributes:
        rows: A row for each trial, arm, segment, metric and k.
        summary: The rows over their seeds: what the table shows.
        folder: Where its Markdown table and its figure were written.
    """

    def __init__(
        self,
        plan: ExperimentPlan,
        rows: Sequence[Any],
        summary: Sequence[Any],
        failures: Sequence[Failure],
        folder: Path,
    ) -> None:
        self.plan = plan
        self.rows = Records([asdict(row) for row in rows])
        self.summary = Records([asdict(row) for row in summary])
        self.failures = list(failures)
        self.folder = folder

    @property
    def success(self) -> bool:
        """Whether every trial was built."""
        return not self.failures

    def records(self) -> list[dict[str, Any]]:
        return self.summary.records()

    def __repr__(self) -> str:
        return f"<experiment {self.plan.trials.name}: {len(self.rows):,} rows, {len(self.failures)} failed, {self.folder}>"
