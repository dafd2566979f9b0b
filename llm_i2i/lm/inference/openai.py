"""Asks an OpenAI-compatible completions server that serves the checkpoint: `vllm serve`, see `server_arguments`.

Standard fields, `logit_bias` among them, and two of vLLM's: `logprob_token_ids` and `return_tokens_as_token_ids`.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import Logits, RowsFailed, no_text, probabilities, text_room
from llm_i2i.lm.checkpoint import checkpoint_digest, load_metadata, open_vocabulary
from llm_i2i.lm.inference.http import CompletionClient, RequestFailed
from llm_i2i.lm.inference.ranking import best_items, label_ids, prompt_items
from llm_i2i.lm.inference.sampling import asked, items_only, room
from llm_i2i.lm.inference.spelled import SpelledAnswers
from llm_i2i.lm.items import BOS, FIRST_ITEM, Vocabulary
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import PretrainedSettings

Chances = dict[int, float]  # token id -> log-probability of the next token
GIVE_UP_UNANSWERED = 3  # requests in a row without an answer, retries included: the server is down
GIVE_UP_REFUSED = 64  # refusals before any good answer: it is not the rows


class OpenAIBackend:
    """A checkpoint behind a server. A row that the server cannot answer fails alone; see `RowsFailed`."""

    def __init__(
        self, folder: Path, serving: ServingSettings, client: CompletionClient | None = None
    ) -> None:
        self.folder = folder
        self.serving = serving
        self.metadata = load_metadata(folder)
        vocabulary = open_vocabulary(folder, self.metadata)
        self.spelled: SpelledAnswers | None = None
        if isinstance(vocabulary, Vocabulary):
            self.vocabulary = vocabulary
        else:
            self.spelled = SpelledAnswers(self, vocabulary, self.metadata.settings.max_length)
        self.client = client or CompletionClient(serving)

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        if self.spelled:
            return self.spelled.top_items(prompts, n, exclude_prompt_items)
        vocabulary = self.vocabulary
        mask = items_only(vocabulary)
        seen = prompt_items(vocabulary, prompts)
        left_out = seen if exclude_prompt_items else [set[int]()] * len(prompts)

        def fields(rows: Sequence[int]) -> dict[str, Any]:
            count = n + max(len(left_out[row]) for row in rows)
            return {"logprobs": min(count, vocabulary.n_items), **mask}

        found, errors = self._ask(self._prompts(prompts), fields)
        ranked = [
            best_items(vocabulary, chances, out, n)
            for chances, out in zip(found, left_out, strict=True)
        ]
        return _or_raise(ranked, errors)

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`; these are log-probabilities over the whole vocabulary."""
        if self.spelled:
            return self.spelled.label_logits(prompts, labels)
        ids = label_ids(self.vocabulary, labels)
        rows, errors = self._chances_of(self._prompts(prompts), [ids] * len(prompts))
        logits = np.stack(rows) if rows else np.zeros((0, len(labels)), dtype=np.float32)
        return _or_raise(logits, errors)

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
        """See `TextBackend.generate_text`. `top_k` is a field of vLLM's; the server draws from the seed in its own way."""
        if not self.spelled:
            raise no_text(str(self.folder))
        room_, length = text_room(self.metadata.settings.max_length, max_tokens)
        fields = {
            "max_tokens": length, "temperature": temperature, "top_k": top_k, "seed": seed, "n": n,
            "return_tokens_as_token_ids": False, "stop_token_ids": self.spelled.vocabulary.ends,
        }  # fmt: skip
        rows = [self.spelled.vocabulary.encode(prompt, room_) for prompt in prompts]
        found, errors = self._ask(
            rows, lambda _: fields, lambda answer, count: _read_texts(answer, count, n)
        )
        return _or_raise([texts or [] for texts in found], errors)  # type: ignore[no-any-return]

    def next_log_probabilities(
        self, sequences: Sequence[Sequence[int]], allowed: Sequence[Sequence[int]]
    ) -> list[Logits]:
        """See `NextTokenBackend.next_log_probabilities`. Always sends token ids, whatever `prompts` says."""
        return _or_raise(*self._chances_of([list(one) for one in sequences], allowed))

    def _prompts(self, prompts: Sequence[str]) -> list[Any]:
        longest = self.metadata.settings.max_length
        rows = [self.vocabulary.encode(prompt, longest) for prompt in prompts]
        if self.serving.prompts == "token_ids":
            return rows
        # Cut as our vocabulary cuts; the server's tokenizer puts `<s>` in front again.
        return [" ".join(self.vocabulary.words[token] for token in row[1:]) for row in rows]

    def _chances_of(
        self, prompts: Sequence[Any], allowed: Sequence[Sequence[int]]
    ) -> tuple[list[Logits], dict[int, str]]:
        """The log-probabilities of the allowed tokens, NaN where a row failed, and why."""
        rows_of: dict[tuple[int, ...], list[int]] = {}
        for row, ids in enumerate(allowed):
            rows_of.setdefault(tuple(ids), []).append(row)
        result: list[Any] = [None] * len(prompts)
        errors: dict[int, str] = {}
        for ids, rows in rows_of.items():
            fields = {"logprobs": len(ids), **asked(ids)}  # an API rule: no token ids without it
            found, failed = self._ask([prompts[r] for r in rows], lambda _, fields=fields: fields)
            errors |= {rows[place]: why for place, why in failed.items()}
            for row, chances in zip(rows, found, strict=True):
                values = [chances.get(token, np.nan) for token in ids]
                result[row] = np.array(values, dtype=np.float32)
        return result, errors

    def _ask(
        self,
        prompts: Sequence[Any],
        fields: Callable[[Sequence[int]], Mapping[str, Any]],
        read: Callable[[Any, int], list[Any]] | None = None,
    ) -> tuple[list[Any], dict[int, str]]:
        """Answers of all prompts, {} where one failed, and why.

        Args:
            fields: Gives a request's own fields from its rows.
            read: Makes the answers of so many prompts of the server's; None reads their chances.
        """
        if not prompts:
            return [], {}
        model = self._model
        read = read or self._read
        round_ = _Round(len(prompts))

        def ask(rows: list[int]) -> None:
            if round_.given_up:
                round_.fail(rows, round_.given_up)
                return
            body = {
                "model": model, "prompt": [prompts[row] for row in rows], "max_tokens": 1, "temperature": 0,
                "return_tokens_as_token_ids": True, **fields(rows),
            }  # fmt: skip
            try:
                round_.succeed(rows, read(self.client.post("completions", body), len(rows)))
            except RequestFailed as failure:
                round_.count(failure)
                if len(rows) == 1 or round_.given_up:
                    round_.fail(rows, str(failure))
                    return
                # Some row is at fault: halves find it without a request for each of the others.
                ask(rows[: len(rows) // 2])
                ask(rows[len(rows) // 2 :])

        size = self.serving.prompts_per_request
        requests = [
            list(range(at, min(at + size, len(prompts)))) for at in range(0, len(prompts), size)
        ]
        with ThreadPoolExecutor(self.serving.concurrency) as pool:
            for done in [pool.submit(ask, rows) for rows in requests]:
                done.result()
        return round_.found, round_.errors

    def _read(self, answer: Any, count: int) -> list[Chances]:
        """The chances in a server's answer, in prompt order.

        Raises:
            RequestFailed: It is not the answer of a completions server to `count` prompts.
        """
        try:
            found: dict[int, Chances] = {}
            for place, choice in enumerate(answer["choices"]):
                (top,) = choice["logprobs"]["top_logprobs"]
                found[choice.get("index", place)] = {
                    self._token(k): float(v) for k, v in top.items()
                }
            return [found[place] for place in range(count)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RequestFailed(
                "refused", f"no log-probabilities in the server's answer ({type(error).__name__})"
            ) from error

    def _token(self, key: str) -> int:
        if key.startswith("token_id:"):
            return int(key.removeprefix("token_id:"))
        return -1 if self.spelled else self.vocabulary.ids.get(key.strip(), -1)

    @cached_property
    def _model(self) -> str:
        """Name of the served model, after a look at whether the server answers as we need it."""
        try:
            name = self.serving.model or self._own_model()
            body = {
                "model": name, "prompt": [[BOS]], "max_tokens": 1, "temperature": 0, "logprobs": 1,
                "logit_bias": {str(FIRST_ITEM): 100}, "return_tokens_as_token_ids": True,
            }  # fmt: skip
            (chances,) = self._read(self.client.post("completions", body), 1)
        except RequestFailed as failure:
            raise LlmI2iError(
                "the completions server does not answer",
                where=self.serving.base_url,
                found=str(failure),
                fix="start it, or mend base_url under serving: of the language model",
            ) from failure
        if chances.get(FIRST_ITEM, -1.0) < -1e-3:  # a bias of 100 leaves nothing to the others
            raise LlmI2iError(
                "the server's log-probabilities leave out logit_bias: they are not over items only",
                where=self.serving.base_url,
                fix="start it with --logprobs-mode processed_logprobs",
            )
        return name

    def _own_model(self) -> str:
        """The name `server_arguments` gives this checkpoint: another one would answer too, and wrongly."""
        name = checkpoint_digest(self.folder)
        listed = self.client.get("models")
        models = listed.get("data", []) if isinstance(listed, dict) else []
        served = [str(model["id"]) for model in models]
        if name not in served:
            raise LlmI2iError(
                f"the server does not serve this checkpoint ({name})",
                where=self.serving.base_url,
                found=", ".join(served) or "no model",
                fix="serve it, then go on; calls made so far are kept: python -m vllm.entrypoints.openai.api_server "
                + shlex.join(server_arguments(self.folder)),
            )
        return name


class _Round:
    """What has come of one call's rows so far; safe for threads."""

    def __init__(self, count: int) -> None:
        self.found: list[Any] = [{} for _ in range(count)]
        self.errors: dict[int, str] = {}
        self.given_up = ""
        self._unanswered = self._refused = 0
        self._lock = threading.Lock()

    def succeed(self, rows: Sequence[int], answers: Sequence[Any]) -> None:
        with self._lock:
            self._unanswered, self._refused = 0, -(10**9)  # after one good answer it is the rows
            for row, chances in zip(rows, answers, strict=True):
                self.found[row] = chances

    def count(self, failure: RequestFailed) -> None:
        with self._lock:
            self._unanswered = self._unanswered + 1 if failure.kind == "unanswered" else 0
            self._refused += failure.kind == "refused"
            if self._unanswered >= GIVE_UP_UNANSWERED or self._refused >= GIVE_UP_REFUSED:
                self.given_up = str(failure)

    def fail(self, rows: Sequence[int], why: str) -> None:
        with self._lock:
            self.errors |= dict.fromkeys(rows, why)


def _read_texts(answer: Any, count: int, n: int) -> list[list[str]]:
    """The `n` texts of each of `count` prompts, which the server numbers prompt by prompt.

    Raises:
        RequestFailed: It is not the answer of a completions server to `count` prompts.
    """
    try:
        found = {int(choice["index"]): str(choice["text"]).strip() for choice in answer["choices"]}
        return [[found[row * n + k] for k in range(n)] for row in range(count)]
    except (KeyError, TypeError, ValueError) as error:
        raise RequestFailed(
            "refused", f"no texts in the server's answer ({type(error).__name__})"
        ) from error


def _or_raise(answers: Any, errors: Mapping[int, str]) -> Any:
    if errors:
        raise RowsFailed(answers, dict(sorted(errors.items())))
    return answers


def server_arguments(checkpoint: Path) -> list[str]:
    """Arguments of `python -m vllm.entrypoints.openai.api_server` that serve a checkpoint as this backend needs it."""
    length, overrides = room(checkpoint)
    settings = load_metadata(checkpoint).settings
    is_halved = isinstance(settings, PretrainedSettings) and settings.precision == "bfloat16"
    dtype = "bfloat16" if is_halved else "float32"
    return [
        "--model", str(checkpoint), "--served-model-name", checkpoint_digest(checkpoint),
        "--dtype", dtype, "--max-model-len", str(length), "--hf-overrides", json.dumps(overrides),
        "--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1",
    ]  # fmt: skip
