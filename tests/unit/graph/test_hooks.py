from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError


def with_hooks(tiny, *lines):
    tiny.write("models/counts.yml", "models: [{name: counts, config: {" + ", ".join(lines) + "}}]")
    return tiny.project()


def test_a_post_hook_exports_what_was_built(tiny):
    out = tiny.dir / "out.csv"
    project = with_hooks(tiny, f"post_hook: \"copy (select * from {{{{ this }}}} order by all) to '{out}'\"")  # fmt: skip
    assert project.build("+counts").success
    assert out.read_text() == "item_id,n\n10,1\n11,1\n"


def test_hooks_of_folders_add_up_and_a_pre_hook_is_part_of_the_result(tiny):
    tiny.replace("project.yml", "  staging:", "  +pre_hook: set threads = 1\n  staging:")
    tiny.replace("project.yml", "+materialized: view", "+materialized: table")
    project = with_hooks(tiny, "pre_hook: \"select count(*) from {{ ref('events') }}\"")
    node = project.manifest.nodes["counts"]
    assert node.pre_hook == ("set threads = 1", "select count(*) from events")
    assert project.build("+counts").success
    changed = with_hooks(tiny, "pre_hook: select 1").plan("counts")
    assert [(step.action, step.reason) for step in changed.steps] == [("build", "pre_hook changed")]


def test_a_hook_that_fails_fails_its_node(tiny):
    project = with_hooks(tiny, "post_hook: \"select error('too few') from {{ this }}\"")
    result = project.build("+counts")
    (outcome,) = [o for o in result.nodes if o.status == "ERROR"]
    assert "a hook failed" in outcome.error.what
    assert "too few" in outcome.error.what
    assert not result.published
    assert not list((tiny.dir / "target/store/counts").glob("*/data.parquet"))


@pytest.mark.parametrize(
    ("hook", "what"),
    [
        ("drop view events", "a hook may not do this"),
        ("create table x as select 1", "a hook may not do this"),
        ("attach 'x.db'", "a hook may not do this"),
        ("select 1; select 2", "a hook may not do this"),
        ("copy (select 1) to 'TARGET/store/x.parquet'", "may not write into the folder of results"),
        ("copy (select 1) to 'TARGET/../target/dev.csv'", "may not write into the folder of results"),
        ("selec 1", "a hook is no SQL"),
    ],
)  # fmt: skip
def test_what_a_hook_may_not_do(tiny, hook, what):
    text = hook.replace("TARGET", str(tiny.dir / "target"))
    (outcome,) = [
        o for o in with_hooks(tiny, f'pre_hook: "{text}"').build("+counts").nodes if o.error
    ]
    assert what in outcome.error.what
    assert outcome.error.where == "models/counts.sql"


def test_hooks_of_views_and_of_other_models(tiny):
    with pytest.raises(ProjectError, match="ephemeral model 'counts' has hooks"):
        _ = with_hooks(tiny, "materialized: ephemeral", "pre_hook: select 1").manifest
    with pytest.raises(ProjectError, match="reads what the model itself does not") as caught:
        _ = with_hooks(tiny, "pre_hook: \"from {{ ref('items') }}\"").manifest
    assert (caught.value.found, caught.value.fix) == ("items", "read events, or this")


def test_hooks_of_a_run(tiny):
    out = tiny.dir / "out.csv"
    tiny.replace(
        "project.yml",
        "target: dev",
        "on_run_start: select 1\n"
        f"on_run_end: [\"copy (select n from {{{{ ref('counts') }}}}) to '{out}'\"]\n"
        "target: dev",
    )
    assert tiny.project().build("+counts").success
    assert out.read_text() == "n\n1\n1\n"
    tiny.replace("project.yml", "on_run_start: select 1", "on_run_start: drop table x")
    with pytest.raises(ProjectError, match="a hook may not do this") as caught:
        tiny.project().build("+named")
    assert caught.value.where == "project.yml: on_run_start"
    assert "named" not in tiny.project().environment.pointers(), "nothing was run"
