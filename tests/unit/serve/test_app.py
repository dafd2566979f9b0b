from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

pytest.importorskip("msgspec", reason="needs the serve extra")

import msgspec

from llm_i2i.serve import app as serving
from llm_i2i.serve import request
from llm_i2i.serve.merge import recommend
from llm_i2i.serve.metrics import Metrics
from llm_i2i.serve.publications import Publications
from llm_i2i.serve.schemas import (
    MAX_BODY,
    MAX_ITEMS,
    MAX_K,
    MAX_QUERIES,
    Answer,
    Answers,
    Error,
    FoundItems,
    Ready,
    RelatedAnswer,
)
from tests.unit.serve.conftest import publish_in

TestClient: Any = pytest.importorskip(
    "starlette.testclient", reason="needs the serve extra"
).TestClient
Model = TypeVar("Model", bound=msgspec.Struct)


@pytest.fixture(scope="module")
def publications(tmp_path_factory: pytest.TempPathFactory) -> Publications:
    folder = tmp_path_factory.mktemp("app")
    publish_in(folder)
    return Publications(folder, "prod")


@pytest.fixture(scope="module")
def client(publications: Publications) -> Iterator[Any]:
    with TestClient(serving.make_app(publications), raise_server_exceptions=False) as client:
        yield client


def read(model: type[Model], response: Any) -> Model:
    """An answer that is as the document says, with no field more."""
    found = msgspec.json.decode(response.content, type=model)
    assert msgspec.to_builtins(found) == response.json()
    return found


def test_recommend_says_what_the_merge_found(client: Any, publications: Publications) -> None:
    items = ["it 1 é", "it 5 é", "gone", "it 1 é"]
    response = client.post("/recommend", json={"items": items, "k": 5, "decay": 0.9, "triggers": 4})
    answer = read(Answer, response)
    index = publications.served
    ranking = recommend(index, items, 5, decay=0.9, triggers=4).ranking
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert [i.item for i in answer.items] == index.ids.many(ranking.items)
    assert [i.score for i in answer.items] == ranking.scores.tolist()
    assert all(set(i.triggers) <= {"it 1 é", "it 5 é"} and i.triggers for i in answer.items)
    assert max(len(i.triggers) for i in answer.items) == 2  # an item that comes twice is named once
    assert answer.unknown_items == ["gone"]
    assert answer.version == index.version


def test_seen_items_are_left_out_unless_asked_for(client: Any) -> None:
    history = [f"it {n} é" for n in range(1, 30)]
    answers = {
        flag: client.post(
            "/recommend", json={"items": history, "k": 500, "exclude_seen": flag}
        ).json()
        for flag in (True, False)
    }
    shown = {flag: {i["item"] for i in answer["items"]} for flag, answer in answers.items()}
    assert not shown[True] & set(history)
    assert shown[False] & set(history)


def test_more_items_are_left_out(client: Any) -> None:
    """All that a user ever bought, however long ago; a number is an id, too, and what the index does not know is ignored."""
    asked = {"items": ["it 1 é", "it 5 é"], "k": 500, "exclude_seen": False}
    shown = [i["item"] for i in client.post("/recommend", json=asked).json()["items"]]
    bought = shown[::2]
    rest = client.post("/recommend", json={**asked, "exclude": [*bought, "gone", 7] * 50}).json()
    assert [i["item"] for i in rest["items"]] == shown[1::2]
    assert rest["unknown_items"] == []
    popular = client.post("/recommend", json={"items": [], "k": 500}).json()["items"]
    less = client.post("/recommend", json={"items": [], "k": 500, "exclude": [popular[0]["item"]]}).json()  # fmt: skip
    assert less["items"] == popular[1:]


@pytest.mark.parametrize(
    ("items", "fallback"),
    [([], "empty_history"), (["x", 5], "unknown_items"), (["it 0 é"], "no_related_items")],
)
def test_a_fallback_is_said(client: Any, items: list[Any], fallback: str) -> None:
    answer = client.post("/recommend", json={"items": items, "k": 2}).json()
    assert answer["fallback"] == fallback
    assert len(answer["items"]) == 2
    assert answer["unknown_items"] == (["x", "5"] if 5 in items else [])


def test_a_number_is_a_number_however_it_is_written(client: Any) -> None:
    response = client.post("/recommend", content=b'{"items": [5.0, -6e2], "k": 3.0}')
    assert response.json()["unknown_items"] == ["5", "-600"]
    assert len(response.json()["items"]) == 3


def test_a_batch_answers_each_query_as_if_alone(client: Any) -> None:
    queries = [{"items": ["it 1 é"], "k": 3}, {"items": []}, {"items": ["it 9 é"], "decay": 1}]
    batch = client.post("/recommend/batch", json={"queries": queries})
    assert batch.json()["answers"] == [client.post("/recommend", json=q).json() for q in queries]
    read(Answers, batch)


def test_related_is_the_list_of_the_index(client: Any, publications: Publications) -> None:
    response = client.get("/related/it 7 é", params={"k": 3})
    answer = read(RelatedAnswer, response)
    index = publications.served
    number = int(index.find(["it 7 é"])[0])
    begin = int(index.related.offsets[number])
    assert [index.find([r.item])[0] for r in answer.related] == index.related.items[begin : begin + 3].tolist()  # fmt: skip
    assert answer.item.title == "Kite & <b>drum</b> number 7"
    assert {r.is_long_tail for r in answer.related} <= {True, False}
    baseline = client.get("/related/it 7 é", params={"index": "baseline", "k": 500}).json()
    assert 0 < len(baseline["related"]) < len(client.get("/related/it 7 é", params={"k": 500}).json()["related"])  # fmt: skip


def test_ids_with_slashes_and_signs_are_found(tmp_path: Path) -> None:
    rows = "select 'a/b?c#d' as trigger_item_id, '..' as related_item_id, 1.0 as score, 1 as rank"
    publish_in(tmp_path, i2i_index=rows, i2i_index_baseline=None, items=None, popular_items=None)
    with TestClient(serving.make_app(Publications(tmp_path, "prod"))) as client:
        answer = client.get("/related/a%2Fb%3Fc%23d").json()
        assert [r["item"] for r in answer["related"]] == [".."]
        assert answer["item"] == {"item": "a/b?c#d", "title": None, "is_long_tail": None}
        assert client.get("/related/a%2Fb%3Fc%23d?index=baseline").status_code == 404
        assert client.get("/items?q=A/B").json()["items"][0]["item"] == "a/b?c#d"


def test_search(client: Any) -> None:
    answer = client.get("/items", params={"q": "drum number 3", "limit": 2})
    found = read(FoundItems, answer)
    assert [i.item for i in found.items] == ["it 3 é", "it 13 é"]


def test_health_and_ready(client: Any, publications: Publications) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    ready = read(Ready, client.get("/ready"))
    assert (ready.version, ready.items, ready.refused) == (publications.served.version, 40, "")


def test_metrics_count_what_was_asked(publications: Publications) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with TestClient(serving.make_app(publications)) as client:
        client.post("/recommend", json={"items": ["it 1 é", "gone"]})
        client.post("/recommend", json={"items": [], "k": 0})
        client.post("/recommend", json={"items": []})
        client.get("/nowhere")
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert found["llmi2i_requests_total", "200", "recommend"] == 2
    assert found["llmi2i_requests_total", "422", "recommend"] == 1
    assert found["llmi2i_requests_total", "404", "none"] == 1
    assert found["llmi2i_queries_total", "index"] == 1
    assert found["llmi2i_queries_total", "empty_history"] == 1
    assert found["llmi2i_unknown_items_total",] == 1
    assert found["llmi2i_request_seconds_count", "recommend"] == 3
    assert found["llmi2i_request_seconds_bucket", "+Inf", "recommend"] == 3
    assert 0 < found["llmi2i_request_seconds_bucket", "1.0", "recommend"] <= 3
    assert 0 < found["llmi2i_request_seconds_sum", "recommend"] < 3
    assert found["process_cpu_seconds_total",] > 0
    assert found["llmi2i_index_info", *sorted(["prod", publications.served.version])] == 1
    assert found["llmi2i_publications_total", "served"] == 1


def test_metrics_take_any_name(tmp_path: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    name = 'it\'s\n"prod"'
    publish_in(tmp_path, env=name)
    text = Metrics(Publications(tmp_path, name)).text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["llmi2i_index_info"].samples[0].labels["environment"] == name
    assert families["llmi2i_request_seconds"].type == "histogram"


def nested(depth: int) -> bytes:
    return b'{"items":' + b"[" * depth + b"]" * depth + b"}"


WRONG: dict[str, tuple[Any, int, str]] = {
    "nothing": (b"", 400, ""),
    "no JSON": (b"{items: 1}", 400, ""),
    "cut": (b'{"items": ["a"', 400, ""),
    "more behind": (b'{"items": []} {}', 400, ""),
    "no UTF-8": (b'{"items": ["\xff\xfe"]}', 400, ""),
    "half a surrogate": (b'{"items": ["\\ud800"]}', 400, ""),
    "deep": (nested(100_000), 422, "items[0]"),
    "a list": ([], 422, ""),
    "a text": ("items", 422, ""),
    "null": (None, 422, ""),
    "no items": ({"k": 5}, 422, "items"),
    "items a text": ({"items": "abc"}, 422, "items"),
    "items null": ({"items": None}, 422, "items"),
    "an item a list": ({"items": [["a"]]}, 422, "items[0]"),
    "an item a float": ({"items": ["a", 1.5]}, 422, "items[1]"),
    "an item a boolean": ({"items": [True]}, 422, "items[0]"),
    "an item null": ({"items": [None]}, 422, "items[0]"),
    "an item beyond numbers": ({"items": [10**30]}, 422, "items[0]"),
    "an item too long": ({"items": ["x" * 600]}, 422, "items[0]"),
    "NUL": ({"items": ["a\0b"]}, 422, "items[0]"),
    "too many items": ({"items": ["a"] * (MAX_ITEMS + 1)}, 422, "items"),
    "10,000 items": ({"items": ["a"] * 10_000}, 422, "items"),
    "negative k": ({"items": [], "k": -1}, 422, "k"),
    "k of 0": ({"items": [], "k": 0}, 422, "k"),
    "huge k": ({"items": [], "k": MAX_K + 1}, 422, "k"),
    "k a text": ({"items": [], "k": "5"}, 422, "k"),
    "k a float": ({"items": [], "k": 5.5}, 422, "k"),
    "k true": ({"items": [], "k": True}, 422, "k"),
    "decay above 1": ({"items": [], "decay": 1.01}, 422, "decay"),
    "decay not a number": (b'{"items": [], "decay": NaN}', 400, ""),
    "decay infinite": (b'{"items": [], "decay": 1e999}', 422, "decay"),
    "exclude_seen a number": ({"items": [], "exclude_seen": 1}, 422, "exclude_seen"),
    "too many left out": ({"items": [], "exclude": ["a"] * 5001}, 422, "exclude"),
    "NUL in what is left out": ({"items": [], "exclude": ["a", "b\0"]}, 422, "exclude[1]"),
    "no triggers": ({"items": [], "triggers": 0}, 422, "triggers"),
    "a field nobody knows": ({"items": [], "K": 5}, 422, "K"),
    "a field with a long name": ({"items": [], "K" * 100_000: 5}, 422, ""),
    "a field with a strange name": ({"items": [], "\n<b>\0": 5}, 422, ""),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("path", ["/recommend", "/recommend/batch"])
def test_wrong_bodies_get_a_clear_answer(client: Any, path: str, name: str) -> None:
    body, status, where = WRONG[name]
    if path == "/recommend/batch" and not isinstance(body, bytes):
        body, where = {"queries": [{"items": []}, body]}, f"queries[1].{where}".rstrip(".")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content)
    error = read(Error, response)
    assert error.problems
    if not (path == "/recommend/batch" and isinstance(body, bytes)):
        assert response.status_code == status
        assert where in {problem.where for problem in error.problems}
    assert 400 <= response.status_code < 500
    assert len(response.content) < 5000
    assert "Traceback" not in response.text
    assert ".py" not in response.text


def test_a_batch_has_its_limits(client: Any) -> None:
    for queries in ([], [{"items": []}] * (MAX_QUERIES + 1), {}, None):
        response = client.post("/recommend/batch", json={"queries": queries})
        assert response.status_code == 422
        assert response.json()["problems"][0]["where"] == "queries"


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_refused(client: Any, declared: bool) -> None:
    body = b" " * (MAX_BODY + 1)
    content = body if declared else iter([body[: MAX_BODY // 2]] * 3)
    response = client.post("/recommend", content=content)
    assert response.status_code == 413
    assert str(MAX_BODY) in response.json()["error"]


def test_a_body_that_does_not_arrive_is_not_waited_for(
    publications: Publications, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(request, "BODY_SECONDS", 0.01)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/recommend", "raw_path": b"/recommend", "root_path": "", "headers": [], "query_string": b"", "http_version": "1.1", "scheme": "http"}  # fmt: skip
    asyncio.run(serving.make_app(publications)(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/related/nobody", 404),
        ("GET", "/related/", 404),
        ("GET", "/related/%00", 404),
        ("GET", "/related/%ff%fe", 404),
        ("GET", "/related/" + "x" * 5000, 404),
        ("GET", "/related/it%207%20%C3%A9?k=-1", 422),
        ("GET", "/related/it%207%20%C3%A9?k=501", 422),
        ("GET", "/related/it%207%20%C3%A9?k=many", 422),
        ("GET", "/related/it%207%20%C3%A9?index=other", 422),
        ("GET", "/related/it%207%20%C3%A9?what=1", 422),
        ("GET", "/items", 422),
        ("GET", "/items?q=", 422),
        ("GET", "/items?q=" + "x" * 201, 422),
        ("GET", "/items?q=%00", 422),
        ("GET", "/items?q=kite&limit=1000", 422),
        ("GET", "/recommend", 405),
        ("DELETE", "/recommend", 405),
        ("POST", "/related/x", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/page/../app.py", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
    ],
)
def test_wrong_addresses_get_a_clear_answer(
    client: Any, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert read(Error, response).error


def test_a_defect_tells_the_client_nothing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("/secret/path.py")

    monkeypatch.setattr(serving, "recommend", broken)
    response = client.post("/recommend", json={"items": ["it 1 é"]})
    assert response.status_code == 500
    assert response.json() == {"error": "internal error", "problems": []}


def test_the_openapi_document_describes_every_route(client: Any) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {"/recommend", "/recommend/batch", "/related/{item}", "/items", "/health", "/ready", "/metrics"}  # fmt: skip
    text = json.dumps(document)
    for reference in set(text.split('"$ref": "#/components/schemas/')[1:]):
        assert reference.split('"')[0] in document["components"]["schemas"]
    query = document["components"]["schemas"]["Query"]
    assert query["additionalProperties"] is False
    assert query["properties"]["k"]["anyOf"][0]["maximum"] == MAX_K


def test_the_page_needs_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, kind in (("/page.css", "text/css"), ("/page.js", "text/javascript")):
        response = client.get(path)
        assert path in page.text
        assert response.headers["content-type"].startswith(kind)
        assert "://" not in response.text
    assert "://" not in page.text
