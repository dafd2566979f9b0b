"""Every patch of project/docs/changes.md applies to a new project, and what it promises is built."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.cli.init import init
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import write_log

PAGE = Path(__file__).parents[2] / "project" / "docs" / "changes.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n.*?```diff\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL))  # fmt: skip


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Project]:
    def make(section: str, **vars: Any) -> Project:
        folder = tmp_path / "my_shop"
        init(folder, ["all"])
        patch = tmp_path / "change.patch"
        patch.write_text(SECTIONS[section])
        touched = re.findall(r"^\+\+\+ b/(\S+)", SECTIONS[section], re.MULTILINE)
        assert not [name for name in touched if "macros" in name or name.startswith("llm_i2i/")]
        subprocess.run(["git", "apply", str(patch)], cwd=folder, check=True)
        log = {**write_log(tmp_path, users=60), "controls": [], "others_folds": None}
        return Project.load(folder, vars={**log, **vars})

    return make


def built(project: Project, select: str) -> Project:
    result = project.build(select=select)
    assert result.success, [str(n.error) for n in result.nodes if n.error]
    return project


def test_the_page_has_four_changes() -> None:
    assert len(SECTIONS) == 4


def test_a_new_signal(changed: Callable[..., Project]) -> None:
    project = built(changed("A new signal"), "+scored_interactions")
    _, rows = project.rows("select cosine_mean, cosine_all, history_length from candidate_signals")  # fmt: skip
    assert all(mean == pytest.approx(total / n, rel=1e-6) for mean, total, n in rows)
    (edges,) = project.rows("select len(cosine_mean) from signal_bucket_edges")[1]
    assert edges[0] > 1
    prompts = project.rows("select count(*) from discriminator_examples where prompt not like '% cosine_mean_%'")[1]  # fmt: skip
    assert prompts == [(0,)]


def test_a_new_arm(changed: Callable[..., Project]) -> None:
    project = built(changed("A new arm"), "+target_ranks_swing_cosine_text")
    assert project.rows("select count(*) > 0 from index_swing_cosine_text")[1] == [(True,)]
    reads = project.manifest.nodes["target_ranks_all"].reads
    assert "target_ranks_swing_cosine_text" in reads
    assert "no_language_model" in project.manifest.nodes["index_swing_cosine_text"].tags


def test_another_long_tail_rule(changed: Callable[..., Project]) -> None:
    project = built(
        changed("Another long-tail rule", long_tail_rule="event_share", long_tail_fraction=0.3),
        "+item_long_tail",
    )
    share, longest, shortest = project.rows(
        """
        select
            sum(n_interactions) filter (is_long_tail) / sum(n_interactions),
            max(n_interactions) filter (is_long_tail), min(n_interactions) filter (not is_long_tail)
        from item_long_tail
        """
    )[1][0]
    assert 0.2 < share <= 0.3
    assert longest <= shortest


def test_a_new_recommender(changed: Callable[..., Project]) -> None:
    project = built(changed("A new recommender through a table UDF"), "+target_ranks_ease")
    ranked, targets = project.rows("select count(rank), count(*) from target_ranks_ease")[1][0]
    assert 0 < ranked <= targets
