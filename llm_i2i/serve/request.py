"""What a request says: its body and parameters, checked; `RequestError` says what is wrong with them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from llm_i2i.serve.schemas import MAX_BODY, Problem

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_SECONDS = 10.0  # a body that takes longer to arrive is not waited for
Model = TypeVar("Model", bound=msgspec.Struct)


class RequestError(Exception):
    """A request that is not answered: the status, what is wrong, and where."""

    def __init__(self, status: int, error: str, problems: Iterable[Problem] = ()) -> None:
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
    """The body as a model; RequestError says what is wrong with it first."""
    try:
        return msgspec.json.decode(body, type=model)
    except msgspec.ValidationError as error:
        raise _wrong(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(400, "the body is not JSON", [Problem("", str(error))]) from None


def parse_parameters(model: type[Model], request: Request) -> Model:
    """The same for the query string."""
    try:
        return msgspec.convert(dict(request.query_params), model, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: msgspec.ValidationError) -> RequestError:
    """msgspec says where at the end of its text, the innermost place first."""
    what, *places = str(error).split(" - at `$")
    where = "".join(place.removesuffix("`") for place in reversed(places))
    if field := re.fullmatch(r"Object .* field `(\w{1,80})`", what):
        where += f".{field[1]}"
    return RequestError(422, "the request is wrong", [Problem(where.lstrip(".")[:100], what[:200])])
