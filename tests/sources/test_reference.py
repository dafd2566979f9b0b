"""The reference project with its log in PostgreSQL, S3, a Delta table: the same index as from the file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.runner.project import Project
from tests.sources.conftest import ObjectStore, Postgres

pytestmark = pytest.mark.sources
ROOT = Path(__file__).parents[2]
TABLE = {
    "connection": "shop",
    "table": "public.log",
    "version": "select max(id) from log",
    "key": "id",
}
EVENTS = 3000


class Reference:
    """A copy of the reference project whose target attaches the database; one target folder for all builds."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder / "project"
        for name in ("models", "udfs", "project"):
            shutil.copytree(ROOT / name, self.dir / name)
        file = self.dir / "project" / "project.yml"
        text = file.read_text()
        attach = "    attach: [{alias: shop, path: \"{{ env_var('SHOP_PASSWORD_URL') }}\"}]\n"
        file.write_text(text.replace("    type: duckdb\n", "    type: duckdb\n" + attach, 1))
        self.log = folder / "log.csv"
        seed = ROOT / "project/seeds/interactions.csv.gz"
        duckdb.sql(f"copy (from '{seed}' limit {EVENTS}) to '{self.log}'")
        self.said: list[str] = []

    def project(self, interactions: Any, env: str) -> Project:
        vars = {"interactions": interactions, "language_model": "fake", "recommender": "swing"}
        project = Project.load(self.dir, vars=vars, env=env)
        project.sources.remote.say = self.said.append
        return project

    def build(self, interactions: Any, env: str) -> tuple[str, int]:
        """Digest of the index's rows, and how many nodes were made."""
        self.said.clear()
        project = self.project(interactions, env)
        result = project.build(select="+i2i_index", exclude="test_type:unit test_type:data")
        assert result.success, [str(n.error) for n in result.nodes if n.error]
        columns, rows = project.rows("from i2i_index order by trigger_item_id, rank")
        assert len(rows) > 1000
        made = sum(node.status == "OK" for node in result.nodes)
        return fingerprint([list(columns), [list(map(str, row)) for row in rows]]), made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def expected(reference: Reference) -> str:
    digest, _ = reference.build(str(reference.log), "file")
    return digest


@pytest.fixture
def shop(postgres: Postgres, reference: Reference, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    monkeypatch.setenv("SHOP_PASSWORD_URL", postgres.url)
    rows = duckdb.sql(f"select user_id, item_id, timestamp::varchar from '{reference.log}'")
    values = ", ".join(str(row) for row in rows.fetchall())
    postgres.sql(
        "drop table if exists log",
        "create table log (id serial primary key, user_id text, item_id text, timestamp timestamp)",
        f"insert into log (user_id, item_id, timestamp) values {values}",
    )
    return postgres


def test_postgres(reference: Reference, expected: str, shop: Postgres) -> None:
    digest, made = reference.build(TABLE, "postgres")
    assert digest == expected
    assert made
    assert reference.build(TABLE, "postgres") == (expected, 0)
    assert reference.said == []
    # and what it says where its server is not there: the environment stays what it is
    shop.kill()
    try:
        with pytest.raises(ProjectError, match="cannot be reached"):
            reference.build(TABLE, "postgres")
    finally:
        shop.start()
    assert reference.project(TABLE, "postgres").environment.pointers()
    shop.sql("insert into log (user_id, item_id, timestamp) select 'U00001', item_id, now()::timestamp from log where id = 100")  # fmt: skip
    changed, made = reference.build(TABLE, "postgres")
    assert made
    assert changed != expected
    assert reference.said


def test_a_password_reaches_no_file(reference: Reference, shop: Postgres) -> None:
    from tests.sources.conftest import PASSWORD

    reference.project(TABLE, "postgres").plan(select="log_events")
    written = [p for p in (reference.dir / "target").rglob("*") if p.is_file()]
    assert written
    assert not [p for p in written if PASSWORD.encode() in p.read_bytes()]


def test_s3(reference: Reference, expected: str, object_store: ObjectStore) -> None:
    object_store.files().put_file(str(reference.log), "shop/reference/log.csv")
    assert reference.build("s3://shop/reference/*.csv", "s3") == (expected, 0)  # the same bytes
    assert len(reference.said) == 1
    assert reference.build("s3://shop/reference/*.csv", "s3") == (expected, 0)
    assert reference.said == []


def test_delta(reference: Reference, expected: str, tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="needs the extra lakes")
    address = str(tmp_path / "log")
    deltalake.write_deltalake(address, duckdb.sql(f"from '{reference.log}'").to_arrow_table())
    digest, made = reference.build(address, "delta")
    assert digest == expected
    assert made
    assert reference.build(address, "delta") == (expected, 0)
    assert reference.said == []
    one = duckdb.sql(f"select 'U00001' as user_id, item_id, timestamp from '{reference.log}' limit 1 offset 99")  # fmt: skip
    deltalake.write_deltalake(address, one.to_arrow_table(), mode="append")
    changed, made = reference.build(address, "delta")
    assert made
    assert changed != expected
