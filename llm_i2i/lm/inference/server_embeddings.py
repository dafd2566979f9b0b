"""Text embeddings from an OpenAI-compatible server: `POST /embeddings` with a model and a list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.inference.http import CompletionClient, RequestFailed
from llm_i2i.lm.serving import ServingSettings

Floats = npt.NDArray[np.float64]


class ServerEncoder:
    """Asks a server for embeddings.

    Args:
        model: Its name at the server.
        serving: Address, key, rate limit and retries; `prompts_per_request` texts go into one request.
    """

    def __init__(
        self, model: str, serving: ServingSettings, client: CompletionClient | None = None
    ) -> None:
        self.model = model
        self.serving = serving
        self.client = client or CompletionClient(serving)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit embeddings, float64, shape (texts, d).

        Raises:
            RowsFailed: The server refused some texts; the vectors of the others are in it.
            LlmI2iError: It answers nothing, or refuses everything.
        """
        size = self.serving.prompts_per_request
        rows = list(range(len(texts)))
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        with ThreadPoolExecutor(self.serving.concurrency) as pool:
            answers = list(pool.map(lambda part: self._ask(texts, part), parts))
        found: dict[int, Any] = {}
        errors: dict[int, str] = {}
        for vectors, refused in answers:
            found |= vectors
            errors |= refused
        if rows and not found:
            raise self._no_answer(next(iter(errors.values())))
        width = len(next(iter(found.values()))) if found else 0
        result = np.zeros((len(texts), width))
        for row, vector in found.items():
            result[row] = vector
        result /= np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)
        if errors:
            raise RowsFailed(result, dict(sorted(errors.items())))
        return result

    def _ask(self, texts: Sequence[str], rows: list[int]) -> tuple[dict[int, Any], dict[int, str]]:
        """Vectors of these rows, and why the others have none."""
        body = {"model": self.model, "input": [texts[row] for row in rows]}
        try:
            return dict(
                zip(rows, _read(self.client.post("embeddings", body), len(rows)), strict=True)
            ), {}
        except RequestFailed as failure:
            # A server that does not answer at all is not asked again for every half of the rows.
            if len(rows) == 1 or failure.kind == "unanswered":
                return {}, dict.fromkeys(rows, str(failure))
        # Some row is at fault: halves find it without a request for each of the others.
        half = len(rows) // 2
        first, second = self._ask(texts, rows[:half]), self._ask(texts, rows[half:])
        return first[0] | second[0], first[1] | second[1]

    def _no_answer(self, why: str) -> LlmI2iError:
        return LlmI2iError(
            "the server gives no embeddings",
            where=self.serving.base_url,
            found=why,
            fix="check base_url under serving: of the entry that text_encoder_server names, and the model in text_encoder",
        )


def _read(answer: Any, count: int) -> list[list[float]]:
    """The vectors in an answer, in the order of the texts.

    Raises:
        RequestFailed: It is not the answer of an embeddings server to `count` texts.
    """
    try:
        found = {int(one["index"]): [float(x) for x in one["embedding"]] for one in answer["data"]}
        vectors = [found[place] for place in range(count)]
    except (KeyError, TypeError, ValueError) as error:
        raise RequestFailed(
            "refused", f"no embeddings in the server's answer ({type(error).__name__})"
        ) from error
    if len({len(vector) for vector in vectors}) != 1:
        raise RequestFailed("refused", "the server's embeddings are not equally long")
    return vectors
