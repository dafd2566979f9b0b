"""Items and labels from next-token probabilities alone: the same answers as the transformers backend gives."""
# ruff: noqa: TID253

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from llm_i2i.lm.backend import Logits, RowsFailed, probabilities
from llm_i2i.lm.inference.spelled import SpelledAnswers
from llm_i2i.lm.inference.transformers import TransformersBackend
from llm_i2i.lm.open import backend_for
from tests.tiny_checkpoint import write_checkpoint

ITEMS = {
    "token": [f"<i_{n}>" for n in range(25)],
    "text": [f"B{n * n}" for n in range(25)] + ["B1 red", "A"],
    "semantic": [f"<a_{n % 3}> <b_{n // 3 % 3}> <c_{n // 9}>" for n in range(25)],
}
TEXTS = ["Shopper Recent products oldest first Next product ID: Yes No Yesterday", "B10 B16 <i>"]


class NextTokens:
    """One plain forward pass a sequence, as a server would answer; prompts with the token `refused` fail."""

    def __init__(self, backend: TransformersBackend, refused: Sequence[int] = ()) -> None:
        self.model = backend.model
        self.refused = list(refused)

    @torch.inference_mode()
    def next_log_probabilities(
        self, sequences: Sequence[Sequence[int]], allowed: Sequence[Sequence[int]]
    ) -> list[Logits]:
        answers, errors = [], {}
        for row, (tokens, ids) in enumerate(zip(sequences, allowed, strict=True)):
            chances = self.model(torch.tensor([list(tokens)])).logits[0, -1].log_softmax(0).numpy()
            answers.append(chances[list(ids)])
            if self.refused and list(tokens)[: len(self.refused)] == self.refused:
                answers[-1] = np.full(len(ids), np.nan, dtype=np.float32)
                errors[row] = "refused"
        if errors:
            raise RowsFailed(answers, errors)
        return answers


@pytest.fixture(scope="module", params=["token", "text", "semantic"])
def backend(request, tmp_path_factory) -> TransformersBackend:
    folder = tmp_path_factory.mktemp(request.param)
    write_checkpoint(folder, ITEMS[request.param], request.param, texts=TEXTS)
    return backend_for(folder)


def prompts_for(backend: TransformersBackend) -> list[str]:
    first, second = backend.vocabulary.item_tokens[:2]
    return [
        "Next product ID:",
        f"Recent products, oldest first:\n1. {first}\n2. {second}\nNext product ID:",
        "a much longer prompt, about nothing " * 3 + "Next product ID:",
    ]


def spelled(backend: TransformersBackend, refused: Sequence[int] = ()) -> SpelledAnswers:
    longest = backend.metadata.settings.max_length
    return SpelledAnswers(NextTokens(backend, refused), backend.vocabulary, longest)


@pytest.mark.parametrize("exclude", [True, False])
def test_items_are_those_of_transformers(backend: TransformersBackend, exclude: bool):
    prompts = prompts_for(backend)
    found = spelled(backend).top_items(prompts, 5, exclude)
    expected = backend.top_items(prompts, 5, exclude_prompt_items=exclude)
    for ours, theirs in zip(found, expected, strict=True):
        assert [item for item, _ in ours] == [item for item, _ in theirs]
        assert [v for _, v in ours] == pytest.approx([v for _, v in theirs], abs=1e-4)


@pytest.mark.parametrize("labels", [["Yes", "No"], ["Yes", "Yesterday"]])
def test_labels_are_those_of_transformers(backend: TransformersBackend, labels: list[str]):
    prompts = prompts_for(backend)
    found = probabilities(spelled(backend).label_logits(prompts, labels))
    assert found == pytest.approx(backend.label_probabilities(prompts, labels), abs=1e-4)


def test_a_prompt_that_fails_fails_alone(backend: TransformersBackend):
    prompts = prompts_for(backend)
    longest = backend.metadata.settings.max_length - backend._item_length + 1
    refused = backend.vocabulary.encode(prompts[1], longest)
    with pytest.raises(RowsFailed) as caught:
        spelled(backend, refused).top_items(prompts, 5, True)
    assert set(caught.value.errors) == {1}
    good = backend.top_items([prompts[0], prompts[2]], 5)
    kept = [caught.value.answers[0], caught.value.answers[2]]
    assert [[item for item, _ in row] for row in kept] == [
        [item for item, _ in row] for row in good
    ]
