"""The HTTP service: requests checked, answered from one version of the index, errors said in JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from llm_i2i.serve.index import ServingIndex
from llm_i2i.serve.merge import Recommendation, recommend
from llm_i2i.serve.metrics import CONTENT_TYPE, Metrics
from llm_i2i.serve.publications import Publications
from llm_i2i.serve.request import RequestError, parse_body, parse_parameters, read_body
from llm_i2i.serve.schemas import (
    Answer,
    Answers,
    Batch,
    Error,
    FoundItems,
    Health,
    Item,
    Query,
    Ready,
    RecommendedItem,
    RelatedAnswer,
    RelatedItem,
    RelatedParameters,
    SearchParameters,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PAGE = Path(__file__).parent / "page"
PAGE_TYPES = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
PAGE_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


def make_app(publications: Publications) -> App:
    """The ASGI application over whatever version is served at the moment of a request."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    service = _Service(publications, Metrics(publications))
    routes = [
        Route("/recommend", service.recommend, methods=["POST"]),
        Route("/recommend/batch", service.recommend_batch, methods=["POST"]),
        Route("/related/{item:path}", service.related),
        Route("/items", service.items),
        Route("/health", service.health),
        Route("/ready", service.ready),
        Route("/metrics", service.metrics_text),
        Route("/openapi.json", service.openapi),
        Route("/", service.page),
        Route("/page.css", service.page),
        Route("/page.js", service.page),
    ]
    handlers = {
        RequestError: _refused,
        HTTPException: _http_error,
        Exception: _unexpected,
    }
    return _measured(Starlette(routes=routes, exception_handlers=handlers), service.metrics)


@dataclass(frozen=True)
class _Service:
    """The endpoints. Each reads `publications.served` once: one answer, one version."""

    publications: Publications
    metrics: Metrics

    async def recommend(self, request: Request) -> Response:
        query = parse_body(Query, await read_body(request))
        return _json(self._answer(self.publications.served, query))

    async def recommend_batch(self, request: Request) -> Response:
        batch = parse_body(Batch, await read_body(request))
        index = self.publications.served
        answers = []
        for query in batch.queries:
            answers.append(self._answer(index, query))
            await asyncio.sleep(0)  # others' requests in between
        return _json(Answers(index.version, answers))

    def _answer(self, index: ServingIndex, query: Query) -> Answer:
        items, exclude = _ids(query.items), _ids(query.exclude)
        found = recommend(
            index,
            items,
            int(query.k),
            exclude_seen=query.exclude_seen,
            decay=query.decay,
            triggers=None if query.triggers is None else int(query.triggers),
            exclude=exclude,
        )
        self.metrics.query(found)
        return answer(index, items, found)

    async def related(self, request: Request) -> Response:
        parameters = parse_parameters(RelatedParameters, request)
        index = self.publications.served
        lists = index.related if parameters.index == "augmented" else index.baseline
        if lists is None:
            raise RequestError(404, "this environment has no baseline index")
        number = int(index.find([request.path_params["item"]])[0])
        if number < 0:
            raise RequestError(404, "the index does not know this item")
        begin, end = lists.offsets[number : number + 2].tolist()
        end = min(end, begin + parameters.k)
        numbers, scores = lists.items[begin:end].tolist(), lists.scores[begin:end].tolist()
        related = [
            RelatedItem(*_described(index, other), score)
            for other, score in zip(numbers, scores, strict=True)
        ]
        item = Item(*_described(index, number))
        return _json(RelatedAnswer(index.version, parameters.index, item, related))

    async def items(self, request: Request) -> Response:
        parameters = parse_parameters(SearchParameters, request)
        index = self.publications.served
        found = await asyncio.to_thread(index.search, parameters.q, parameters.limit)
        items = [Item(*_described(index, number)) for number in found.tolist()]
        return _json(FoundItems(index.version, items))

    async def health(self, request: Request) -> Response:
        return _json(Health("ok"))

    async def ready(self, request: Request) -> Response:
        now, index = self.publications, self.publications.served
        return _json(
            Ready(
                "ready",
                environment=now.environment.name,
                version=index.version,
                items=index.n_items,
                pairs=index.n_pairs,
                has_baseline=index.baseline is not None,
                refused=now.refused,
            )
        )

    async def metrics_text(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        from llm_i2i.serve.openapi import openapi_document  # for the few who ask

        return _json(openapi_document())

    async def page(self, request: Request) -> Response:
        from starlette.responses import Response

        name = request.url.path.lstrip("/") or "index.html"
        headers = {
            "content-security-policy": PAGE_POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-cache",
        }
        return Response((PAGE / name).read_bytes(), media_type=PAGE_TYPES[name], headers=headers)


def _ids(items: Sequence[str | int | float]) -> list[str]:
    """Ids as text; JSON knows one kind of number."""
    return [item if isinstance(item, str) else str(int(item)) for item in items]


def answer(index: ServingIndex, items: list[str], found: Recommendation) -> Answer:
    """A recommendation as the service says it."""
    ranking = found.ranking
    triggers = [[items[place] for place in places] for places in ranking.triggers]
    if len(set(items)) < len(items):
        triggers = [list(dict.fromkeys(names)) for names in triggers]
    ids, scores = index.ids.many(ranking.items), ranking.scores.tolist()
    ranked = list(map(RecommendedItem, ids, scores, triggers))
    unknown = list(dict.fromkeys(items[place] for place in found.unknown))
    return Answer(index.version, found.fallback, ranked, unknown)


def _described(index: ServingIndex, number: int) -> tuple[str, str | None, bool | None]:
    """The fields of an `Item`."""
    return (
        index.ids[number],
        index.titles[number] if index.titles else None,
        bool(index.is_long_tail[number]) if index.is_long_tail is not None else None,
    )


# -- answers -----------------------------------------------------------------------------------------------------------


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import Response

    body = msgspec.json.encode(content)
    return Response(body, status, headers, media_type="application/json")


async def _refused(request: Request, error: Any) -> Response:
    return _json(Error(error.error, error.problems), error.status)


async def _http_error(request: Request, error: Any) -> Response:
    return _json(Error(str(error.detail).lower()), error.status_code, dict(error.headers or {}))


async def _unexpected(request: Request, error: Any) -> Response:
    """The server's log has the traceback; the client learns nothing of it."""
    return _json(Error("internal error"), 500)


def _measured(app: Any, metrics: Metrics) -> App:
    """The application, with each request counted and timed."""

    async def run(scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noted)
        finally:
            endpoint = scope.get("endpoint")
            route = getattr(endpoint, "__name__", "none")
            metrics.request(route, status, time.perf_counter() - started)

    return run
