from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.serve import pack as packing
from llm_i2i.serve.index import ServingIndex, manifest_digest, open_index
from llm_i2i.serve.pack import pack, packed_folder, sweep
from llm_i2i.store.environment import Environment, Pointer
from tests.unit.serve.conftest import ITEMS, Publish


def test_a_packed_index_holds_the_rows_of_the_table(publish: Publish, tmp_path: Path) -> None:
    environment = publish()
    index = open_index(pack(tmp_path, environment))
    with duckdb.connect(str(environment.catalogue), read_only=True) as catalogue:
        for table, lists in (("i2i_index", index.related), ("i2i_index_baseline", index.baseline)):
            assert lists is not None
            expected = catalogue.execute(
                f"select trigger_item_id, related_item_id, score from {table} order by trigger_item_id, rank"
            ).fetchall()
            triggers = np.repeat(np.arange(index.n_items), np.diff(lists.offsets))
            found = list(
                zip(
                    index.ids.many(triggers),
                    index.ids.many(lists.items.astype(np.int64)),
                    lists.scores.tolist(),
                    strict=True,
                )
            )
            assert found == expected
    assert index.related.scores.dtype == np.float32
    assert index.titles is not None
    assert index.titles[int(index.find(["it 7 é"])[0])] == "Kite & <b>drum</b> number 7"
    assert index.is_long_tail is not None
    assert int(index.is_long_tail.sum()) == 8


def test_scores_that_are_no_float32_stay_doubles(publish: Publish, tmp_path: Path) -> None:
    rows = "select 1 as trigger_item_id, 2 as related_item_id, 0.1::double as score, 1 as rank"
    environment = publish(i2i_index=rows, i2i_index_baseline=None, items=None, popular_items=None)
    index = open_index(pack(tmp_path, environment))
    assert index.related.scores.tolist() == [0.1]
    assert index.titles is None
    assert index.baseline is None
    assert index.ids.many(np.array([0, 1])) == ["1", "2"]


def test_numbers_are_in_the_order_of_numbers(publish: Publish, tmp_path: Path) -> None:
    rows = "select a as trigger_item_id, 9 as related_item_id, 1.0 as score, 1 as rank from (values (10), (2), (100)) as x(a)"
    environment = publish(i2i_index=rows, i2i_index_baseline=None, items=None, popular_items=None)
    index = open_index(pack(tmp_path, environment))
    assert index.ids.many(np.arange(4)) == ["2", "9", "10", "100"]


def test_whole_ids_are_whole_whatever_their_type(publish: Publish, tmp_path: Path) -> None:
    rows = "select a::double as trigger_item_id, 9.0::double as related_item_id, 1.0 as score, 1 as rank from (values (10), (2.5)) as x(a)"
    items = "select 10 as item_id, 'Kite' as title"
    environment = publish(i2i_index=rows, i2i_index_baseline=None, items=items, popular_items=None)
    index = open_index(pack(tmp_path, environment))
    assert index.ids.many(np.arange(3)) == ["2.5", "9", "10"]
    assert index.titles is not None
    assert index.titles[int(index.find(["10"])[0])] == "Kite"


def test_packing_is_done_once(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = publish()
    folder = pack(tmp_path, environment)
    monkeypatch.setattr(packing, "_write_folder", lambda *_: pytest.fail("packed again"))
    assert (
        pack(tmp_path, environment) == folder == packed_folder(tmp_path, environment, "i2i_index")
    )


def test_another_publication_is_another_folder(publish: Publish, tmp_path: Path) -> None:
    first = pack(tmp_path, publish(seed=1))
    second = pack(tmp_path, publish(seed=2))
    assert first != second
    assert open_index(first).version != open_index(second).version


def test_views_are_packed_too(publish: Publish, tmp_path: Path) -> None:
    environment = publish()
    environment.publish({"items": Pointer("v1", "select 'it 3 é' as item_id, 'viewed' as title")})
    index = open_index(pack(tmp_path, environment))
    assert index.titles is not None
    assert index.titles[int(index.find(["it 3 é"])[0])] == "viewed"
    assert index.is_long_tail is None


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"i2i_index": "select 1 as a"}, "cannot be packed"),
        ({"i2i_index": "select 1 as trigger_item_id, 2 as related_item_id, 1.0 as score, 1 as rank where false"}, "no rows"),
        ({"i2i_index": "select 1 as trigger_item_id, null::int as related_item_id, 1.0 as score, 1 as rank"}, "without an item or a score"),
        ({"i2i_index": "select 1 as trigger_item_id, 2 as related_item_id, null::double as score, 1 as rank"}, "without an item or a score"),
        ({"i2i_index": "select 1 as trigger_item_id, 2 as related_item_id, 'nan'::double as score, 1 as rank"}, "not finite"),
    ],
)  # fmt: skip
def test_what_is_no_index_is_refused(
    publish: Publish, tmp_path: Path, tables: dict[str, str], message: str
) -> None:
    environment = publish(**{"i2i_index_baseline": None, "items": None, "popular_items": None, **tables})  # fmt: skip
    with pytest.raises(LlmI2iError, match=message):
        pack(tmp_path, environment)
    assert list((tmp_path / "serving").iterdir()) == []


def test_nothing_published_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no index to serve") as error:
        pack(tmp_path, Environment(tmp_path, "prod"))
    assert error.value.fix.startswith("run `llmi2i build --env prod` first")


@pytest.mark.parametrize("damage", ["byte", "cut", "gone", "manifest"])
def test_damage_is_found(publish: Publish, tmp_path: Path, damage: str) -> None:
    folder = pack(tmp_path, publish())
    path = folder / ("manifest.json" if damage == "manifest" else "related_pairs.npy")
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "manifest":
        path.write_text(json.dumps({**json.loads(content), "n_items": 1}))
    else:
        content[-3] ^= 1
        path.write_bytes(content if damage == "byte" else content[:-4])
    with pytest.raises(LlmI2iError, match="damaged"):
        open_index(folder)


def test_a_folder_of_another_format_is_refused(publish: Publish, tmp_path: Path) -> None:
    folder = pack(tmp_path, publish())
    manifest = {**json.loads((folder / "manifest.json").read_text()), "format": 99}
    manifest["digest"] = manifest_digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(LlmI2iError) as error:
        open_index(folder)
    assert "format 99" in error.value.found


def test_lookup_survives_equal_hashes(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zlib.crc32", lambda key: len(key))
    index = open_index(pack(tmp_path, publish()))
    every = index.ids.many(np.arange(index.n_items))
    assert index.find([*every, "it 99 é", ""]).tolist() == [*range(ITEMS), -1, -1]


def test_search_finds_ids_first_then_words_by_popularity(packed: ServingIndex) -> None:
    index = packed

    def found(text: str, limit: int = 3) -> list[str]:
        return index.ids.many(index.search(text, limit))

    assert found("it 12 é") == ["it 12 é"]
    assert found("IT 3") == ["it 3 é", "it 13 é", "it 23 é"]
    assert found("DRUM kite") == ["it 0 é", "it 1 é", "it 2 é"]
    assert found("drum number 39") == ["it 39 é"]
    assert found("drum nothing") == []
    assert found("   ") == []


def test_sweep_keeps_what_is_new_or_named(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = pack(tmp_path, publish(seed=1)), pack(tmp_path, publish(seed=2))
    sweep(tmp_path, [new])
    assert old.exists()
    monkeypatch.setattr(packing, "KEPT_SECONDS", -1)
    sweep(tmp_path, [new])
    assert not old.exists()
    assert new.exists()
