from __future__ import annotations

import json
import logging

import click
import pytest
from click.testing import CliRunner

from llm_i2i.cli.group import repeat_options
from llm_i2i.cli.main import cli
from llm_i2i.errors import ProjectError

ALL = [
    "log__events", "log__items", "seeds__kinds", "kinds", "events", "counts", "items", "named",
    "kinds_of_items", "exposure:shop_window",
]  # fmt: skip


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("named", "named"),
        ("+named", "log__events events counts log__items items named"),
        ("1+named", "counts items named"),
        ("events+1", "events counts"),
        ("1+named+1", "counts items named kinds_of_items exposure:shop_window"),
        ("2+named+", "events counts log__items items named kinds_of_items exposure:shop_window"),
        ("@counts", "log__events log__items seeds__kinds kinds events counts items named kinds_of_items exposure:shop_window"),
        ("*s", "log__events log__items seeds__kinds kinds events counts items kinds_of_items"),
        ("staging", "events items"),
        ("tiny.staging", "events items"),
        ("staging.events", "events"),
        ("staging.*", "events items"),
        ("fqn:named", "named"),
        ("tag:stg", "events items"),
        ("tag:s*", "seeds__kinds kinds events items"),
        ("tag:public", "exposure:shop_window"),
        ("path:models/staging", "events items"),
        ("models/staging/events.sql", "events"),
        ("path:seeds", "seeds__kinds kinds"),
        ("file:events.sql", "events"),
        ("events.sql", "events"),
        ("config.materialized:view", "events"),
        ("config.materialized:seed", "kinds"),
        ("config.meta.owner:ann", "counts"),
        ("config.tags:nightly", "counts"),
        ("config.grain:item_id", "kinds"),
        ("config.enabled:true,tag:nightly", "counts"),
        ("source:log", "log__events log__items"),
        ("source:log.events", "log__events"),
        ("source:tiny.log.items", "log__items"),
        ("source:*.events", "log__events"),
        ("source:log.events+1", "log__events events"),
        ("exposure:shop_window", "exposure:shop_window"),
        ("1+exposure:*", "log__items named exposure:shop_window"),
        ("package:tiny,tag:stg", "events items"),
        ("package:this,tag:nightly", "counts"),
        ("resource_type:seed", "kinds"),
        ("tag:stg tag:nightly", "events counts items"),
        ("tag:stg,+named", "events items"),
        ("+named,+kinds,tag:none items", "items"),
    ],
)  # fmt: skip
def test_methods(tiny, select, expected):
    assert set(tiny.keys(select)) == set(expected.split())


def test_without_criteria_everything_parents_first(tiny):
    keys = tiny.keys()
    assert sorted(keys) == sorted(ALL)
    assert keys.index("counts") < keys.index("named") < keys.index("kinds_of_items")


def test_every_listed_selector_selects_its_line_alone(tiny):
    project = tiny.project()
    for key, resource in project.selection.resources.by_key.items():
        assert project.selection.select([resource.selector], []) == [key]


def test_exclude(tiny):
    assert tiny.keys("+named", exclude=("source:*", "tag:nightly+")) == ["events", "items"]


def test_a_build_takes_nodes_alone(tiny):
    assert "exposure:shop_window" not in tiny.project().select("named+")
    with pytest.raises(ProjectError, match="nothing selected") as caught:
        tiny.project().select("exposure:shop_window")
    assert caught.value.fix == "select what it reads: +exposure:shop_window"


@pytest.mark.parametrize(
    ("select", "fix"),
    [
        ("namd", "did you mean 'named'?"),
        ("+namd+", "did you mean 'named'?"),
        ("tag:nightyl", "did you mean 'nightly'?"),
        ("path:models/stagin", "did you mean 'models/staging'"),
        ("source:log.evnts", "did you mean 'log.events'"),
        ("exposure:shop", "did you mean 'shop_window'?"),
        ("config.materialized:veiw", "did you mean 'view'?"),
        ("zzz", "see `llmi2i ls` for the names"),
    ],
)
def test_nothing_selected_names_the_nearest(tiny, select, fix):
    with pytest.raises(ProjectError, match="nothing selected") as caught:
        tiny.keys(select)
    assert caught.value.exit_code == 2
    assert caught.value.fix.startswith(fix)


@pytest.mark.parametrize(
    ("select", "what", "fix"),
    [
        ("tagg:x", "unknown selector method 'tagg'", "did you mean 'tag'?"),
        ("@counts+", "selector '@counts+' cannot be read", "write name"),
        ("++", "cannot be read", "write name"),
        ("state:modifed", "state: cannot be 'modifed'", "did you mean 'modified'"),
        ("result:failed", "result: cannot be 'failed'", "did you mean 'fail'"),
        ("resource_type:table", "resource_type: cannot be 'table'", "write one of"),
        ("state:new", "state: compares with another build", "pass --state DIR"),
        ("result:error", "there are no results of a run", "run `llmi2i build` first"),
        ("selector:x", "there is no selector 'x'", "write it in selectors.yml"),
    ],
)
def test_what_cannot_be_selected(tiny, select, what, fix):
    with pytest.raises(ProjectError) as caught:
        tiny.keys(select)
    assert what in caught.value.what
    assert caught.value.fix.startswith(fix)


def test_a_criterion_without_a_match_beside_others_is_a_warning(tiny, caplog):
    with caplog.at_level(logging.WARNING):
        assert tiny.keys("named", "evnts") == ["named"]
    assert "'evnts' selects nothing; did you mean 'events'" in caplog.text


# -- state and results -----------------------------------------------------------------------------


@pytest.fixture
def built(tiny):
    assert tiny.project().build().success
    return tiny


def changed(tiny, *select):
    return tiny.keys(*(select or ("state:modified",)), state=tiny.dir / "target")


def test_nothing_is_modified_after_a_build(built):
    with pytest.raises(ProjectError, match="nothing selected") as caught:
        changed(built)
    assert caught.value.fix == "there is nothing to do"
    assert set(changed(built, "state:unmodified")) == set(ALL) == set(changed(built, "state:old"))


def test_layout_and_comments_are_no_modification(built):
    built.replace("models/staging/events.sql", "-- the log", "-- the log of events\n\n")
    built.replace("models/counts.sql", "count(*) as n from", "count(*) as n\n  from")
    with pytest.raises(ProjectError, match="nothing selected"):
        changed(built)


def test_modified_and_new(built):
    built.replace("models/counts.sql", "count(*) as n", "count(*) + 1 as n")
    built.replace("models/exposures.yml", "maturity: high", "maturity: low")
    built.write("models/fresh.sql", "select 1 as x")
    assert set(changed(built)) == {"counts", "fresh", "exposure:shop_window"}
    assert changed(built, "state:new") == ["fresh"]
    assert set(changed(built, "state:modified,counts+1")) == {"counts"}
    assert changed(built, "state:modified.body,resource_type:model") == ["counts"]


def test_modified_by_a_var_config_or_contract(built):
    built.replace("models/staging/items.sql", "select", "{{ config(tags=['x']) }} select")
    built.write(
        "models/named.yml",
        "models: [{name: named, contract: {enforced: true}, columns:"
        " [{name: item_id, data_type: bigint}, {name: n, data_type: bigint}, {name: title, data_type: text}]}]",
    )
    project = built.project(vars={"least": 2}, state=built.dir / "target")
    assert set(project.select("state:modified")) == {"counts", "items", "named"}
    assert project.select("state:modified.configs") == ["items"]
    assert project.select("state:modified.contract") == ["named"]


def test_state_of_a_manifest_in_dbts_shape(tiny):
    import hashlib

    nodes = {}
    for name, path in (("events", "staging/events"), ("counts", "counts"), ("named", "named")):
        content = (tiny.dir / f"models/{path}.sql").read_text().strip()
        nodes[f"model.tiny.{name}"] = {
            "checksum": {
                "name": "sha256",
                "checksum": hashlib.sha256(content.encode()).hexdigest(),
            },
            "config": {"materialized": "view" if name == "events" else "table"},
        }
    sources = {"source.tiny.log.events": {}, "source.tiny.log.items": {}}
    tiny.write("prod/manifest.json", json.dumps({"nodes": nodes, "sources": sources}))
    tiny.replace("models/counts.sql", "count(*) as n", "count(*) + 1 as n")
    nodes["model.tiny.named"]["config"]["materialized"] = "view"
    tiny.write("prod/manifest.json", json.dumps({"nodes": nodes, "sources": sources}))
    found = tiny.keys("state:modified,path:models", state=tiny.dir / "prod")
    assert set(found) == {"counts", "named", "items", "kinds_of_items", "exposure:shop_window"}
    assert "items" in tiny.keys("state:new", state=tiny.dir / "prod")
    assert tiny.keys("state:modified.materialized", state=tiny.dir / "prod") == ["named"]


def test_a_state_folder_without_state(tiny, tmp_path):
    with pytest.raises(ProjectError, match="there is no state to compare with") as caught:
        tiny.keys("state:new", state=tmp_path)
    assert caught.value.where == str(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ProjectError, match=r"manifest.json cannot be read"):
        tiny.keys("state:new", state=tmp_path)


def test_results_of_the_last_run(tiny):
    results = [
        {"unique_id": "model.tiny.counts", "status": "error"},
        {"unique_id": "model.tiny.named", "status": "skipped"},
        {"unique_id": "model.tiny.items", "status": "success"},
        {"unique_id": "test.tiny.grain_kinds.ab12", "status": "fail"},
    ]
    tiny.write("target/run_results.json", json.dumps({"results": results}))
    assert tiny.keys("result:error") == ["counts"]
    assert tiny.keys("result:error+1") == ["counts", "named"]
    assert tiny.keys("result:skip") == tiny.keys("result:skipped") == ["named"]
    assert tiny.keys("result:fail") == ["kinds"]
    assert tiny.keys("result:success") == ["items"]


# -- selectors.yml ---------------------------------------------------------------------------------

SELECTORS = """
    selectors:
      - name: nightly
        description: What runs each night.
        definition:
          union:
            - method: tag
              value: nightly
              children: true
              children_depth: 1
            - intersection: [tag:stg, "path:models"]
            - exclude: [{method: fqn, value: items}]
      - name: short
        definition: {tag: nightly}
      - name: text
        definition: "+named,tag:stg kinds"
      - name: of_another
        default: true
        definition: {method: selector, value: short}
"""


def test_named_selections(tiny):
    tiny.write("selectors.yml", SELECTORS)
    assert set(tiny.keys("selector:nightly")) == {"events", "counts", "named"}
    assert tiny.keys("selector:short") == ["counts"]
    assert set(tiny.keys("selector:text")) == {"events", "items", "kinds"}
    assert tiny.keys("selector:short+1") == ["counts", "named"]
    assert tiny.project().select() == ["counts"], "the default selector"
    assert tiny.project().select(exclude="named+") != ["counts"], "not beside --exclude"
    assert {step.node.name for step in tiny.project().plan("+selector:short").steps} == {
        "events",
        "counts",
    }


@pytest.mark.parametrize(
    ("definition", "what"),
    [
        ("{method: tag}", "missing key 'value'"),
        ("{method: tag, value: x, parent: true}", "unknown key 'parent' in a criterion"),
        ("{method: tag, value: x, parents: 'yes'}", "'parents' must be true or false"),
        ("[tag:x]", "a definition must be text or a mapping"),
        ("{union: tag:x}", "'union' must be a list"),
        ("{union: [tag:x], exclude: [tag:y]}", "'union' must be a list, alone"),
        ("{a: b, c: d}", "a definition says no method"),
        ("'@a+'", "selector '@a+' cannot be read"),
    ],
)
def test_wrong_definitions(tiny, definition, what):
    tiny.write("selectors.yml", f"selectors: [{{name: s, definition: {definition}}}]\n")
    with pytest.raises(ProjectError) as caught:
        tiny.keys("selector:s")
    assert what in caught.value.what
    assert caught.value.where.startswith("selectors.yml:1")


def test_selectors_in_a_circle_and_twice(tiny):
    two = "selectors: [{name: a, definition: 'selector:b'}, {name: b, definition: 'selector:a'}]"
    tiny.write("selectors.yml", two)
    with pytest.raises(ProjectError) as caught:
        tiny.keys("selector:a")
    assert caught.value.found == "a -> b -> a"
    tiny.write("selectors.yml", two.replace("name: b", "name: a"))
    with pytest.raises(ProjectError, match="selector 'a' is defined twice"):
        tiny.keys("selector:a")


# -- the command line ------------------------------------------------------------------------------


def ls(tiny, *arguments):
    done = CliRunner().invoke(cli, ["ls", "--project-dir", str(tiny.dir), *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout.splitlines()


def test_several_words_after_one_s(tiny):
    assert ls(tiny, "-s", "named", "tag:nightly", "--output", "name") == ["counts", "named"]
    assert ls(tiny, "--select", "named", "-s", "items") == ["items", "named"]
    assert ls(tiny, "--select=named", "items", "--exclude", "items", "events") == ["named"]


def test_words_are_left_to_commands_that_take_some():
    show = cli.get_command(click.Context(cli), "show")
    assert repeat_options(show, ["-s", "a", "b"]) == ["-s", "a", "b"]
    build = cli.get_command(click.Context(cli), "build")
    assert repeat_options(build, ["-s", "a", "b", "-x", "--exclude", "c", "d"]) == [
        "-s", "a", "-s", "b", "-x", "--exclude", "c", "--exclude", "d",
    ]  # fmt: skip
    assert repeat_options(build, ["-s", "--env", "x"]) == ["-s", "--env", "x"]


def test_selector_option(tiny):
    tiny.write("selectors.yml", SELECTORS)
    assert ls(tiny, "--selector", "text", "--exclude", "kinds") == ["events", "items"]
    done = CliRunner().invoke(
        cli, ["ls", "--project-dir", str(tiny.dir), "--selector", "text", "-s", "named"]
    )
    assert done.exit_code == 2
    assert "exclude each other" in done.stderr


def test_listing_as_json_path_and_selector(tiny):
    (row,) = map(json.loads, ls(tiny, "-s", "exposure:*", "--output", "json"))
    assert (row["resource_type"], row["type"], row["maturity"]) == ("exposure", "dashboard", "high")
    assert row["depends_on"] == ["named", "log__items"]
    assert row["owner"] == {"name": "Ann", "email": ["ann@shop.example"]}
    keys = ls(tiny, "-s", "counts", "--output", "json", "--output-keys", "name", "tags")
    assert keys == ['{"name": "counts", "tags": ["nightly"]}']
    assert ls(tiny, "-s", "events", "--output", "path") == ["models/staging/events.sql"]
    assert ls(tiny, "-s", "+events", "--output", "selector") == [
        "source:tiny.log.events",
        "tiny.staging.events",
    ]


def test_listing_by_resource_type(tiny):
    assert ls(tiny, "--resource-type", "seed") == ["kinds"]
    assert ls(tiny, "--resource-type", "source", "--resource-type", "exposure") == [
        "log__events", "log__items", "shop_window",
    ]  # fmt: skip
    assert ls(tiny, "--resource-type", "test") == ["grain_kinds"]
    assert len(ls(tiny, "--resource-type", "all")) == len(ALL)
    with pytest.raises(ProjectError, match="nothing selected"):
        ls(tiny, "-s", "named", "--resource-type", "seed")
    with pytest.raises(ProjectError, match="there is no key 'nam'"):
        ls(tiny, "--output", "json", "--output-keys", "nam")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select 1\n  as a -- one", "select 1 as a", True),
        ("select /* two\nlines */ 1", "select 1", True),
        ("select 'a  b'", "select 'a b'", False),
        ("select 'it''s -- text'", "select 'it''s'", False),
        ('select "a--b"', 'select "a"', False),
        ("select $$ -- x $$", "select $$ $$", False),
        ("select 1", "select 2", False),
    ],
)
def test_what_is_layout(one, other, same):
    from llm_i2i.graph.state import without_layout

    assert (without_layout(one) == without_layout(other)) is same


def test_the_text_of_an_empty_selection(tiny):
    with pytest.raises(ProjectError) as caught:
        tiny.keys("+namd", exclude=("tag:raw",))
    assert caught.value.render() == (
        "error: nothing selected\n"
        "  found: --select +namd --exclude tag:raw, 10 nodes known\n"
        "  fix:   did you mean 'named'?"
    )


def test_a_project_without_models_says_so(tmp_path):
    from llm_i2i.runner.project import Project

    (tmp_path / "project.yml").write_text("name: empty\n")
    with pytest.raises(ProjectError, match="the project has no models") as caught:
        Project.load(tmp_path).select()
    assert "models/my_model.sql" in caught.value.fix
