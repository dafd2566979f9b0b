"""Templates, models, UDF calls in SQL, and queries: right, or refused at a place."""

from __future__ import annotations

import textwrap
from pathlib import Path

from hypothesis import strategies as st

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.graph.compile import compile_models
from llm_i2i.render.renderer import Renderer
from llm_i2i.runner.environments.query import fetch_rows, open_catalogue, run_query
from llm_i2i.runner.project import Project
from llm_i2i.sql.hoist import hoist
from tests.fuzz.harness import NASTY, fuzz, profiles, spoilt, texts
from tests.project.conftest import FILES, ShopProject
from tests.unit.sql.test_hoist import SIGNATURES, TABLES
from tests.write_forms import STATEMENTS

ROOT = Path(__file__).parents[2]
OURS = [
    path.read_text() for path in sorted(ROOT.glob("models/**/*.sql")) if path.stat().st_size < 2500
][:25]
JINJA = [
    "{{ config(materialized='table', tags=['a']) }} select {{ var('threshold') }} from {{ ref('events') }}",
    "{% for x in [1, 2] %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}",
    "{% set x = {'a': [1, none, true, 2.5]} %}{{ x }} {{ x.a | join(',') }} {{ env_var('HOME', 'x') }}",
    "{{ prompt('hello', name='user_id', place=quote_literal('Mars')) }}",
    "{{ language_model('small') }} {{ source('log', 'events') }} {{ this }} {{ target.name }}",
    "{% test mine(model, column_name) %} select * from {{ model }} {% endtest %}",
    "{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% do log('x') %}",
    "{{ 'a{0}b'.format(1) }}{{ '%s' % 3 }}{{ [3,1] | sort | first }}{{ range(3) | list }}{{ dict(a=1) | tojson }}",
]
JINJA_WORDS = "{{ }} {% %} {%- -%} if else endif for endfor set macro endmacro call endcall filter raw endraw | . [ ] ( ) var ref source config env_var this loop self namespace cycler joiner dict range tojson attr map select groupby xmlattr urlize format do exceptions.raise_compiler_error __class__ __globals__ mro caller".split()
SQL_WORDS = "select from where group by order having qualify join left using on with recursive as values union all distinct case when then end cast null true interval date struct list [ ] { } ( ) , . :: := => -> * ; -- /* */ ' \" $$ ? : @ | || < > = user_id item_id position score prompt events scored count sum over partition row_number unnest pivot exclude replace columns lambda".split()


@profiles(short=12, long=3000)
def test_templates(inputs: int, project: Project) -> None:
    renderer: Renderer = project.renderer

    def render(text: str) -> None:
        renderer.render_model("models/x.sql", text, name="x")

    fuzz("jinja", inputs, spoilt(JINJA, JINJA_WORDS) | texts, render)

    def expression(text: str) -> None:
        renderer.render_expression(text, "models/models.yml:3")
        renderer.render_data_test(
            "accepted_range", "events", "position", {"min_value": text}, condition=text
        )

    fuzz("jinja in yaml", inputs // 3, spoilt(JINJA, JINJA_WORDS) | texts, expression)


@profiles(short=5, long=600)
def test_macro_files(inputs: int, tmp_path: Path) -> None:
    shop = ShopProject(tmp_path)
    good = [
        "{% macro half(x) %}({{ x }} / 2){% endmacro %}\n{% test fine(model) %}select 1 from {{ model }}{% endtest %}\n"
    ]

    def load(text: str) -> None:
        (tmp_path / "project/macros").mkdir(exist_ok=True)
        (tmp_path / "project/macros/m.sql").write_bytes(text.encode())
        _ = Project.load(shop.dir).manifest
        Project.load(shop.dir).render("{{ half('a') }}")

    fuzz("macros", inputs, spoilt(good, JINJA_WORDS), load)


@profiles(short=5, long=800)
def test_prompt_files(inputs: int, tmp_path: Path) -> None:
    shop = ShopProject(tmp_path)

    def load(text: str) -> None:
        (tmp_path / "project/prompts/hello.jinja").write_bytes(text.encode())
        Project.load(shop.dir).render(
            "select {{ prompt('hello', name='user_id', place='item_id') }}"
        )

    good = [
        "Hello {{ name }} of {{ place }}\n",
        "{% if name %}a{% endif %} {{ place | upper }}{# x #}",
    ]
    fuzz("prompts", inputs, spoilt(good, JINJA_WORDS), load)


@profiles(short=8, long=1500)
def test_models(inputs: int, project: Project) -> None:
    """The SQL of a model from its text to its columns; what compiles binds in DuckDB."""
    columns = project.compiler.columns_of(["log__events", "events", "prompts", "trained", "scored"])
    originals = [textwrap.dedent(text) for name, text in FILES.items() if name.endswith(".sql")] + [
        "select user_id, score from {{ ref('scored') }} qualify row_number() over (order by score) < 3",
        "with a as (select 1 as x), b as (from a) select b.*, exists (from a) as y from b",
        "from {{ ref('events') }} select user_id, unnest([1, 2]) as n, {'a': 1} as s, item_id as \"i d\"",
    ]
    shop = Project.load(project.dir)
    manifest = shop.manifest
    kept = manifest.nodes["kept"]
    renderer = shop.renderer
    binder = DuckDBEngine(threads=1)

    def compile_text(text: str) -> None:
        import dataclasses

        rendered = renderer.render_model("models/kept.sql", text, name="kept")
        reads = {r.name for r in rendered.refs} & set(columns)
        node = dataclasses.replace(kept, sql=rendered.sql, reads=tuple(sorted(reads)))
        nodes = {**manifest.nodes, "kept": node}
        changed = dataclasses.replace(manifest, nodes=nodes)
        made = compile_models(changed, ["kept"], columns, shop.udfs.signatures, lambda: binder, {})
        assert made["kept"].columns
        made["kept"].text().encode()

    fuzz("models", inputs, spoilt(originals, SQL_WORDS), compile_text)
    binder.close()


@profiles(short=8, long=1500)
def test_udf_calls_in_sql(inputs: int) -> None:
    """Whatever hoisting makes of a query, DuckDB can bind it, or the error is ours."""
    originals = [
        "select id, double(word) as w from t where size(word, plus := 2) > 1",
        "with a as (select double(word) as d from t) select d, size(d) from a union all select word, 1 from s",
        "select part, max(size(word)) from t group by part having count(*) > 1 order by 1 limit 2",
        "select t.id, s.n from t join s on double(t.word) = double(s.word)",
        "select id, list_transform(letters(word), x -> x || '!') from t qualify row_number() over (order by size(word)) = 1",
        "select * from t where word in (select double(word) from s) and exists (select 1 from s where size(s.word) = t.id)",
        "select case when id > 1 then double(word) else call_key(double(word)) end as k from t",
    ]
    words = [
        *SQL_WORDS,
        "double(word)",
        "size(word)",
        "letters(word)",
        "plus := (select 1)",
        "t",
        "s",
        "call_key(",
    ]

    def lift(sql: str) -> None:
        engine = DuckDBEngine(threads=1)
        try:
            engine.run(TABLES)
            hoisted = hoist(sql, SIGNATURES, engine)
            for step in hoisted.steps:
                engine.columns(step.inputs["arguments"])
            engine.columns(hoisted.sql)
        finally:
            engine.close()

    fuzz("udf calls", inputs, spoilt(originals, words), lift)


@profiles(short=12, long=3000)
def test_queries(inputs: int, project: Project) -> None:
    store = str(project.store.root.resolve())
    good = [
        s.format(store=store, outside=project.dir, data=project.dir / "data/log.csv")
        for s in STATEMENTS
    ]
    good += [
        "from events limit 3",
        "describe events",
        "explain analyze select 1",
        "select * from kept join events using (user_id)",
    ]
    good += [
        "select now(), [1], {'a': 1}, 'x'::blob, uuid(), interval 1 day, 1e400, date 'infinity'"
    ]
    before = sorted(project.store.root.rglob("*"))
    connection = open_catalogue(project.environment, project.store)

    def ask(sql: str) -> None:
        columns, rows = fetch_rows(run_query(connection, sql, ["events"]), 5)
        assert all(len(row) == len(columns) for row in rows)

    fuzz(
        "queries",
        inputs,
        spoilt(good, SQL_WORDS) | st.text(max_size=20) | st.sampled_from(NASTY),
        ask,
    )
    assert sorted(project.store.root.rglob("*")) == before
    assert connection.sql("select count(*) from events").fetchall() == [(60,)]
