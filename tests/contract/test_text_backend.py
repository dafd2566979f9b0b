"""What every language model backend must do; each backend inherits the one class."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import NextTokenBackend, TextBackend, probabilities
from llm_i2i.lm.inference.openai import server_arguments
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import settings_from

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
STRANGE = [
    "",
    "   ",
    "\t\n",
    "für <i_1> 日本 🛒",
    "<i_1>\u00a0<i_2>",
    "<s> </s> <pad> <i_3>",
    "?" * 500,
]


def write_checkpoint(folder: Path, architecture: str, heads: int = 2) -> Path:
    """A model that knows items as well as labels: sequences first, then questions about candidates."""
    settings = settings_from(
        {
            "architecture": architecture,
            "hidden_size": 64,
            "num_heads": heads,
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
    """Inherited by the test class of each backend."""

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

    def test_strange_prompts(self, backend: TextBackend):
        together = backend.top_items(STRANGE, 5)
        assert [len(ranked) for ranked in together] == [5] * len(STRANGE)
        labels = backend.label_logits(STRANGE, ["Yes", "No"])
        assert np.isfinite(labels).all()
        # White space alone is the empty prompt; any white space parts words.
        np.testing.assert_allclose(labels[1:3], labels[[0, 0]], atol=1e-4)
        (apart,) = backend.top_items(["<i_1> <i_2>"], 5)
        assert [token for token, _ in apart] == [token for token, _ in together[4]]

    def test_only_the_newest_items_of_a_long_prompt_count(self, backend: TextBackend):
        if type(backend).__name__ == "FakeBackend":
            pytest.skip("the fake backend answers from a hash of the whole prompt")
        cut = "Recent " + " ".join(f"<i_{n}>" for n in range(10, 20))
        long, short = backend.label_logits([PROMPTS[5], cut], ["Yes", "No"])
        np.testing.assert_allclose(long, short, atol=1e-4)

    def test_neighbours_in_a_batch_do_not_matter(self, backend: TextBackend):
        many = [PROMPTS[0]] * 40 + STRANGE + PROMPTS * 10
        ranked, labels = backend.top_items(many, 5), backend.label_logits(many, ["Yes", "No"])
        (alone,) = backend.top_items(PROMPTS[:1], 5)
        places = [place for place, prompt in enumerate(many) if prompt == PROMPTS[0]]
        assert len(places) == 50
        for place in places:
            assert [token for token, _ in ranked[place]] == [token for token, _ in alone]
            values = [value for _, value in ranked[place]]
            np.testing.assert_allclose(values, [value for _, value in alone], atol=1e-4)
        np.testing.assert_allclose(labels[places], labels[[0] * 50], atol=1e-4)

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
    def backend(cls, checkpoint: Path) -> TextBackend:
        return backend_for(checkpoint, "transformers")


class RealBackendContract(TextBackendContract):
    """What else a backend that runs a real model must do: answer as transformers does."""

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls, checkpoint: Path) -> TextBackend:
        return backend_for(checkpoint, "transformers")

    @pytest.mark.parametrize("exclude", [True, False])
    def test_items_are_those_of_transformers(
        self, backend: TextBackend, reference: TextBackend, exclude: bool
    ):
        prompts = PROMPTS + STRANGE
        wanted = reference.top_items(prompts, 10, exclude_prompt_items=exclude)
        found = backend.top_items(prompts, 10, exclude_prompt_items=exclude)
        for ranked, expected in zip(found, wanted, strict=True):
            assert [token for token, _ in ranked] == [token for token, _ in expected]
            values = [value for _, value in expected]
            np.testing.assert_allclose([value for _, value in ranked], values, atol=1e-4)

    def test_margins_are_those_of_transformers(self, backend: TextBackend, reference: TextBackend):
        prompts = PROMPTS + STRANGE
        found, wanted = (one.label_logits(prompts, ["Yes", "No"]) for one in (backend, reference))
        np.testing.assert_allclose(
            found[:, 0] - found[:, 1], wanted[:, 0] - wanted[:, 1], atol=1e-4
        )

    def test_next_tokens(self, backend: NextTokenBackend, reference: TextBackend):
        vocabulary = backend.vocabulary  # type: ignore[attr-defined]
        sequences = [vocabulary.encode(prompt, 12) for prompt in PROMPTS]
        words = list(range(len(vocabulary.words)))
        logits = reference.label_logits(PROMPTS, [vocabulary.words[word] for word in words])
        wanted = np.log(probabilities(logits))
        allowed = [words, [4], [9, 5], words[::-1], [], [8]]
        found = backend.next_log_probabilities(sequences, allowed)
        for row, ids in enumerate(allowed):
            assert found[row].dtype == np.float32
            np.testing.assert_allclose(found[row], wanted[row][ids], atol=1e-4)
        assert backend.next_log_probabilities([], []) == []


needs_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make test-vllm"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("llama"), "llama")


@needs_vllm
@pytest.mark.vllm
class TestVllmBackend(RealBackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, checkpoint: Path) -> TextBackend:
        return backend_for(checkpoint, "vllm")


@needs_vllm
@pytest.mark.vllm
class TestVllmBackendWithPaddedHeads(RealBackendContract):
    """Heads of width 16, which vLLM's CPU attention does not know."""

    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_checkpoint(tmp_path_factory.mktemp("narrow"), "llama", heads=4)

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, checkpoint: Path) -> TextBackend:
        return backend_for(checkpoint, "vllm")


@pytest.fixture(scope="module")
def server(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a vLLM server of the checkpoint, on loopback."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    # fmt: off
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", *server_arguments(checkpoint),
        "--host", "127.0.0.1", "--port", str(port), "--enforce-eager",
        "--kv-cache-memory-bytes", str(2**29),
    ]
    # fmt: on
    settings = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "TORCHDYNAMO_DISABLE": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **settings}
        )
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        else:
            pytest.fail("the server did not start: " + log.read_text()[-3000:])
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


@needs_vllm
@pytest.mark.vllm
class TestOpenAIBackend(RealBackendContract):
    sends = "token_ids"

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, checkpoint: Path, server: str) -> TextBackend:
        options = {"base_url": server, "prompts": cls.sends, "prompts_per_request": 4}
        return backend_for(checkpoint, "openai", ServingSettings.model_validate(options))


class TestOpenAIBackendWithText(TestOpenAIBackend):
    sends = "text"
