"""Text and semantic ids end to end on the bundled shop: prompts from SQL, a tiny Llama with a tokenizer, valid items out of the trie."""
# ruff: noqa: TID253

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llm_i2i.lm.open import backend_for
from llm_i2i.lm.tokenizer import TokenizerVocabulary
from llm_i2i.runner.project import Project
from tests.project.test_reference_project import ROOT
from tests.tiny_checkpoint import bpe_tokenizer, random_llama, write_checkpoint

MAX_LENGTH = 160
CASES = {
    "text": {"item_ids": "text", "generator_prompt": "g1"},
    "semantic": {"item_ids": "semantic", "generator_prompt": "g3", "semantic_codes": 32},
    "title": {"item_ids": "title", "generator_prompt": "g5"},
}


def shop(folder: Path, vars: dict[str, Any]) -> Project:
    vars = {**vars, "generator_examples": "by_position", "history_length": 5}
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    result = project.build(select="+generator_examples +generator_prompts +targets")
    assert result.published
    return project


def train(
    vocabulary: TokenizerVocabulary, rows: list[tuple[str, str]], steps: int
) -> tuple[Any, list[float]]:
    """A Llama on (prompt, item token) rows, loss on the answer alone; returns it and its losses."""
    model = random_llama(
        len(vocabulary.tokenizer), hidden_size=64, max_length=MAX_LENGTH, scale=0.02
    )
    spelled = dict(zip(vocabulary.item_tokens, vocabulary.item_sequences, strict=True))
    room = MAX_LENGTH - max(map(len, spelled.values()))
    encoded = [(vocabulary.encode(prompt, room), spelled[token]) for prompt, token in rows]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    random, losses = np.random.default_rng(0), []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        chosen = [encoded[i] for i in random.integers(0, len(encoded), 16)]
        length = max(len(p) + len(a) for p, a in chosen)
        tokens = torch.zeros(len(chosen), length, dtype=torch.long)
        labels = torch.full_like(tokens, -100)
        for row, (prompt, answer) in enumerate(chosen):
            tokens[row, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
            labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_model_of_the_shop_gives_back_what_it_learnt_by_heart(name: str, tmp_path: Path):
    project = shop(tmp_path, CASES[name])
    query = "select item_token from item_numbers order by item_number"
    items = [token for (token,) in project.rows(query)[1]]
    query = "select prompt, completions[1] from generator_examples order by user_id, position"
    rows = project.rows(query)[1]
    learnt = rows[:: len(rows) // 48]
    tokenizer = bpe_tokenizer([prompt for prompt, _ in rows[:2000]], size=800)
    vocabulary = TokenizerVocabulary(tokenizer, items, "semantic" if name == "semantic" else "text")
    model, losses = train(vocabulary, learnt, steps=400)
    folder = write_checkpoint(
        tmp_path / "checkpoint",
        items,
        vocabulary.item_ids,
        max_length=MAX_LENGTH,
        model=model,
        vocabulary=vocabulary,
    )
    ranked = backend_for(folder).top_items([prompt for prompt, _ in learnt], 10)
    # Any ten valid items, and first of all the one that followed: from SQL to the trie everything agrees.
    assert all(len({token for token, _ in found} & set(items)) == 10 for found in ranked)
    hits = [found[0][0] == token for found, (_, token) in zip(ranked, learnt, strict=True)]
    print(
        f"{name}: {len(rows)} examples, {len(items)} items, {len(learnt)} learnt, "
        f"loss {losses[0]:.2f} -> {losses[-1]:.3f} a token, first {np.mean(hits):.2f}"
    )
    assert np.mean(hits) >= 0.9
