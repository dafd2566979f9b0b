from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.serve import publications as following
from llm_i2i.serve.index import MANIFEST, checksum, manifest_digest, open_index
from llm_i2i.serve.pack import pack
from llm_i2i.serve.publications import Publications, smoke
from llm_i2i.store.environment import Pointer
from tests.unit.serve.conftest import Publish, running


@pytest.fixture(autouse=True)
def packed_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each packing costs a second; test_a_process_packs has one."""
    monkeypatch.setattr(
        Publications, "_pack", lambda self: pack(self._target_dir, self.environment, self._index)
    )


def test_a_publication_is_picked_up(publish: Publish, tmp_path: Path) -> None:
    publish(seed=1)
    lines: list[str] = []
    publications = Publications(tmp_path, "prod", log=lines.append)
    first = publications.served
    assert not publications.look()
    publish(seed=2)
    assert publications.look()
    assert publications.served.version != first.version
    assert not publications.look()
    assert publications.outcomes == {"served": 2, "refused": 0}
    assert publications.served.version in lines[-1]
    assert first.find(["it 1 é"]).tolist() != [-1]  # who still holds the old version can go on


def test_a_publication_of_other_tables_changes_nothing(publish: Publish, tmp_path: Path) -> None:
    environment = publish()
    publications = Publications(tmp_path, "prod")
    environment.publish({"another_table": Pointer("v1", "select 1 as a")})
    assert not publications.look()
    assert publications.outcomes == {"served": 1, "refused": 0}


def test_a_damaged_version_is_refused_and_the_next_one_served(
    publish: Publish, tmp_path: Path
) -> None:
    publish(seed=1)
    lines: list[str] = []
    publications = Publications(tmp_path, "prod", log=lines.append)
    first = publications.served.version
    folder = pack(tmp_path, publish(seed=2))
    content = bytearray((folder / "related_pairs.npy").read_bytes())
    content[-1] ^= 1
    (folder / "related_pairs.npy").write_bytes(content)
    assert not publications.look()
    assert publications.served.version == first
    assert "damaged" in publications.refused
    assert str(tmp_path) not in publications.refused
    assert "stays" in lines[-1]
    assert not publications.look()  # it is not tried again and again
    assert publications.outcomes == {"served": 1, "refused": 1}
    publish(seed=3)
    assert publications.look()
    assert publications.refused == ""


@pytest.mark.parametrize("wrong", ["order", "self", "nan"])
def test_a_version_that_fails_a_smoke_query_is_refused(
    publish: Publish, tmp_path: Path, wrong: str
) -> None:
    publish(seed=1)
    publications = Publications(tmp_path, "prod")
    first = publications.served.version
    folder = pack(tmp_path, publish(seed=2))
    pairs = np.load(folder / "related_pairs.npy")
    if wrong == "nan":
        pairs["score"] = np.nan
    elif wrong == "self":
        offsets = np.load(folder / "related_offsets.npy")
        pairs["item"] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    else:
        np.save(folder / "by_hash.npy", np.load(folder / "by_hash.npy")[::-1])
    np.save(folder / "related_pairs.npy", pairs)
    _sign(folder)
    open_index(folder)  # its checksums are right
    assert not publications.look()
    assert publications.served.version == first
    assert "smoke query failed" in publications.refused


def _sign(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    for name, entry in manifest["files"].items():
        entry |= {"bytes": (folder / name).stat().st_size, "sha256": checksum(folder / name)}
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_index_that_is_none_any_more_is_refused(publish: Publish, tmp_path: Path) -> None:
    publish(seed=1)
    publications = Publications(tmp_path, "prod")
    publish(i2i_index="select 1 as nothing", i2i_index_baseline=None)
    assert not publications.look()
    assert "cannot be packed" in publications.refused
    (tmp_path / "envs" / "prod.json").write_text("{")
    assert not publications.look()
    assert "cannot be read" in publications.refused
    (tmp_path / "envs" / "prod.json").unlink()
    assert not publications.look()
    assert publications.served.n_items == 40


def test_a_good_index_passes_its_smoke_queries(publish: Publish, tmp_path: Path) -> None:
    smoke(open_index(pack(tmp_path, publish())))


def test_there_must_be_something_to_serve(tmp_path: Path) -> None:
    with pytest.raises(LlmI2iError, match="no index to serve"):
        Publications(tmp_path, "prod")


def test_ten_publications_under_load_lose_no_request_and_mix_no_versions(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("starlette", reason="needs the serve extra")
    pytest.importorskip("msgspec", reason="needs the serve extra")
    from starlette.testclient import TestClient

    from llm_i2i.serve.app import make_app

    monkeypatch.setattr(following, "SECONDS", 0.01)
    query = {
        "queries": [{"items": ["it 1 é", "it 2 é"], "k": 100}, {"items": ["it 9 é"], "k": 100}]
    }
    expected: dict[str, Any] = {}
    for seed in range(11):
        environment = publish(seed=seed)
        with TestClient(make_app(Publications(tmp_path, "prod"))) as client:
            answer = client.post("/recommend/batch", json=query).json()
        expected[answer["version"]] = answer
    assert len({json.dumps(a["answers"][0]["items"]) for a in expected.values()}) > 5

    publish(seed=0)
    publications = Publications(tmp_path, "prod")
    publications.start()
    app = make_app(publications)
    done = threading.Event()
    answers: list[tuple[int, Any]] = []

    def ask(address: tuple[str, int]) -> None:
        connection = http.client.HTTPConnection(*address, timeout=30)
        while not done.is_set():
            connection.request("POST", "/recommend/batch", json.dumps(query))
            response = connection.getresponse()
            answers.append((response.status, json.loads(response.read())))
        connection.close()

    with running(app) as address:
        clients = [threading.Thread(target=ask, args=(address,)) for _ in range(3)]
        for thread in clients:
            thread.start()
        try:
            for seed in range(1, 11):
                publish(seed=seed)
                until = time.monotonic() + 20
                while publications.outcomes["served"] < seed + 1 and time.monotonic() < until:
                    time.sleep(0.01)
                before = len(answers)
                while len(answers) < before + 5 and time.monotonic() < until:
                    time.sleep(0.01)
        finally:
            done.set()
            for thread in clients:
                thread.join()
            publications.stop()
    assert environment.name == "prod"
    assert publications.outcomes == {"served": 11, "refused": 0}
    assert Counter(status for status, _ in answers) == {200: len(answers)}
    assert {answer["version"] for _, answer in answers} == set(expected)
    assert all(answer == expected[answer["version"]] for _, answer in answers)
