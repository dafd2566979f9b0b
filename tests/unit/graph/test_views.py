from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError


def test_a_view_over_files_is_stored(tiny):
    """A published environment must not change when a file does."""
    project = tiny.project()
    assert project.manifest.nodes["events"].materialized == "table"
    assert project.build().success
    tiny.write("data/log.csv", "user_id,item_id,seen_at\n1,10,2026-01-01 10:00:00\n")
    assert project.query("select count(*) from events").fetchall() == [(2,)]


def test_views_and_ephemeral_models_above_views_can_be_queried(tiny):
    tiny.write("models/e.sql", "{{ config(materialized='ephemeral') }} select n from {{ ref('counts') }}")  # fmt: skip
    tiny.write("models/v.sql", "{{ config(materialized='view') }} with one as (select n from {{ ref('e') }}) select n + 1 as n from one")  # fmt: skip
    tiny.write("models/w.sql", "{{ config(materialized='view') }} select max(n) as n from {{ ref('v') }}")  # fmt: skip
    project = tiny.project()
    assert project.build().success
    assert project.query("from w").fetchall() == [(2,)]
    assert "e" not in project.environment.pointers()


def test_a_view_brings_the_tables_it_reads(tiny):
    tiny.write("models/v.sql", "{{ config(materialized='view') }} select n from {{ ref('counts') }}")  # fmt: skip
    assert tiny.project(env="other").build("+counts").success
    project = tiny.project()
    assert project.build("v").success
    assert set(project.environment.pointers()) == {"counts", "v"}
    assert project.query("from v").fetchall() == [(1,), (1,)]


@pytest.mark.parametrize(("materialized", "refused"), [("view", True), ("ephemeral", False)])
def test_a_view_calls_no_udf(tiny, materialized, refused):
    tiny.write(
        "udfs/f.py",
        """
        from llm_i2i.udf import scalar_udf

        @scalar_udf(returns="BIGINT")
        def double(n: int) -> int:
            "Twice n."
            return 2 * n
        """,
    )
    tiny.write("models/v.sql", f"{{{{ config(materialized='{materialized}') }}}} select double(n) as n from {{{{ ref('counts') }}}}")  # fmt: skip
    if refused:
        with pytest.raises(ProjectError, match="view model 'v' calls the scalar UDF 'double'"):
            tiny.project().compile(["v"])
    else:
        tiny.project().compile(["v"])
