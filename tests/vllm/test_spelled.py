"""Checkpoints with a tokenizer on a real vLLM engine: items as text, as code tokens, as single tokens."""

from __future__ import annotations

import importlib.util

import pytest

from llm_i2i.lm.backend import TextBackend
from llm_i2i.lm.open import backend_for
from llm_i2i.lm.tokenizer import TokenizerVocabulary
from tests.tiny_checkpoint import bpe_tokenizer, random_llama, write_checkpoint

pytestmark = [
    pytest.mark.vllm,
    # an engine that is collected before its sockets closed says so; nothing of ours
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make test-vllm"
    ),
]
ITEMS = {
    "token": [f"<i_{n}>" for n in range(25)],
    "text": [f"B{n * n}" for n in range(25)] + ["B1 red", "A"],
    "semantic": [f"<a_{n % 3}> <b_{n // 3 % 3}> <c_{n // 9}>" for n in range(25)],
}
TEXTS = ["Shopper Recent products oldest first Next product ID: Yes No Yesterday", "B10 B16 <i>"]


@pytest.fixture(scope="module", params=list(ITEMS))
def backends(request, tmp_path_factory) -> tuple[TextBackend, TextBackend]:
    """The same checkpoint on vLLM and on transformers."""
    vocabulary = TokenizerVocabulary(bpe_tokenizer(TEXTS), ITEMS[request.param], request.param)
    folder = write_checkpoint(
        tmp_path_factory.mktemp(request.param),
        vocabulary.item_tokens,
        request.param,
        vocabulary=vocabulary,
        model=random_llama(len(vocabulary.tokenizer), hidden_size=128, max_length=128),
    )
    return backend_for(folder, "vllm"), backend_for(folder, "transformers")


def prompts() -> list[str]:
    return [
        "Next product ID:",
        "Recent products, oldest first:\n1. a kite\n2. B16\nNext product ID:",
        "a much longer prompt, about nothing " * 3 + "Next product ID:",
    ]


@pytest.mark.parametrize("exclude", [True, False])
def test_items_are_those_of_transformers(backends, exclude):
    found, expected = (
        backend.top_items(prompts(), 5, exclude_prompt_items=exclude) for backend in backends
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert [item for item, _ in ours] == [item for item, _ in theirs]
        assert [v for _, v in ours] == pytest.approx([v for _, v in theirs], abs=1e-4)


@pytest.mark.parametrize("labels", [["Yes", "No"], ["Yes", "Yesterday"]])
def test_labels_are_those_of_transformers(backends, labels):
    found, expected = (backend.label_probabilities(prompts(), labels) for backend in backends)
    assert found == pytest.approx(expected, abs=1e-4)
