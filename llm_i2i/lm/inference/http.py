"""Requests to a completions server that may be slow, busy or down: rate limit, retries, and what a refusal means."""

from __future__ import annotations

import email.utils
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.serving import ServingSettings

# Answers that another try may turn into a good one; the others stay what they are.
PASSING = {408, 409, 425, 429, 500, 502, 503, 504}
# The key, the address or the model's name is wrong: no row can be answered.
WRONG_FOR_ALL = {401, 403, 404, 405}


class RequestFailed(Exception):
    """One request has no answer: `refused` as it is, or still `unanswered` after the last retry."""

    def __init__(self, kind: Literal["refused", "unanswered"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


class RateLimit:
    """Lets `per_minute` requests through, evenly spaced; safe for threads. 0 is no limit."""

    def __init__(
        self,
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may start."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap
        if start > now:
            self._sleep(start - now)


class CompletionClient:
    """A client of one server. The API key is read from the environment and leaves this object only as a header."""

    def __init__(
        self, serving: ServingSettings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise LlmI2iError(
                "the backend openai needs httpx, which is not installed",
                where="language_models.<name>.backend",
                found=str(error),
                fix="pip install 'llm_i2i[openai]'",
            ) from error
        self.serving = serving
        self._key = _api_key(serving.api_key_env)
        self._errors = (httpx.TransportError, ValueError)
        self._sleep = sleep
        self._jitter = random.Random()
        self._limit = RateLimit(serving.requests_per_minute, sleep=sleep)
        self._client = httpx.Client(
            base_url=serving.base_url,
            timeout=serving.timeout_seconds,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            limits=httpx.Limits(max_connections=serving.concurrency),
        )

    def get(self, path: str) -> Any:
        """The JSON a GET answers with."""
        return self._request("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON a POST answers with.

        Raises:
            RequestFailed: The server refused it, or gave no good answer to any try.
            LlmI2iError: The server refuses the key, or knows neither the address nor the model.
        """
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        problem = ""
        for attempt in range(self.serving.max_retries + 1):
            self._limit.wait()
            asked_wait: float | None = None
            try:
                response = self._client.request(method, path, json=body)
                if response.status_code < 300:
                    return response.json()
                problem = self._problem(response)
                if response.status_code in WRONG_FOR_ALL:
                    raise self._wrong_for_all(problem)
                if response.status_code not in PASSING:
                    raise RequestFailed("refused", problem)
                asked_wait = retry_after(response.headers.get("retry-after", ""), time.time())
            except self._errors as error:
                problem = self._hide(f"{type(error).__name__}: {error}")
            if attempt == self.serving.max_retries:
                break
            wait = self._wait(attempt) if asked_wait is None else asked_wait
            if wait > self.serving.max_wait_seconds:
                problem += f"; asks to wait {wait:,.0f} s"
                break
            self._sleep(wait)
        raise RequestFailed("unanswered", problem)

    def _wait(self, attempt: int) -> float:
        """Seconds before the next try: doubling, and a random part of it, so that clients do not return all at once."""
        longest = min(self.serving.backoff_seconds * 2.0**attempt, self.serving.max_wait_seconds)
        return longest * (0.5 + 0.5 * self._jitter.random())

    def _problem(self, response: Any) -> str:
        try:
            detail = response.json()
            detail = detail.get("error", detail) if isinstance(detail, dict) else detail
            text = str(detail.get("message", detail) if isinstance(detail, dict) else detail)
        except ValueError:
            text = response.text
        return self._hide(f"HTTP {response.status_code} {' '.join(text.split())[:200]}".strip())

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _wrong_for_all(self, problem: str) -> LlmI2iError:
        name = self.serving.api_key_env
        return LlmI2iError(
            "the completions server refuses every request",
            where=self.serving.base_url,
            found=problem,
            fix="check base_url and model under serving:, and "
            + (f"the key in {name}" if name else "api_key_env if the server wants a key"),
        )


def _api_key(variable: str) -> str:
    if variable and not os.environ.get(variable):
        raise LlmI2iError(
            f"the environment variable {variable} is not set",
            where="serving.api_key_env",
            fix=f"export {variable}=..., or remove api_key_env if the server wants no key",
        )
    return os.environ[variable].strip() if variable else ""


def retry_after(value: str, now: float) -> float | None:
    """Seconds a Retry-After header asks for (a number, or a date against `now`, in Unix seconds); None if it asks nothing."""
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (TypeError, ValueError):
        return None
