"""The Toys and Games main job with vLLM instead of transformers, from the same checkpoints: the same pairs are kept.

`.venv-vllm/bin/pytest -s -m 'vllm and slow' tests/vllm`; with LLMI2I_TOYS_TARGET the folder of an earlier build is used, so
that nothing is trained again.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import time
from pathlib import Path

import pytest

from llm_i2i.runner.project import Project
from tests.research_data import DATA, HAS_DATA

ROOT = Path(__file__).parents[2]
VARS = {
    "interactions": str(DATA / "toys_and_games.interactions.parquet"),
    "items": str(DATA / "toys_and_games.items.parquet"),
    "order_column": "position",
}
ASKED = ["generated_interactions", "candidate_signals", "scored_interactions"]
INFERRED = [*ASKED, "synthetic_interactions"]  # made anew with vLLM; what they read stays

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make test-vllm"
    ),
    pytest.mark.skipif(not HAS_DATA, reason="the research data are not there"),
]


def build(target: Path, select: str, backend: str | None = None) -> tuple[Project, float]:
    project = Project.load(ROOT, vars=VARS, target_path=target, env="main")
    for name in ("generate_items", "score_interaction") if backend else ():
        # As if the checkpoints named this backend.
        function = functools.partial(project.udfs.function(name), backend=backend)
        project.udfs._functions[name] = function
    started = time.monotonic()
    result = project.build(select=select)
    assert result.success, [n.error for n in result.nodes if n.error]
    return project, time.monotonic() - started


def test_vllm_keeps_the_pairs_that_transformers_keeps(tmp_path: Path) -> None:
    first = Path(os.environ.get("LLMI2I_TOYS_TARGET", tmp_path / "transformers"))
    reference, seconds = build(first, "+synthetic_interactions")
    second = tmp_path / "vllm"
    shutil.copytree(
        first / "store", second / "store", ignore=shutil.ignore_patterns(*INFERRED, ".tmp")
    )
    other, vllm_seconds = build(second, "+synthetic_interactions", "vllm")
    print(f"\nwith transformers {seconds:,.0f} s, with vllm {vllm_seconds:,.0f} s")

    import duckdb

    session = duckdb.connect()
    for name, project in (("a", reference), ("b", other)):
        pointers = project.environment.pointers()
        for node in ("scored_interactions", "synthetic_interactions"):
            data = project.store.data_path(node, pointers[node].fingerprint)
            session.execute(f"create view {name}_{node} as from '{data}'")

    def number(sql: str) -> float:
        return float(session.execute(sql).fetchone()[0])  # type: ignore[index]

    joined = "a_scored_interactions a full join b_scored_interactions b using (user_id, item_id)"
    shares = {
        "candidates": number(f"select avg(coalesce(a.rank = b.rank, false)::int) from {joined}")
    }
    print(f"candidates {number('select count(*) from a_scored_interactions'):,.0f}")
    # A log-probability beside a bucket's edge may fall on either side: then the discriminator reads another word.
    prompts = "a.discriminator_call = b.discriminator_call"
    shares["prompts of the discriminator"] = number(
        f"select avg(coalesce({prompts}, false)::int) from {joined}"
    )
    margins = number(f"select max(abs(a.margin - b.margin)) from {joined} where {prompts}")
    print(f"largest difference of margins, equal prompts: {margins:.2g}")
    assert margins < 1e-4
    kept = "select user_id, item_id from {}_synthetic_interactions"
    both = f"select count(*) from ({kept.format('a')} intersect {kept.format('b')})"
    either = f"select count(*) from ({kept.format('a')} union {kept.format('b')})"
    shares["kept pairs"] = number(both) / number(either)
    # The default keeps every candidate: look at thresholds that do not, too.
    for part in (0.5, 0.9, 0.99):
        cut = f"(select quantile_cont(confidence, {part}) from a_scored_interactions)"
        agree = f"coalesce(a.confidence >= {cut}, false) and coalesce(b.confidence >= {cut}, false)"
        some = f"coalesce(a.confidence >= {cut}, false) or coalesce(b.confidence >= {cut}, false)"
        shares[f"kept, best {1 - part:.0%}"] = number(
            f"select count(*) filter ({agree}) / count(*) filter ({some}) from {joined}"
        )
    for what, share in shares.items():
        print(f"same {what}: {share:.4%}")
    assert min(shares.values()) >= 0.999
