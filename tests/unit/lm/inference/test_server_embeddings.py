"""Embeddings of a server: what is asked, and what becomes of texts that it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.inference.http import RequestFailed
from llm_i2i.lm.inference.server_embeddings import ServerEncoder
from llm_i2i.lm.serving import ServingSettings

SERVING = ServingSettings(prompts_per_request=4, concurrency=1)


class StubClient:
    """Answers with the vector (length of the text, 1), in reversed order; refuses requests with a text of `bad`."""

    def __init__(self, bad: str = "", kind: Any = "refused", answer: Any = None) -> None:
        self.bad, self.kind, self.answer = bad, kind, answer
        self.bodies: list[Any] = []

    def post(self, path: str, body: Any) -> Any:
        assert path == "embeddings"
        self.bodies.append(body)
        if self.bad in body["input"]:
            raise RequestFailed(self.kind, "HTTP 400 too long")
        if self.answer is not None:
            return self.answer
        rows = [{"index": i, "embedding": [len(t), 1]} for i, t in enumerate(body["input"])]
        return {"data": rows[::-1]}  # the index counts, not the place


def encoder(client: StubClient) -> ServerEncoder:
    return ServerEncoder("embedder", SERVING, client)  # type: ignore[arg-type]


def test_vectors_come_back_in_order_and_of_length_one() -> None:
    client = StubClient(bad="none")
    texts = ["a" * n for n in range(1, 7)]
    vectors = encoder(client).embed(texts)
    expected = np.array([[n, 1] for n in range(1, 7)], dtype=float)
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert [len(body["input"]) for body in client.bodies] == [4, 2]
    assert {body["model"] for body in client.bodies} == {"embedder"}


def test_a_refused_text_fails_alone() -> None:
    with pytest.raises(RowsFailed) as failure:
        encoder(StubClient(bad="bad")).embed(["a", "bb", "bad", "cccc", "d"])
    assert list(failure.value.errors) == [2]
    assert failure.value.answers[[0, 1, 3, 4]].any(axis=1).all()


def test_a_server_that_is_down_is_asked_once_a_request() -> None:
    client = StubClient(bad="a", kind="unanswered")
    with pytest.raises(LlmI2iError, match="no embeddings"):
        encoder(client).embed(["a", "b", "c", "d"])
    assert len(client.bodies) == 1


@pytest.mark.parametrize("answer", [{}, {"data": [{"index": 0}]}, {"data": "no"}])
def test_another_answer_is_no_embedding(answer: Any) -> None:
    with pytest.raises(LlmI2iError, match="no embeddings"):
        encoder(StubClient(bad="none", answer=answer)).embed(["a"])
