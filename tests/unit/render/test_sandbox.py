"""The known ways out of Jinja's sandbox are closed, and secrets cannot be read where they would be kept."""

from __future__ import annotations

import pytest

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.render.environment import MacroLibrary
from llm_i2i.render.renderer import Renderer
from llm_i2i.secrets import hide_secrets, is_secret

SECRET = "k-3141592653"

ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "''['__class__']",
    "'' | attr('__class__')",
    "'' | attr('\\x5f\\x5fclass\\x5f\\x5f')",
    "[''] | map(attribute='__class__') | list",
    "[''] | map('attr', '__class__') | list",
    "['a', 'b'] | sort(attribute='__class__')",
    "['a'] | groupby('__class__')",
    "['a'] | sum(attribute='__class__')",
    "['a'] | selectattr('__class__') | list",
    "'{0.__class__}'.format('')",
    "'{0[__class__]}'.format('')",
    "'{x.__init__.__globals__}'.format_map({'x': ref})",
    "('{0.__class__}' | attr('format'))('')",
    "['{0.__class__}'.format] | map('string') | list | first and ''.__class__",
    "config.__self__.inputs.env",
    "config.__func__.__globals__",
    "ref.__globals__",
    "ref.im_self",
    "var.__code__",
    "half._rendering.inputs.env",
    "half.__call__",
    "half._name",
    "shop._rendering",
    "shop.__getattr__",
    "exceptions._rendering",
    "exceptions.raise_compiler_error.__globals__",
    "self.__init__",
    "self._TemplateReference__context",
    "cycler.__init__.__globals__.os.popen('id')",
    "cycler('a').reset.__globals__",
    "joiner.__init__.__globals__",
    "namespace.__init__.__globals__",
    "dict.mro()",
    "dict.__subclasses__()",
    "range.__class__",
    "(1).real.__class__",
    "(i for i in [1])",
    "loop",
    "get_flashed_messages.__globals__",
    "url_for.__globals__",
    "request.application.__globals__",
    "lipsum.__globals__['os']",
    "import_module('os')",
    "open('/etc/passwd')",
    "'a'.encode('utf-7').__reduce__()",
    "target.__class__",
    "this.__class__.mro()",
    "env_var.__self__.inputs.env",
    "env_var('MY_API_KEY')",
    "env_var('my_api_key', 'x')",
    "env_var('DBT_ENV_SECRET_X', 'x')",
    "range(10 ** 9) | list",
]  # fmt: skip
STATEMENTS = [
    "{% include '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% set x = ''.__class__ %}{{ x }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{% for x in [1] recursive %}{{ loop.__init__ }}{% endfor %}",
    "{% macro f() %}{{ caller.__globals__ }}{% endmacro %}{% call f() %}{% endcall %}",
    "{% macro f() %}{{ varargs.__class__ }}{% endmacro %}{{ f(1) }}",
    "{% do ''.__class__.mro() %}",
    "{% call(x) ref.__globals__ %}{% endcall %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% with x = ''.__class__ %}{{ x }}{% endwith %}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__class__ }}",
]


@pytest.fixture
def renderer() -> Renderer:
    macros = MacroLibrary.parse("{% macro half(x) %}{{ x }} / 2{% endmacro %}")
    env = {"MY_API_KEY": SECRET, "HOME": "/home"}
    return Renderer(vars={}, macros=macros, env=env, packages={"shop": macros})


@pytest.mark.parametrize("text", [*(f"{{{{ {e} }}}}" for e in ESCAPES), *STATEMENTS])
def test_there_is_no_way_out(renderer: Renderer, text: str) -> None:
    with pytest.raises(LlmI2iError) as caught:
        renderer.render_model("models/m.sql", text, name="m")
    assert SECRET not in str(caught.value)
    with pytest.raises(LlmI2iError):
        renderer.render_expression(text, "models/m.yml:1")


def test_a_secret_is_for_hooks_alone(renderer: Renderer) -> None:
    text = "set s3_secret_access_key = '{{ env_var('MY_API_KEY') }}'"
    assert SECRET in renderer.render_expression(text, "on_run_start", secrets=True).sql
    for call in (
        lambda: renderer.render_model("models/m.sql", text, name="m"),
        lambda: renderer.render_expression(text, "--inline"),
    ):
        with pytest.raises(ProjectError, match="is a secret, by its name"):
            call()
    assert renderer.render_expression("{{ env_var('HOME') }}", "x").sql == "/home"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", True), ("OPENAI_API_KEY", True), ("HF_TOKEN", True), ("PGPASSWORD", True), ("DB_PASSWORD", True),
        ("DBT_ENV_SECRET_GIT", True), ("my_api_key", True), ("APIKEY", True), ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("HOME", False), ("PARTITION_KEY", False), ("TOKENIZER_DIR", False), ("SECRETARY", False), ("SORT_KEY", False),
    ],
)  # fmt: skip
def test_what_is_a_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_a_secret_reaches_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    monkeypatch.setenv("SHOP_TOKEN", "1")  # too short to be one, and everywhere
    error = LlmI2iError(
        f"what {SECRET}", where=f"where {SECRET}", found=f"found {SECRET} 1", fix=f"fix {SECRET}"
    )
    for text in (str(error), repr(error.args), error.what, error.where, error.found, error.fix):
        assert SECRET not in text
    assert error.found == "found *** 1"
    assert hide_secrets("a-b-c", {"X_TOKEN": "a-b-c-d"}) == "a-b-c"
    assert hide_secrets("12345678", {"X_TOKEN": "123456", "Y_TOKEN": "12345678"}) == "***"
