"""What a request says: its body and parameters, checked; `RequestError` says what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from llm_i2i.serve.schemas import MAX_BODY

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_SECONDS = 10.0  # a body that takes longer to arrive is not waited for
MAX_PROBLEMS = 10  # listed in an answer
Model = TypeVar("Model", bound=BaseModel)


class RequestError(Exception):
    """A request that is not answered: the status, what is wrong, and where."""

    def __init__(self, status: int, error: str, problems: Iterable[dict[str, str]] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.problems = list(problems)


async def read_body(request: Request) -> bytes:
    """The body, if it is small enough and arrives in time."""
    from starlette.requests import ClientDisconnect

    too_large = RequestError(413, f"the body is larger than {MAX_BODY} bytes")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise RequestError(408, "the body did not arrive in time") from None
    except ClientDisconnect:
        raise RequestError(400, "the body is cut short") from None
    return b"".join(parts)


def parse_body(model: type[Model], body: bytes) -> Model:
    """The body as a model; RequestError says all that is wrong with it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise RequestError(400, "the body is not JSON", [_problem((), first["msg"])]) from None
        raise _wrong(error) from None


def parse_parameters(model: type[Model], request: Request) -> Model:
    """The same for the query string."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: ValidationError) -> RequestError:
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        # an item is a text or a number: each has its own complaint, under a name of pydantic's with a hyphen.
        location = tuple(p for p in problem["loc"] if isinstance(p, int) or p.isidentifier())
        found.setdefault(_place(location), []).append(problem["msg"])
    problems = [
        {"where": where, "what": "; or: ".join(dict.fromkeys(whats))}
        for where, whats in found.items()
    ]
    return RequestError(422, "the request is wrong", problems[:MAX_PROBLEMS])


def _problem(location: tuple[int | str, ...], what: str) -> dict[str, str]:
    return {"where": _place(location), "what": what}


def _place(location: tuple[int | str, ...]) -> str:
    """`queries[3].items[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".")[:100]
