"""The HTTP service: every request gets an answer of the promised shape or a 4xx that says why; nothing is a 500, nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from tests.fuzz.harness import NASTY, fuzz, profiles, spoilt, texts, values
from tests.unit.serve.conftest import publish_in
from tests.write_forms import STATEMENTS

pytest.importorskip("msgspec", reason="needs the serve extra")
TestClient: Any = pytest.importorskip(
    "starlette.testclient", reason="needs the serve extra"
).TestClient

PATHS = ["/recommend", "/recommend/batch", "/related/it 1 é", "/items", "/health", "/ready", "/metrics", "/openapi.json", "/", "/page.css", "/page.js"]  # fmt: skip
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "COPY"]
GOOD = {"items": ["it 1 é", "gone"], "k": 5, "exclude_seen": True, "decay": 0.5, "triggers": 3}
BODIES = [json.dumps(GOOD), json.dumps({"queries": [GOOD, {"items": []}]}), '{"items":["\\ud800"]}', '{"items":[1e400]}', "[" * 3000, "null", '{"items":[NaN]}']  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    publish_in(folder)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Any]:
    from llm_i2i.serve.app import make_app
    from llm_i2i.serve.publications import Publications

    with TestClient(make_app(Publications(folder, "prod")), raise_server_exceptions=True) as client:
        yield client


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def well(response: Any) -> Any:
    """The answer's JSON, after its status and shape were looked at."""
    assert response.status_code < 500, response.text
    assert "Traceback" not in response.text
    if response.headers.get("content-type", "").startswith("application/json") and response.content:
        found = response.json()
        if response.status_code >= 400:
            assert found["error"]
            assert all({"where", "what"} == set(problem) for problem in found["problems"])
        return found
    return None


def ask(client: Any, method: str, path: str) -> Any:
    """A request whose path and query hold any bytes, as far as a client can send them."""
    path = quote(path, safe="/?&=+%;:@,!$'()*~", errors="surrogatepass")
    return client.request(method, "http://testserver/" + path.lstrip("/"))


def is_sorted(answer: Any, k: int) -> bool:
    scores = [item["score"] for item in answer["items"]]
    items = [item["item"] for item in answer["items"]]
    return scores == sorted(scores, reverse=True) and len(set(items)) == len(items) <= k


@profiles(short=12, long=3000)
def test_bodies(inputs: int, client: Any) -> None:
    def post(case: tuple[str, str | bytes, str]) -> None:
        path, body, kind = case
        content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        response = client.post(path, content=content, headers={"content-type": kind})
        found = well(response)
        if response.status_code == 200:
            for answer in found.get("answers", [found]):
                assert is_sorted(answer, 500)

    kinds = st.sampled_from(["application/json", "text/plain", "multipart/form-data", "x"])
    bodies = (
        spoilt(BODIES) | st.binary(max_size=30) | st.text(max_size=10) | st.sampled_from(BODIES)
    )
    fuzz("http bodies", inputs, st.tuples(st.sampled_from(PATHS[:2]), bodies, kinds), post)


@profiles(short=12, long=3000)
def test_queries(inputs: int, client: Any) -> None:
    """JSON of the right keys with any values."""
    items = st.lists(
        st.sampled_from(["it 1 é", "it 2 é", "x", 7, 1.5, None]) | texts | st.integers() | values,
        max_size=6,
    )
    numbers = st.integers(-2, 700) | values
    query = st.fixed_dictionaries(
        {"items": items | values},
        optional={
            "k": numbers,
            "exclude_seen": st.booleans() | values,
            "decay": st.floats(0, 1) | values,
            "triggers": numbers,
            "x": values,
        },
    )

    def post(case: Any) -> None:
        try:
            content = json.dumps(case, default=str, allow_nan=True).encode()
        except (ValueError, TypeError):
            return
        well(client.post("/recommend", content=content))
        well(client.post("/recommend/batch", content=b'{"queries":[' + content + b"]}"))

    fuzz("http queries", inputs, query, post)


@profiles(short=12, long=3000)
def test_paths(inputs: int, client: Any) -> None:
    ways = st.sampled_from(
        ["", "?q=", "?k=", "?index=", "?limit=", "?q=kite&limit=", "?k=1&k=", "/"]
    )
    paths = st.one_of(st.sampled_from(PATHS), spoilt(PATHS), texts.map(lambda t: f"/related/{t}"))

    def get(case: tuple[str, str, str, str, bool]) -> None:
        method, path, way, value, escape = case
        value = quote(value, safe="", errors="surrogatepass") if escape else value
        response = ask(client, method, path + way + value)
        well(response)
        assert method in ("GET", "HEAD", "POST") or response.status_code >= 400

    cases = st.tuples(st.sampled_from(METHODS), paths, ways, texts, st.booleans())
    fuzz("http paths", inputs, cases, get)


@profiles(short=6, long=600)
def test_headers(inputs: int, client: Any) -> None:
    names = st.sampled_from(["content-length", "content-encoding", "transfer-encoding", "accept", "host", "expect", "range", "x-forwarded-for", "cookie"])  # fmt: skip
    headers = st.dictionaries(
        names,
        texts | st.sampled_from(["-1", "99999999999999999999", "gzip", "chunked", "٣"]),
        max_size=3,
    )

    def send(given: dict[str, str]) -> None:
        encoded = {name: value.encode("utf-8", "replace") for name, value in given.items()}
        well(client.post("/recommend", content=b'{"items":[]}', headers=encoded))
        well(client.get("/items?q=kite", headers=encoded))

    fuzz("http headers", inputs, headers, send)


def test_write_forms_are_mere_text(client: Any, folder: Path) -> None:
    """The service takes no SQL: a statement is an item nobody knows, in every place that takes text."""
    before = files(folder)
    for statement in [*STATEMENTS, *NASTY]:
        sql = (
            statement.format(store=folder / "store", outside=folder, data=folder)
            if statement in STATEMENTS
            else statement
        )
        item = sql[:500]
        answer = well(client.post("/recommend", json={"items": [item]}))
        if "\x00" not in item:
            assert answer["fallback"] == "unknown_items"
            assert answer["unknown_items"] == [item]
        assert well(client.post("/recommend", content=sql.encode()))["error"]
        response = ask(client, "GET", "/related/" + quote(item, safe=""))
        assert response.status_code in (200, 404)
        assert (
            response.status_code == 404
            or well(response)["items" if item == "" else "related"] is not None
        )
        found = well(client.get("/items", params={"q": item}))
        assert found.get("items") == [] or "error" in found or len(item) < 5
    for method in ("PUT", "PATCH", "DELETE"):
        for path in PATHS:
            refused = client.request(method, path)
            assert refused.status_code == 405
            assert well(refused)["error"]
    assert files(folder) == before
