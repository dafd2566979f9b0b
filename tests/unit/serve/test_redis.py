"""Publishing to a real Redis on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.serve import redis as publishing
from llm_i2i.serve.index import ServingIndex, open_index
from llm_i2i.serve.pack import pack
from tests.unit.serve.conftest import Publish

redis: Any = pytest.importorskip("redis", reason="needs the redis extra")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server (apt-get install redis-server)")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "redis.sock"
    options = {"port": "0", "unixsocket": str(socket), "save": "", "dir": str(folder)}
    command = [program, *(word for key, value in options.items() for word in (f"--{key}", value))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 30
            while not socket.exists() and time.monotonic() < until:
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            server.terminate()


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.flushall()
        yield client


def test_a_version_is_written_and_made_current(packed: ServingIndex, url: str, client: Any) -> None:
    published = publishing.publish(packed, url, "shop")
    assert client.get("shop:current") == packed.version == published.version
    lists = client.keys("shop:*:related:*")
    assert len(lists) == published.lists == 39
    pairs = json.loads(client.get(f"shop:{packed.version}:related:it 7 é"))
    number = int(packed.find(["it 7 é"])[0])
    begin, end = packed.related.offsets[number : number + 2]
    expected = packed.ids.many(packed.related.items[begin:end].astype("int64"))
    assert [item for item, _ in pairs] == expected
    assert [score for _, score in pairs] == packed.related.scores[begin:end].tolist()
    assert json.loads(client.get(f"shop:{packed.version}:settings"))["decay"] == 0.5
    assert json.loads(client.get(f"shop:{packed.version}:popular"))[0] == ["it 0 é", 50.0]
    assert client.dbsize() == 39 + 4


def test_older_versions_are_removed_later(
    publish: Publish, tmp_path: Path, url: str, client: Any
) -> None:
    versions = []
    client.set("other:key", "stays")
    for seed in range(4):
        index = open_index(pack(tmp_path, publish(seed=seed)))
        published = publishing.publish(index, url, "i[2]*i", keep=1)
        versions.append(index.version)
        assert published.removed == versions[-3:-2]
        assert {key.split(":")[1] for key in client.scan_iter("*:related:*")} == set(versions[-2:])
    assert client.get("i[2]*i:current") == versions[-1]
    assert client.get("other:key") == "stays"
    publishing.publish(open_index(pack(tmp_path, publish(seed=2))), url, "i[2]*i")  # rolled back
    assert client.get("i[2]*i:current") == versions[2]
    assert set(client.zrange("i[2]*i:versions", 0, -1)) == set(versions[2:])


def test_a_publication_cut_short_leaves_the_current_version(
    publish: Publish, tmp_path: Path, url: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_index(pack(tmp_path, publish(seed=1)))
    publishing.publish(first, url)
    second = open_index(pack(tmp_path, publish(seed=2)))
    entries = list(publishing._lists(second, second.related, f"i2i:{second.version}"))

    def cut(*_: Any) -> Iterator[tuple[str, str]]:
        yield from entries[:5]
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(publishing, "_lists", cut)
    monkeypatch.setattr(publishing, "BATCH", 2)
    with pytest.raises(LlmI2iError, match="what it was"):
        publishing.publish(second, url)
    assert client.keys(f"i2i:{second.version}:*")
    assert client.get("i2i:current") == first.version


def test_a_redis_that_is_not_there_is_said_without_its_password(packed: ServingIndex) -> None:
    with pytest.raises(LlmI2iError, match="could not be written") as error:
        publishing.publish(packed, "redis://:sesame@127.0.0.1:1/0")
    assert "sesame" not in error.value.render()


@pytest.mark.parametrize(("url", "prefix"), [("http://x", "a"), ("redis://x", "a:b"), ("redis://x", "")])  # fmt: skip
def test_wrong_addresses_and_prefixes_are_refused(
    packed: ServingIndex, url: str, prefix: str
) -> None:
    with pytest.raises(ProjectError):
        publishing.publish(packed, url, prefix)
