"""The transformers backend on checkpoints with a tokenizer: beams, labels and single tokens against plain forward passes."""
# ruff: noqa: TID253

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from llm_i2i.lm.checkpoint import check_complete
from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.open import backend_for
from tests.tiny_checkpoint import write_checkpoint

ITEMS = {
    "token": [f"<i_{n}>" for n in range(25)],
    "text": [f"B{n * n}" for n in range(25)] + ["B1 red", "a]b", "A"],
    "semantic": [f"<a_{n % 3}> <b_{n // 3 % 3}> <c_{n // 9}>" for n in range(25)],
}
PROMPTS = [
    "Next product ID:",
    "Shopper: u1.\n1. [B4] Kite | Acme\n2. [B9] Drum\nNext product ID:",
    "Recent products, oldest first:\n1. {0}\n2. {1}\nNext product ID:",
    "a much longer prompt, about nothing " * 3 + "Next product ID:",
]
TEXTS = [
    "Kite Drum Acme Shopper Recent products oldest first Next product ID: Yes No",
    "B10 B16 <i>",
]


@pytest.fixture(scope="module", params=["token", "text", "semantic"])
def backend(request, tmp_path_factory) -> TransformersBackend:
    folder = tmp_path_factory.mktemp(request.param)
    write_checkpoint(folder, ITEMS[request.param], request.param, texts=TEXTS)
    return backend_for(folder)


def prompts_for(backend):
    first, second = backend.vocabulary.item_tokens[:2]
    return [prompt.format(first, second) for prompt in PROMPTS]


@torch.inference_mode()
def log_softmax_behind(backend, tokens):
    return backend.model(torch.tensor([tokens])).logits[0, -1].log_softmax(0).numpy()


def whole_score(backend, prompt, answer):
    """Log-probability of an answer behind a prompt, by one forward pass a token."""
    head, total = backend.vocabulary.encode(prompt, backend._room), 0.0
    for place, token in enumerate(answer):
        total += float(log_softmax_behind(backend, [*head, *answer[:place]])[token])
    return total


def test_all_items_are_ranked_as_by_brute_force(backend: TransformersBackend):
    vocabulary, prompts = backend.vocabulary, prompts_for(backend)
    count = vocabulary.n_items
    ranked = backend.top_items(prompts, count, exclude_prompt_items=False)
    for prompt, found in zip(prompts, ranked, strict=True):
        scores = [whole_score(backend, prompt, ids) for ids in vocabulary.item_sequences]
        if vocabulary.item_ids == "token":  # one token: normalised over the items
            scores = scores - np.logaddexp.reduce(scores)
        order = np.argsort(-np.array(scores), kind="stable")
        assert [token for token, _ in found] == [vocabulary.item_tokens[i] for i in order]
        np.testing.assert_allclose([v for _, v in found], np.array(scores)[order], atol=2e-4)


def test_items_of_the_history_stay_out(backend: TransformersBackend):
    prompts = prompts_for(backend)
    ranked = backend.top_items(prompts, backend.vocabulary.n_items)
    everything = set(backend.vocabulary.item_tokens)
    for prompt, found in zip(prompts, ranked, strict=True):
        seen = {backend.vocabulary.item_tokens[i] for i in backend.vocabulary.prompt_items(prompt)}
        assert {token for token, _ in found} == everything - seen
    assert len(ranked[2]) == len(everything) - 2


def test_batching_does_not_change_items(backend: TransformersBackend):
    prompts = prompts_for(backend) * 3
    together = backend.top_items(prompts, 4)
    for prompt, found in zip(prompts, together, strict=True):
        (alone,) = backend.top_items([prompt], 4)
        assert [token for token, _ in alone] == [token for token, _ in found]
        np.testing.assert_allclose([v for _, v in alone], [v for _, v in found], atol=2e-4)
    assert backend.top_items([], 4) == []


@pytest.mark.parametrize(
    "labels", [["Yes", "No"], ["Yes sir", "Yes madam"], ["No", "No thanks"], ["Yes"]]
)
def test_labels(backend: TransformersBackend, labels):
    prompts = prompts_for(backend)
    logits = backend.label_logits(prompts, labels)
    assert logits.dtype == np.float32
    spelled = [backend.vocabulary.answer(label) for label in labels]
    single = len({ids[0] for ids in spelled}) == len(labels)
    if labels[-1] == "No thanks":
        spelled = [[*ids, backend.vocabulary.end] for ids in spelled]
    for row, prompt in zip(logits, prompts, strict=True):
        cut = [ids[:1] if single else ids for ids in spelled]
        expected = np.array([whole_score(backend, prompt, ids) for ids in cut])
        # logits and log-probabilities differ by a number of the prompt's own.
        np.testing.assert_allclose(row - row[0], expected - expected[0], atol=2e-4)
    chances = backend.label_probabilities(prompts, labels)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-6)


def test_spellings_can_be_summed(tmp_path: Path):
    folder = write_checkpoint(tmp_path, ITEMS["token"], "token", texts=TEXTS)
    both = TransformersBackend(folder, sum_spellings=True)
    prompts = prompts_for(both)
    spaced, plain = (
        np.array([[whole_score(both, p, ids[:1]) for p in prompts] for ids in spellings])
        for spellings in zip(*(both.vocabulary.spellings(w) for w in ("Yes", "No")), strict=True)
    )
    expected = np.logaddexp(spaced, plain)
    logits = both.label_logits(prompts, ["Yes", "No"])
    np.testing.assert_allclose(logits[:, 0] - logits[:, 1], expected[0] - expected[1], atol=2e-4)


def test_the_prompt_leaves_room_for_the_answer(tmp_path: Path):
    folder = write_checkpoint(tmp_path, ITEMS["text"], "text", texts=TEXTS, max_length=40)
    assert check_complete(folder).vocabulary == "tokenizer"
    backend = TransformersBackend(folder)
    lines = "\n".join(f"{n}. [B{n * n}] Kite number {n} | Acme" for n in range(20))
    (found,) = backend.top_items([f"Recent products:\n{lines}\nNext product ID:"], 28)
    # items of entries that were cut stay out, too.
    assert {token for token, _ in found} == {f"B{n * n}" for n in range(20, 25)} | {
        "B1 red",
        "a]b",
        "A",
    }
    longest = max(len(ids) for ids in backend.vocabulary.item_sequences)
    assert backend._room + longest - 1 == 40
