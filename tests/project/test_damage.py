"""Bytes that changed on disk: found out before they are used, and made again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

Build = Callable[..., dict[str, str]]


def flip(path: Path, where: float = 0.5) -> None:
    """Change one bit; size and both ends stay."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 1
    path.write_bytes(data)


def result(shop: ShopProject, node: str, name: str = "data.parquet") -> Path:
    (path,) = (shop.dir / "target/store" / node).glob(f"*/{name}")
    return path


@pytest.mark.parametrize("where", [0.2, 0.8])
def test_a_flipped_bit_of_a_result_that_is_read(
    shop: ShopProject, build: Build, where: float
) -> None:
    build()
    good = result(shop, "scored").read_bytes()
    flip(result(shop, "scored"), where)
    assert {n for n, s in build({"threshold": 0.4}).items() if s == "OK"} == {"scored", "kept"}
    assert result(shop, "scored").read_bytes() == good


def test_a_flipped_bit_of_an_artifact(shop: ShopProject, build: Build) -> None:
    build()
    weights = result(shop, "trained", "artifact/weights.txt")
    good = weights.read_bytes()
    flip(weights)
    assert "trained" in {n for n, s in build({"threshold": 0.4}).items() if s == "OK"}
    assert weights.read_bytes() == good


def test_a_damaged_result_is_not_published_again(shop: ShopProject, build: Build) -> None:
    build()
    flip(result(shop, "kept"))
    project = Project.load(shop.dir)
    with pytest.raises(LlmI2iError, match="missing or damaged"):
        project.promote("dev", "prod", force=True)
    assert project.other_environment("prod").pointers() == {}
    assert build()["kept"] == "OK"
    project.promote("dev", "prod")
    flip(result(shop, "kept"))
    result_ = Project.load(shop.dir, env="try").build()
    assert {n.step.node.name for n in result_.nodes if n.status == "OK"} == {"kept"}
    assert project.build().success  # published already: reads nothing


def test_rollback_to_a_damaged_result_is_refused(shop: ShopProject, build: Build) -> None:
    build()
    build({"threshold": 0.4})
    for path in (shop.dir / "target/store/kept").glob("*/data.parquet"):
        flip(path)
    with pytest.raises(LlmI2iError, match="missing or damaged"):
        Project.load(shop.dir).rollback("dev")


@pytest.mark.parametrize("where", [0.2, 0.8])
def test_a_flipped_bit_of_calls_costs_one_batch(
    shop: ShopProject, build: Build, where: float
) -> None:
    build()
    shop.calls()
    before = Project.load(shop.dir).query("from scored order by all").fetchall()
    flip(sorted((shop.dir / "target/calls/score").rglob("*.parquet"))[0], where)
    Project.load(shop.dir).build(select="scored", full_refresh=True)
    assert 0 < len(shop.calls()) <= 7
    assert Project.load(shop.dir).query("from scored order by all").fetchall() == before
    assert len(list((shop.dir / "target/calls").rglob("*.damaged"))) == 1


@pytest.mark.parametrize("where", [0.001, 0.4])
def test_a_flipped_bit_of_the_catalogue(shop: ShopProject, build: Build, where: float) -> None:
    build()
    catalogue = (shop.dir / "target/dev.duckdb").resolve()
    with duckdb.connect(str(catalogue), read_only=True) as client:
        good = client.sql("from kept order by all").fetchall()
    flip(catalogue, where)
    build()  # nothing to build
    with duckdb.connect(str(catalogue), read_only=True) as client:
        assert client.sql("from kept order by all").fetchall() == good


def test_debug_verify_reads_everything(shop: ShopProject, build: Build) -> None:
    build()
    whole = shop.run("debug", "--verify").stdout
    assert re.search(r"whole results +5$", whole, re.MULTILINE)
    assert re.search(r"whole segments +3 of cached", whole)
    flip(result(shop, "events"))
    flip(next((shop.dir / "target/calls/score").rglob("*.parquet")))
    found = shop.run("debug", "--verify")
    assert found.returncode == 1
    assert "damaged: data.parquet" in found.stdout
    assert "llmi2i build makes it again" in found.stdout
    assert "damaged: " in found.stdout.split("whole segments")[1]
    assert build()["events"] == "OK"
    assert "damaged: data.parquet" not in shop.run("debug", "--verify").stdout
