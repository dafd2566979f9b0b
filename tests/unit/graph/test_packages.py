from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError

PACKAGE = {
    "project.yml": """
        name: shop_tools
        macro_paths: macros
        vars: {shout: HEY, least: 100}
        models: {+tags: [tools], summary: {+materialized: ephemeral}}
    """,
    "macros/shout.sql": "{% macro shouted(column) %}{{ column }} || '{{ var('shout') }}'{% endmacro %}\n",
    "models/summary/totals.sql": "select count(*) as n_items, {{ shouted(\"'a'\") }} as a from {{ ref('items') }}\n",
    "models/models.yml": """
        models: [{name: totals, description: How many there are.}]
        sources: [{name: tools, tables: [{name: rates, path: data/rates.csv}]}]
    """,
    "models/rates.sql": "select rate from {{ source('tools', 'rates') }}\n",
    "data/rates.csv": "rate\n0.5\n",
    "udfs/twice.py": '''
        from llm_i2i.udf import scalar_udf


        @scalar_udf(returns="BIGINT")
        def twice(n: int) -> int:
            """2 n."""
            return 2 * n
    ''',
}


@pytest.fixture
def shop(tiny):
    for name, text in PACKAGE.items():
        tiny.write(f"../shop_tools/{name}", text)
    tiny.write("packages.yml", "packages: [{local: ../shop_tools}]")
    return tiny


def test_models_macros_udfs_sources_and_vars_of_a_package(shop):
    shop.write(
        "models/mine.sql",
        "select twice(n_items) as n, {{ shop_tools.shouted('a') }} as b from {{ ref('shop_tools', 'totals') }}",
    )
    project = shop.project()
    assert project.vars == {"shout": "HEY", "least": 1}, "the project's own vars win"
    assert project.build("mine rates +named").success
    assert project.query("from mine").fetchall() == [(4, "aHEYHEY")]
    assert project.query("from rates").fetchall() == [(0.5,)]
    node = project.manifest.nodes["totals"]
    assert (node.package, node.materialized, node.tags) == ("shop_tools", "ephemeral", ("tools",))
    assert node.fqn == ("shop_tools", "summary", "totals")
    assert set(project.select("package:shop_tools")) == {"totals", "rates", "tools__rates"}
    assert project.select("shop_tools.summary") == project.select("summary") == ["totals"]
    assert (
        project.compiled_path(node) == project.target_dir / "compiled/shop_tools/summary/totals.sql"
    )


def test_the_project_configures_a_packages_models(shop):
    shop.replace(
        "project.yml", "models:", "models:\n  shop_tools: {summary: {+materialized: view}}"
    )
    node = shop.project().manifest.nodes["totals"]
    assert node.config["materialized"] == "view"


def test_an_installed_python_package(shop, monkeypatch):
    monkeypatch.syspath_prepend(str(shop.dir.parent))
    shop.write("packages.yml", "packages: [{python: shop_tools}]")
    assert "totals" in shop.project().manifest.nodes
    shop.write("packages.yml", "packages: [{python: shop_tols_x}]")
    with pytest.raises(ProjectError, match="package 'shop_tols_x' is not installed") as caught:
        shop.project()
    assert caught.value.where == "packages.yml:1:12"
    assert caught.value.fix == "pip install shop-tols-x"


def test_packages_in_the_project_file_and_of_packages(shop):
    (shop.dir / "packages.yml").unlink()
    shop.replace("project.yml", "name: tiny", "name: tiny\npackages: [{local: ../shop_tools}]")
    shop.write("../shop_tools/packages.yml", "packages: [{local: ../more}, {local: ../tiny}]")
    shop.write("../more/project.yml", "name: more\n")
    shop.write("../more/models/one.sql", "select 1 as one")
    assert [part.config.name for part in shop.project().loaded.packages] == ["more", "shop_tools"]
    assert shop.project().manifest.nodes["one"].package == "more"


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("models/named.sql", "select 1 as x", "model 'named' exists twice"),
        ("models/sources.yml", "sources: [{name: log, tables: [{name: events, path: x.csv}]}]", "source 'log__events' exists twice"),
        ("macros/two.sql", "{% macro mine() %}1{% endmacro %}", "macro 'mine' is defined twice"),
        ("project.yml", "name: tiny", "two projects are called 'tiny'"),
        ("models/exposures.yml", "exposures: [{name: shop_window, type: ml, owner: {name: x}}]", "exposure 'shop_window' exists twice"),
    ],
)  # fmt: skip
def test_names_that_clash_are_reported(shop, file, text, what):
    shop.write("macros/mine.sql", "{% macro mine() %}1{% endmacro %}")
    shop.write(f"../shop_tools/{file}", text)
    with pytest.raises(ProjectError) as caught:
        _ = shop.project().manifest
    errors = getattr(caught.value, "errors", [caught.value])
    (error,) = [error for error in errors if error.what == what]
    assert error.found


@pytest.mark.parametrize(
    ("entry", "what", "fix"),
    [
        ("{local: ../none}", "package '../none' is no project", "point to the folder"),
        ("{local: a, python: b}", "has no place or two", "write one of"),
        ("{git: https://x.example/y.git}", "unknown key 'git'", "we fetch nothing"),
    ],
)
def test_wrong_entries(shop, entry, what, fix):
    shop.write("packages.yml", f"packages: [{entry}]")
    with pytest.raises(ProjectError) as caught:
        shop.project()
    errors = getattr(caught.value, "errors", [caught.value])
    (error,) = [error for error in errors if what in error.what]
    assert error.fix.startswith(fix)


def test_unknown_packages_and_macros_in_templates(shop):
    shop.write("models/mine.sql", "select 1 as x from {{ ref('shop_tol', 'totals') }}")
    with pytest.raises(ProjectError, match="there is no package 'shop_tol'") as caught:
        _ = shop.project().manifest
    assert caught.value.fix == "did you mean 'shop_tools'?"
    shop.write("models/mine.sql", "select {{ shop_tools.shoutd('a') }}")
    with pytest.raises(ProjectError, match="shoutd"):
        _ = shop.project().manifest
