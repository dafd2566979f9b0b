"""The openai backend against a small server of our own: what it asks, and what it makes of trouble."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.lm.inference.http import CompletionClient, RateLimit, retry_after
from llm_i2i.lm.inference.openai import OpenAIBackend, server_arguments
from llm_i2i.lm.open import backend_for, train_checkpoint
from llm_i2i.lm.serving import ServingSettings, project_serving, serving_settings
from llm_i2i.lm.settings import FromSizesSettings, settings_from

KEY = "sk-very-secret"
Answer = tuple[int, dict[str, str], Any]


class FakeServer:
    """Speaks `/v1/completions`: the log-probability of token t after a prompt is -(t + len(prompt)).

    Attributes:
        trouble: Called with each request's body before it is answered; what it returns is answered instead.
        early: The trouble starts with the backend's first look.
        bodies: The requests to `/completions` after the first look.
    """

    def __init__(self) -> None:
        self.trouble: Callable[[dict[str, Any]], Answer | None] = lambda body: None
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.biased, self.early, self.served = True, False, "only"
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, {}, {"data": [{"id": fake.served}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.keys.add(self.headers["Authorization"])
                probe = body["prompt"] == [[1]] and body.get("logit_bias") == {"4": 100}
                if not probe:
                    fake.bodies.append(body)
                trouble = fake.trouble(body) if fake.early or not probe else None
                self.reply(*(trouble or (200, {}, fake.completion(body, probe))))

            def reply(self, status: int, headers: dict[str, str], body: Any) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that left
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def completion(self, body: dict[str, Any], probe: bool) -> Any:
        def top(prompt: list[int]) -> dict[str, float]:
            if probe:
                return {"token_id:4": 0.0 if self.biased else -3.0}
            if "logprob_token_ids" in body:
                return {f"token_id:{t}": -(t + len(prompt)) for t in body["logprob_token_ids"]}
            barred = {int(token) for token in body["logit_bias"]}
            best = [t for t in range(30) if t not in barred][: body["logprobs"]]
            return {f"token_id:{t}": -float(t + len(prompt)) for t in best}

        choices = [
            {"index": i, "logprobs": {"top_logprobs": [top(p)]}}
            for i, p in enumerate(body["prompt"])
        ]
        return {"choices": choices[::-1]}  # the index counts, not the place


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    thread = threading.Thread(target=fake.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.http.shutdown()
    fake.http.server_close()
    thread.join()


@pytest.fixture
def checkpoint(folder: Path, sequences: pa.Table, tiny: Callable[..., FromSizesSettings]):
    """A fake checkpoint serves for its vocabulary: 12 items, ids 4 to 15, then words."""
    train_checkpoint(sequences, folder, tiny(architecture="fake"))
    return folder


class Sleeps(list[float]):
    """Stands in for `time.sleep`."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def open_(checkpoint: Path, server: FakeServer, sleeps: Sleeps) -> Callable[..., OpenAIBackend]:
    def backend(**options: Any) -> OpenAIBackend:
        known = {"base_url": server.url, "prompts_per_request": 4, "concurrency": 1, "model": "x"}
        known |= options
        serving = ServingSettings.model_validate(known)
        return OpenAIBackend(checkpoint, serving, CompletionClient(serving, sleeps))

    return backend


def prompts(count: int) -> list[str]:
    return ["<i_0> " * (row % 3) + "Recent" for row in range(count)]


def test_prompts_come_back_in_their_order(open_: Any, server: FakeServer) -> None:
    backend = open_(concurrency=3)
    ranked = backend.top_items(prompts(10), 2, exclude_prompt_items=False)
    first = backend.vocabulary.item_tokens[0]
    assert [row[0] for row in ranked] == [(first, -(4.0 + 2 + row % 3)) for row in range(10)]
    assert sorted(len(body["prompt"]) for body in server.bodies) == [2, 4, 4]
    barred = {"0", "1", "2", "3", str(backend.vocabulary.ids["Recent"])}
    assert all(barred == set(body["logit_bias"]) for body in server.bodies)


def test_items_of_the_prompt_are_asked_for_and_left_out(open_: Any, server: FakeServer) -> None:
    (ranked,) = open_().top_items(["<i_0> <i_1> <i_2>"], 2)
    assert server.bodies[0]["logprobs"] == 5
    assert len(ranked) == 2
    assert not {token for token, _ in ranked} & {"<i_0>", "<i_1>", "<i_2>"}


def test_busy_server_is_asked_again_when_it_says(
    open_: Any, server: FakeServer, sleeps: Sleeps
) -> None:
    refusals = [(429, {"Retry-After": "7"}, {}), (503, {}, {}), (500, {}, "oops"), (502, {}, {})]
    server.trouble = lambda body: refusals.pop(0) if refusals else None
    backend = open_()
    ids = backend.vocabulary.ids
    logits = backend.label_logits(["Recent"], ["<i_0>", "<i_1>"])
    assert logits.tolist() == [[-(ids["<i_0>"] + 2.0), -(ids["<i_1>"] + 2.0)]]
    assert sleeps[0] == 7.0
    # Doubling from 0.5 s; the first try's wait was the server's.
    assert all(
        0.5 * most <= wait <= most for wait, most in zip(sleeps[1:], (1.0, 2.0, 4.0), strict=True)
    )


def test_a_server_that_hangs_is_asked_again(open_: Any, server: FakeServer) -> None:
    hold, seen = threading.Event(), []

    def hang_once(body: dict[str, Any]) -> None:
        seen.append(body)
        if len(seen) == 1:
            hold.wait(5)

    server.trouble = hang_once
    backend = open_(timeout_seconds=0.3)
    assert backend.label_logits(["Recent"], ["<i_0>"]).tolist() == [[-6.0]]
    hold.set()
    assert len(seen) == 2


def test_a_bad_row_fails_alone(open_: Any, server: FakeServer) -> None:
    def refuse_long(body: dict[str, Any]) -> Answer | None:
        bad = any(len(prompt) == 5 for prompt in body["prompt"])
        return (400, {}, {"error": {"message": "prompt too long"}}) if bad else None

    server.trouble = refuse_long
    asked = prompts(3) * 5
    asked[7] = "<i_0> <i_1> <i_2> Recent"
    with pytest.raises(RowsFailed) as caught:
        open_().top_items(asked, 3)
    assert caught.value.errors == {7: "HTTP 400 prompt too long"}
    assert [bool(row) for row in caught.value.answers] == [row != 7 for row in range(15)]
    assert len(server.bodies) == 4 + 4  # four requests, one of them halved twice
    with pytest.raises(RowsFailed) as caught:
        open_().label_logits(asked, ["<i_0>", "<i_1>"])
    assert list(caught.value.errors) == [7]
    assert np.isnan(caught.value.answers).all(axis=1).tolist() == [r == 7 for r in range(15)]


def test_a_row_that_crashes_the_server_fails_alone(open_: Any, server: FakeServer) -> None:
    server.trouble = lambda body: (500, {}, "crash") if [1] in body["prompt"] else None
    with pytest.raises(RowsFailed) as caught:
        open_(max_retries=1).top_items(["Recent", "Recent", "", "Recent"], 1)
    assert caught.value.errors == {2: "HTTP 500 crash"}


def test_a_server_that_goes_down_is_not_asked_for_every_row(
    open_: Any, server: FakeServer, sleeps: Sleeps
) -> None:
    server.trouble = lambda body: (503, {}, "down") if len(server.bodies) > 2 else None
    with pytest.raises(RowsFailed) as caught:
        open_(max_retries=2).top_items(prompts(400), 1)
    assert len(caught.value.errors) == 400 - 8  # two requests of four had been answered
    assert set(caught.value.errors.values()) == {"HTTP 503 down"}
    assert len(server.bodies) == 2 + 3 * 3  # three requests, three tries each


def test_a_refusal_of_everything_ends_soon(open_: Any, server: FakeServer) -> None:
    server.trouble = lambda body: (400, {}, "max allowed: 20")
    with pytest.raises(RowsFailed, match=r"400 of 400") as caught:
        open_().top_items(prompts(400), 1)
    assert "max allowed: 20" in caught.value.found
    assert len(server.bodies) == 64


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_address_stops_at_once(
    open_: Any, server: FakeServer, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.early = True
    server.trouble = lambda body: (status, {}, {"error": {"message": f"no {KEY} here"}})
    with pytest.raises(LlmI2iError, match="refuses every request") as caught:
        open_(api_key_env="MY_KEY").top_items(prompts(40), 1)
    assert KEY not in caught.value.render()
    assert "MY_KEY" in caught.value.fix
    assert server.bodies == []
    assert server.keys == {f"Bearer {KEY}"}


def test_no_server(checkpoint: Path) -> None:
    serving = ServingSettings(base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(LlmI2iError, match="does not answer"):
        OpenAIBackend(checkpoint, serving).top_items(["Recent"], 1)


def test_the_server_of_another_checkpoint_is_refused(open_: Any, checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("{}")
    with pytest.raises(LlmI2iError, match="does not serve this checkpoint") as caught:
        open_(model="").top_items(["Recent"], 1)
    assert caught.value.found == "only"
    assert f"--served-model-name {checkpoint_digest(checkpoint)}" in caught.value.fix


def test_the_server_of_this_checkpoint_is_taken(
    open_: Any, server: FakeServer, checkpoint: Path
) -> None:
    server.served = checkpoint_digest(checkpoint)
    open_(model="").top_items(["Recent"], 1)
    assert server.bodies[0]["model"] == server.served


def test_a_server_with_raw_log_probabilities_is_refused(open_: Any, server: FakeServer) -> None:
    server.biased = False
    with pytest.raises(LlmI2iError) as caught:
        open_().top_items(["Recent"], 1)
    assert "processed_logprobs" in caught.value.fix


def test_an_answer_without_log_probabilities_is_an_error_of_the_row(
    open_: Any, server: FakeServer
) -> None:
    server.trouble = lambda body: (200, {}, {"choices": [{}]})
    with pytest.raises(RowsFailed, match="no answer") as caught:
        open_().top_items(["Recent"], 1)
    assert "no log-probabilities" in caught.value.errors[0]


def test_next_tokens(open_: Any, server: FakeServer) -> None:
    found = open_().next_log_probabilities([[1], [1, 5], [1]], [[9], [7, 4], [9]])
    assert [row.tolist() for row in found] == [[-10.0], [-9.0, -6.0], [-10.0]]
    assert len(server.bodies) == 2  # equal questions go together


def test_prompts_as_text(open_: Any, server: FakeServer) -> None:
    open_(prompts="text").top_items(["Recent  <i_1> nobody"], 1)
    assert server.bodies[0]["prompt"] == ["Recent <i_1> <unk>"]


def test_rate_limit_spaces_requests() -> None:
    now = [100.0]
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        now[0] += seconds

    limit = RateLimit(30, clock=lambda: now[0], sleep=sleep)
    limit.wait()
    limit.wait()
    now[0] += 0.5
    limit.wait()
    now[0] += 60
    limit.wait()
    assert sleeps == [2.0, 1.5]


def test_rate_limit_counts_retries_too(open_: Any, server: FakeServer, sleeps: Sleeps) -> None:
    server.trouble = lambda body: (500, {}, "") if len(server.bodies) == 1 else None
    open_(requests_per_minute=60, backoff_seconds=0).label_logits(["Recent"], ["<i_0>"])
    # The probe, the try and its retry, a second apart; the backoff itself is 0.
    assert len([wait for wait in sleeps if wait > 0.5]) == 2


def test_retry_after() -> None:
    assert retry_after("3.5", 0) == 3.5
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20) == 40
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 20) == 0
    assert retry_after("soon", 0) is None
    assert retry_after("", 0) is None


def test_a_wait_that_is_too_long_is_not_waited(open_: Any, server: FakeServer, sleeps: Any) -> None:
    busy = (429, {"Retry-After": "3600"}, {})
    server.trouble = lambda body: busy
    with pytest.raises(RowsFailed) as caught:
        open_().top_items(["Recent"], 1)
    assert "3,600 s" in caught.value.errors[0]
    assert sleeps == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_ur": "x"}, "unknown serving option 'base_ur'"),
        ({"base_url": f"http://me:{KEY}@host/v1"}, "'base_url' has a wrong value"),
        ({"api_key_env": KEY}, "'api_key_env' has a wrong value"),
        ({"concurrency": 0}, "'concurrency' has a wrong value"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message) as caught:
        project_serving({"remote": {"serving": options}})
    assert caught.value.where.startswith("language_models.remote.serving.")
    assert KEY not in caught.value.render()


def test_a_missing_key_is_named(checkpoint: Path) -> None:
    assert "NO_SUCH_KEY" not in os.environ
    with pytest.raises(LlmI2iError, match="NO_SUCH_KEY is not set"):
        OpenAIBackend(checkpoint, ServingSettings(api_key_env="NO_SUCH_KEY"))


def test_options_come_from_the_entry_the_checkpoint_names(
    folder: Path, sequences: pa.Table, tiny: Callable[..., FromSizesSettings]
) -> None:
    train_checkpoint(
        sequences, folder, tiny(backend="openai", serving={"entry": "remote"}, epochs=1)
    )
    recorded = json.loads((folder / "llmi2i.json").read_text())["settings"]["serving"]
    assert recorded == {"entry": "remote"}
    today = {"remote": serving_settings({"concurrency": 7})}
    backend = backend_for(folder, serving=today)
    assert isinstance(backend, OpenAIBackend)
    assert backend.serving.concurrency == 7
    assert backend_for(folder, serving=today) is backend
    assert backend_for(folder).serving.concurrency == 4  # type: ignore[attr-defined]


def test_wrong_serving_options_of_settings() -> None:
    with pytest.raises(LlmI2iError, match="unknown serving option 'speed'"):
        settings_from({"serving": {"speed": 3}})


def test_server_arguments_leave_room_for_the_answer(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"max_position_embeddings": 50}')
    words = server_arguments(checkpoint)
    arguments = dict(zip(words[::2], words[1::2], strict=True))
    assert arguments["--max-model-len"] == "51"
    assert json.loads(arguments["--hf-overrides"]) == {"max_position_embeddings": 51}
    assert arguments["--logprobs-mode"] == "processed_logprobs"
    (checkpoint / "config.json").write_text('{"max_position_embeddings": 4096}')
    assert "{}" in server_arguments(checkpoint)
