"""What every language model backend must do; each backend inherits the one class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import TextBackend, backend_for
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.trainer import train_checkpoint

N_ITEMS = 30
ITEMS = {f"<i_{n}>" for n in range(N_ITEMS)}
PROMPTS = [
    "Recent <i_1> <i_2>",
    "Recent <i_7>",
    "",
    "<i_3> <i_4> <i_5> <i_6> candidate <i_9> ?",
    "a word nobody knows <i_8>",
    "Recent " + " ".join(f"<i_{n}>" for n in range(20)),
]


def write_checkpoint(folder: Path, architecture: str) -> Path:
    """A model that knows items as well as labels: sequences first, then questions about candidates."""
    settings = settings_from(
        {
            "architecture": architecture,
            "hidden_size": 16,
            "epochs": 1,
            "batch_size": 8,
            "max_length": 12,
            "threads": 1,
        }
    )
    walks = [[f"<i_{(start + step) % N_ITEMS}>" for step in range(4)] for start in range(N_ITEMS)]
    sequences = pa.table(
        {
            "prompt": ["Recent"] * N_ITEMS,
            "completions": walks,
            "weights": [[0.0, 1.0, 1.0, 1.0]] * N_ITEMS,
        }
    )
    train_checkpoint(sequences, folder / "generator", settings)
    questions = pa.table(
        {
            "prompt": [f"{w[0]} candidate {w[1]} ?" for w in walks],
            "completion": ["Yes", "No"] * 15,
            "weight": [1.0] * N_ITEMS,
        }
    )
    train_checkpoint(questions, folder / "judge", settings, initial=folder / "generator")
    return folder / "judge"


class TextBackendContract:
    """Inherited by TestFakeBackend, TestTransformersBackend and those to come."""

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> TextBackend:
        raise NotImplementedError

    def test_only_valid_items_best_first(self, backend: TextBackend):
        for ranked in backend.top_items(PROMPTS, 10):
            tokens, values = zip(*ranked, strict=True)
            assert len(set(tokens)) == 10
            assert set(tokens) <= ITEMS
            assert list(values) == sorted(values, reverse=True)
            assert all(type(token) is str and type(value) is float for token, value in ranked)

    def test_items_of_the_prompt_are_left_out(self, backend: TextBackend):
        for prompt, ranked in zip(
            PROMPTS[:5], backend.top_items(PROMPTS[:5], N_ITEMS), strict=True
        ):
            assert {token for token, _ in ranked} == ITEMS - set(prompt.split())

    def test_items_cut_from_a_long_prompt_are_left_out_too(self, backend: TextBackend):
        (ranked,) = backend.top_items(PROMPTS[5:], N_ITEMS)
        assert {token for token, _ in ranked} == ITEMS - set(PROMPTS[5].split())

    def test_log_probabilities_are_normalised_over_all_items(self, backend: TextBackend):
        for ranked in backend.top_items(PROMPTS, 2 * N_ITEMS, exclude_prompt_items=False):
            assert len(ranked) == N_ITEMS
            assert sum(np.exp(value) for _, value in ranked) == pytest.approx(1.0, abs=1e-5)

    def test_leaving_items_out_does_not_change_the_others(self, backend: TextBackend):
        everything = dict(backend.top_items(PROMPTS[:1], N_ITEMS, exclude_prompt_items=False)[0])
        for token, value in backend.top_items(PROMPTS[:1], N_ITEMS)[0]:
            assert value == pytest.approx(everything[token], abs=1e-5)

    def test_batching_does_not_change_items(self, backend: TextBackend):
        together = backend.top_items(PROMPTS, 5)
        for prompt, ranked in zip(PROMPTS, together, strict=True):
            (alone,) = backend.top_items([prompt], 5)
            assert [token for token, _ in alone] == [token for token, _ in ranked]
            np.testing.assert_allclose([v for _, v in alone], [v for _, v in ranked], atol=1e-4)

    def test_batching_does_not_change_labels(self, backend: TextBackend):
        together = backend.label_logits(PROMPTS, ["Yes", "No"])
        alone = [backend.label_logits([prompt], ["Yes", "No"])[0] for prompt in PROMPTS]
        np.testing.assert_allclose(together, alone, atol=1e-4)
        reverse = backend.label_logits(PROMPTS[::-1], ["Yes", "No"])
        np.testing.assert_allclose(together, reverse[::-1], atol=1e-4)

    def test_label_order_follows_the_question(self, backend: TextBackend):
        yes_no = backend.label_logits(PROMPTS, ["Yes", "No"])
        no_yes = backend.label_logits(PROMPTS, ["No", "Yes"])
        np.testing.assert_allclose(yes_no, no_yes[:, ::-1], atol=1e-6)

    def test_label_probabilities(self, backend: TextBackend):
        logits = backend.label_logits(PROMPTS, ["Yes", "No"])
        chances = backend.label_probabilities(PROMPTS, ["Yes", "No"])
        assert logits.dtype == chances.dtype == np.float32
        assert chances.shape == (len(PROMPTS), 2)
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-6)
        np.testing.assert_allclose(
            chances[:, 0], 1 / (1 + np.exp(logits[:, 1] - logits[:, 0])), atol=1e-6
        )

    def test_unknown_label(self, backend: TextBackend):
        with pytest.raises(LlmI2iError, match="no word 'Maybe'"):
            backend.label_logits(PROMPTS, ["Yes", "Maybe"])

    def test_no_prompts(self, backend: TextBackend):
        assert backend.top_items([], 5) == []
        assert backend.label_logits([], ["Yes", "No"]).shape == (0, 2)
        assert backend.label_probabilities([], ["Yes", "No"]).shape == (0, 2)

    def test_same_answer_twice(self, backend: TextBackend):
        assert backend.top_items(PROMPTS, 5) == backend.top_items(PROMPTS, 5)


class TestFakeBackend(TextBackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, tmp_path_factory: pytest.TempPathFactory) -> TextBackend:
        return backend_for(write_checkpoint(tmp_path_factory.mktemp("fake"), "fake"), "fake")


class TestTransformersBackend(TextBackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, tmp_path_factory: pytest.TempPathFactory) -> TextBackend:
        return backend_for(
            write_checkpoint(tmp_path_factory.mktemp("llama"), "llama"), "transformers"
        )
