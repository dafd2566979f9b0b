"""Text behind a prompt: samples of a tiny Llama with a tokenizer, made on the spot."""
# ruff: noqa: TID253

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import RowsFailed, TextBackend, text_room
from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.lm.inference.http import RequestFailed
from llm_i2i.lm.inference.openai import OpenAIBackend
from llm_i2i.lm.inference.writing import _draw, _random_numbers
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.udf import UdfContext
from tests.tiny_checkpoint import write_checkpoint
from tests.tiny_llama import ITEMS, catalogue, llama_settings, questions, write_llama

PROMPTS = [
    "Recent products, oldest first:\n1. [sku 9] Kite\nCandidate: [sku 22]\nReasoning:",
    "Reasoning:",
    "A longer prompt, " * 6 + "Reasoning:",
]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> TextBackend:
    folder = tmp_path_factory.mktemp("writer")
    return backend_for(write_checkpoint(folder, ITEMS, "text", texts=[*PROMPTS, *ITEMS]))


def test_equal_arguments_give_equal_texts_in_any_batch(backend: TextBackend):
    together = backend.generate_text(PROMPTS, 3, max_tokens=12, seed=7)
    assert [len(texts) for texts in together] == [3, 3, 3]
    assert backend.generate_text(PROMPTS, 3, max_tokens=12, seed=7) == together
    for prompt, texts in zip(PROMPTS, together, strict=True):
        assert backend.generate_text([prompt], 3, max_tokens=12, seed=7) == [texts]
    # Fewer samples are the first ones.
    assert backend.generate_text(PROMPTS, 1, max_tokens=12, seed=7) == [[t[0]] for t in together]


def test_samples_and_seeds_differ(backend: TextBackend):
    (texts,) = backend.generate_text(PROMPTS[:1], 4, temperature=1.5, max_tokens=16)
    assert len(set(texts)) == 4
    assert backend.generate_text(PROMPTS[:1], 4, temperature=1.5, max_tokens=16, seed=1) != [texts]


def test_temperature_zero_is_the_greedy_text_of_transformers(backend: Any):
    tokenizer = backend.vocabulary.tokenizer
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            out = backend.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False
            )
        expected = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
        ((text, same),) = backend.generate_text([prompt], 2, temperature=0.0, max_tokens=10)
        assert text == same == expected


def test_first_tokens_have_the_model_s_probabilities(backend: Any):
    ids = torch.tensor([backend.vocabulary.encode(PROMPTS[1], 100)])
    with torch.inference_mode():
        logits = backend.model(ids).logits[0, -1].float()
    best = (logits.topk(3).values / 2.0).softmax(0)
    words = [backend.vocabulary.tokenizer.decode([t]).strip() for t in logits.topk(3).indices]
    (texts,) = backend.generate_text([PROMPTS[1]], 4000, temperature=2.0, top_k=3, max_tokens=1)
    counts = Counter(texts)
    assert set(counts) <= set(words)
    for word, chance in zip(words, best.tolist(), strict=True):
        assert counts[word] / 4000 == pytest.approx(chance, abs=4 * (chance / 4000) ** 0.5)


def test_a_text_ends_at_the_end_token(backend: Any):
    # A token that the model writes some way into its text becomes the end token.
    tokenizer, own = backend.vocabulary.tokenizer, backend.vocabulary.tokenizer.eos_token
    ids = backend.vocabulary.encode(PROMPTS[0], 64)
    tokens = [int(t) for t in _sampled_ids(backend, ids)]
    place = next(n for n, t in enumerate(tokens) if n >= 2 and t not in tokens[:n])
    try:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(tokens[place])
        ((short,),) = backend.generate_text(PROMPTS[:1], 1, temperature=1.5, max_tokens=16)
    finally:
        tokenizer.eos_token = own
    assert short == tokenizer.decode(tokens[:place], skip_special_tokens=True).strip()
    ((whole,),) = backend.generate_text(PROMPTS[:1], 1, temperature=1.5, max_tokens=16)
    assert whole.startswith(short)
    assert len(whole) > len(short)


def _sampled_ids(backend: Any, ids: list[int]) -> list[int]:
    """What `write` draws for the first sample, step by step over the whole sequence, without a cache."""
    chances = _random_numbers(ids, 0, 0, 16)
    row = list(ids)
    with torch.inference_mode():
        for chance in chances:
            logits = backend.model(torch.tensor([row])).logits[:, -1].float()
            row.append(int(_draw(logits, torch.tensor([chance]), 1.5, 50)[0]))
    return row[len(ids) :]


def test_prompt_and_text_share_the_length():
    assert text_room(1024, 256) == (768, 256)
    assert text_room(256, 256) == (128, 128)
    assert text_room(1, 5) == (1, 1)


def test_a_long_prompt_is_cut_at_its_oldest_lines(backend: TextBackend):
    lines = [f"{n + 1}. [{ITEMS[n % len(ITEMS)]}] Kite" for n in range(40)]
    question = "Candidate: [sku 22]\nReasoning:"
    # The prompt's half of the length holds the newest lines alone.
    long = "\n".join([*lines, question])
    (text,) = backend.generate_text([long], 1, max_tokens=64)
    (other,) = backend.generate_text(["\n".join([*lines[5:], question])], 1, max_tokens=64)
    assert text == other


def test_no_prompts_and_no_tokenizer(backend: TextBackend, tmp_path: Path, sequences: pa.Table):
    assert backend.generate_text([], 3) == []
    small = FromSizesSettings(hidden_size=16, num_heads=2, epochs=1, batch_size=8)
    train_checkpoint(sequences, tmp_path, small)
    with pytest.raises(LlmI2iError, match="writes items, not text"):
        backend_for(tmp_path).generate_text(["Reasoning:"], 1)


def test_write_reasoning_with_a_tiny_llama_fine_tuned_on_yes_and_no(tmp_path: Path):
    write_llama(tmp_path / "llama")
    folder = tmp_path / "judge"
    settings = llama_settings(max_length=96, item_ids="text", epochs=2)
    train_checkpoint(questions(), folder, settings, items=catalogue(), base_dir=tmp_path)
    spec = importlib.util.spec_from_file_location(
        "udfs_llm_cf", Path(__file__).parents[4] / "udfs" / "llm_cf.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = UdfContext(tmp_path, tmp_path, tmp_path / "x", "x")
    model = f"judge@{checkpoint_digest(folder)}"
    texts = module.write_reasoning(PROMPTS, n=3, max_tokens=20, model=model, context=context)
    assert [len(row) for row in texts] == [3, 3, 3]
    assert all(isinstance(text, str) for row in texts for text in row)
    assert any(text for row in texts for text in row)
    pa.array(texts, pa.list_(pa.string()))
    assert (
        module.write_reasoning(PROMPTS, n=3, max_tokens=20, model=model, context=context) == texts
    )
    rows = pa.table(
        {
            "example_number": [0, 0, 0],
            "sample": [1, 2, 3],
            "reasoning": texts[0],
            "history": ["Red kite"] * 3,
            "answer": ["Yes"] * 3,
        }
    )
    corpus = pa.table({"text": ["Red kite", "Blue kite", "Red drum", "Blue drum"]})
    scores = module.score_reasoning(rows, corpus=corpus, size=8, context=context)
    values = np.array(scores["score"].to_pylist())
    assert values.shape == (3,)
    assert np.isfinite(values).all()
    json.dumps(scores.to_pylist())


class Completions:
    """Stands in for the client of a server: answers `sample of prompt`, out of order; a prompt of one token is refused."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def post(self, path: str, body: dict[str, Any]) -> Any:
        assert path == "completions"
        if "logit_bias" in body:  # the first look
            return {"choices": [{"logprobs": {"top_logprobs": [{"token_id:4": 0.0}]}}]}
        self.bodies.append(body)
        if any(len(prompt) == 1 for prompt in body["prompt"]):
            raise RequestFailed("refused", "HTTP 400 too short")
        choices = [
            {"index": row * body["n"] + k, "text": f" {k} of {len(prompt)}\n"}
            for row, prompt in enumerate(body["prompt"])
            for k in range(body["n"])
        ]
        return {"choices": choices[::-1]}


def test_a_server_writes(backend: Any):
    options = {"base_url": "http://nowhere/v1", "model": "x", "prompts_per_request": 2}
    client = Completions()
    server = OpenAIBackend(
        Path(backend.model.name_or_path), ServingSettings.model_validate(options), client
    )
    lengths = [len(backend.vocabulary.encode(prompt, 64)) for prompt in PROMPTS]
    texts = server.generate_text(PROMPTS, 2, temperature=0.3, max_tokens=500, seed=5)
    assert texts == [[f"0 of {n}", f"1 of {n}"] for n in lengths]
    asked = {(b["n"], b["temperature"], b["max_tokens"], b["seed"]) for b in client.bodies}
    assert asked == {(2, 0.3, 64, 5)}
    # A refused row fails alone.
    with pytest.raises(RowsFailed) as failed:
        server.generate_text(["", PROMPTS[0]], 1)
    assert list(failed.value.errors) == [0]
    assert failed.value.answers[1] == [f"0 of {lengths[0]}"]
