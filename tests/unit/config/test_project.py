from __future__ import annotations

import json
import subprocess
import sys

import pytest

from llm_i2i.config import project
from llm_i2i.config.loader import find_project_file, load_project, load_project_config
from llm_i2i.config.project import parse_vars_argument
from llm_i2i.config.vars import VarSettings, merge_vars
from llm_i2i.errors import ProjectError, ProjectErrors


def load(tmp_path, text):
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "project/project.yml").write_text(text)
    return load_project_config(tmp_path)


def settings(tmp_path, text) -> VarSettings:
    load(tmp_path, text)
    return load_project(tmp_path).var_settings


def failures(action, *arguments):
    with pytest.raises(ProjectError) as caught:
        action(*arguments)
    error = caught.value
    return error.errors if isinstance(error, ProjectErrors) else [error]


def failure(action, *arguments):
    found = failures(action, *arguments)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def test_defaults(tmp_path):
    config = load(tmp_path, "name: demo")
    assert config.model_paths == ["models"]
    assert config.macro_paths == ["project/macros"]
    assert config.udf_paths == ["udfs"]
    assert config.prompt_paths == ["project/prompts"]
    assert config.target_path == "target"
    assert config.default_target == "dev"
    assert config.target_settings().type == "duckdb"
    assert config.vars == {}


FULL = """
name: demo
version: 1.0
model_paths: models
vars: {alpha: 4.0, learning_rate: 5e-5, paths: [a, b]}
target: big
targets:
  small: {type: duckdb, threads: 2}
  big: {type: duckdb, memory_limit: 60GB, temp_directory: /tmp/spill}
language_models:
  small: {architecture: llama, layers: 4}
models:
  +tags: everything
  staging:
    +materialized: view
    +tags: [staging]
    logs: {+enabled: false}
  demo:
    index: {+materialized: ephemeral}
"""


def test_a_full_file(tmp_path):
    config = load(tmp_path, FULL)
    assert config.version == "1.0"
    assert config.vars["learning_rate"] == 5e-5
    assert config.target_settings().memory_limit == "60GB"
    assert config.target_settings("small").threads == 2
    assert config.language_models == {"small": {"architecture": "llama", "layers": 4}}
    assert config.location == "project/project.yml:2"
    json.dumps(config.vars)


@pytest.mark.parametrize(
    ("folder", "materialized", "tags", "enabled"),
    [
        ((), "table", ["everything"], True),
        (("staging",), "view", ["everything", "staging"], True),
        (("staging", "logs"), "view", ["everything", "staging"], False),
        (("staging", "other"), "view", ["everything", "staging"], True),
        (("index",), "ephemeral", ["everything"], True),
    ],
)
def test_folder_layers(tmp_path, folder, materialized, tags, enabled):
    from llm_i2i.config.properties import merge_model_config

    merged = merge_model_config(load(tmp_path, FULL).folder_layers(folder))
    assert (merged.materialized, merged.tags, merged.enabled) == (materialized, tags, enabled)


@pytest.mark.parametrize(
    ("text", "what", "where", "found", "fix"),
    [
        ("", "the project file must be a mapping", "1:1", "nothing", "name"),
        ("version: 1", "missing key 'name'", "1:1", "version", "name:"),
        ("name: 1a", "'name' is not an identifier", "1:7", "'1a'", "letters"),
        ("name: a\ntargt: dev", "unknown key 'targt'", "2:1", "target", "did you mean 'target'?"),
        ("name: a\nmodel-paths: [x]", "unknown key 'model-paths'", "2:1", "", "write model_paths"),
        ("name: a\nprofile: x", "unknown key 'profile'", "2:1", "", "targets:"),
        (
            "name: a\nmodel_paths: [../x]",
            "'model_paths[0]' leaves the project",
            "2:15",
            "../x",
            "relative",
        ),
        ("name: a\nmodel_paths: [/x]", "leaves the project", "2:15", "/x", "relative"),
        ("name: a\nvars: [x]", "'vars' must be a mapping", "2:7", "a list of 1", "mapping"),
        ("name: a\nversion: [x]", "'version' must be text", "2:10", "a list of 1", "text"),
        (
            "name: a\nlanguage_models: {s: x}",
            "'language_models.s' must be",
            "2:22",
            "'x'",
            "mapping",
        ),
        (
            "name: a\ntarget: prod",
            "target 'prod' is not defined",
            "2:9",
            "targets: dev",
            "targets:",
        ),
        (
            "name: a\ntarget: dve",
            "target 'dve' is not defined",
            "2:9",
            "targets: dev",
            "did you mean 'dev'?",
        ),
        ("name: a\ntargets: {}", "targets: is empty", "2:10", "no target", "type: duckdb"),
        (
            "name: a\ntargets: {d: {type: sparc}}",
            "'targets.d.type' must be 'duckdb' or 'spark'",
            "2:21",
            "'sparc'",
            "did you mean 'spark'?",
        ),
        ("name: a\ntargets: {d: {type: spark}}", "missing key 'url'", "2:14", "type", "url:"),
        (
            "name: a\ntargets: {d: {type: spark, url: localhost}}",
            "'targets.d.url' is not an address of Spark Connect",
            "2:33",
            "'localhost'",
            "sc://",
        ),
        (
            "name: a\ntargets: {d: {type: spark, url: sc://a, host: b}}",
            "unknown key 'host' in a spark target",
            "2:41",
            "",
            "sc://host:port",
        ),
        ("name: a\ntargets: {d: {threads: 1}}", "missing key 'type'", "2:14", "threads", "type:"),
        (
            "name: a\ntargets: {d: {type: duckdb, threads: 0}}",
            "must be greater than or equal to 1",
            "2:38",
            "0",
            "correct",
        ),
        (
            "name: a\ntargets: {d: {type: duckdb, threads: '4'}}",
            "must be a whole number",
            "2:38",
            "'4' (text)",
            "without quotes",
        ),
        (
            "name: a\ntargets: {d: {type: duckdb, memory_limit: 4X}}",
            "'targets.d.memory_limit' is not a size",
            "2:43",
            "'4X'",
            "8GB",
        ),
        (
            "name: a\ntargets: {d: {type: duckdb, path: x}}",
            "unknown key 'path' in a duckdb target",
            "2:29",
            "",
            "store",
        ),
        (
            "name: a\nmodels: {s: {+materialised: view}}",
            "unknown key 'materialised' in a model's config",
            "2:14",
            "",
            "'materialized'",
        ),
        (
            "name: a\nmodels: {s: {+materialized: veiw}}",
            "'materialized' must be",
            "2:29",
            "'veiw'",
            "'view'",
        ),
        (
            "name: a\nmodels: {s: {materialized: view}}",
            "'materialized' under models: is neither a folder nor a config",
            "2:28",
            "'view'",
            "write '+materialized'",
        ),
        ("name: a\nmodels: {s: 3}", "'s' under models:", "2:13", "3", "+materialized: view"),
        ("name: a\nmodels: x", "'models' must be a mapping", "2:9", "'x'", "mapping"),
    ],
)
def test_errors(tmp_path, text, what, where, found, fix):
    error = failure(load, tmp_path, text)
    assert what in error.what
    assert error.where == f"project/project.yml:{where}"
    assert found in error.found
    assert fix in error.fix


def test_unknown_target_on_the_command_line(tmp_path):
    error = failure(load(tmp_path, FULL).target_settings, "bgi")
    assert error.what == "target 'bgi' is not defined"
    assert error.where == "project/project.yml"
    assert error.found == "targets: small, big"
    assert error.fix == "did you mean 'big'?"


def test_project_file_at_the_root(tmp_path):
    (tmp_path / "project.yml").write_text("name: a")
    assert find_project_file(tmp_path) == tmp_path / "project.yml"
    loaded = load_project(tmp_path)
    assert loaded.root == tmp_path
    assert loaded.config.location == "project.yml:1"


def test_no_project_file(tmp_path):
    error = failure(find_project_file, tmp_path)
    assert error.what == "this is not a project: there is no project.yml"
    assert error.where == str(tmp_path)
    assert "project/project.yml" in error.found
    assert "llmi2i init" in error.fix


def test_no_project_file_here_but_above(tmp_path):
    (tmp_path / "project.yml").write_text("name: a")
    (tmp_path / "models").mkdir()
    assert failure(find_project_file, tmp_path / "models").fix == f"pass --project-dir {tmp_path}"


def test_two_project_files(tmp_path):
    load(tmp_path, "name: a")
    (tmp_path / "project.yml").write_text("name: a")
    error = failure(find_project_file, tmp_path)
    assert error.what == "there are two project files"
    assert error.fix == "keep project/project.yml"


def test_mistakes_of_project_and_properties_come_together(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: a\ntargt: x\n")
    (tmp_path / "models/x.yml").write_text("modles: []")
    found = failures(load_project, tmp_path)
    assert [error.where for error in found] == ["models/x.yml:1:1", "project.yml:2:1"]


def test_a_syntax_error_is_reported_alone(tmp_path):
    assert "not valid YAML" in failure(load, tmp_path, "name: a: b").what


# -- vars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: 1, b: x}", {"a": 1, "b": "x"}),
        ('{"a": [1, 2]}', {"a": [1, 2]}),
        ("a: 1e-3", {"a": 1e-3}),
        ("", {}),
        ("{}", {}),
    ],
)
def test_vars_argument(text, value):
    assert parse_vars_argument(text) == value


@pytest.mark.parametrize(
    ("text", "what", "found"),
    [
        ("[1]", "--vars must be a YAML mapping", "a list of 1"),
        ("x", "--vars must be a YAML mapping", "'x' (text)"),
        ("{a:1}", "--vars needs a space after each colon", "a:1"),
        ("{a: ", "not valid YAML", "end of file"),
        ("{a: 1, a: 2}", "key 'a' is given twice", "first given"),
    ],
)
def test_vars_argument_errors(text, what, found):
    error = failure(parse_vars_argument, text)
    assert what in error.what
    assert error.where.startswith("--vars")
    assert found in error.found
    assert error.fix


def test_vars_of_the_command_line_win(tmp_path):
    assert merge_vars(settings(tmp_path, FULL), {"alpha": 1.0})["alpha"] == 1.0
    assert load(tmp_path, FULL).vars["alpha"] == 4.0


BROUGHT = """
name: demo
vars: {language_model: small, item_ids: token, alpha: 4.0}
language_models:
  small: {architecture: llama}
  large: {pretrained: somewhere, vars: {item_ids: text, alpha: 2.0}}
"""


def test_a_language_model_brings_its_vars(tmp_path):
    found = settings(tmp_path, BROUGHT)
    assert merge_vars(found, {})["item_ids"] == "token"
    merged = merge_vars(found, {"language_model": "large", "alpha": 1.0})
    assert (merged["item_ids"], merged["alpha"]) == ("text", 1.0)


def test_what_a_language_model_may_bring(tmp_path):
    wrong = BROUGHT + "  odd: {vars: {itemids: text}}\n  wrong: {vars: text}\n"
    found = settings(tmp_path, wrong)
    error = failure(merge_vars, found, {"language_model": "odd"})
    assert error.what == "var 'itemids' is not declared"
    assert error.where == "project/project.yml: language_models.odd.vars"
    other = failure(merge_vars, found, {"language_model": "wrong"})
    assert "mapping" in other.what
    assert other.fix == "write vars: {NAME: value}"


def test_unknown_vars_of_the_command_line(tmp_path):
    first, second = failures(merge_vars, settings(tmp_path, FULL), {"alhpa": 1, "zz": 2})
    assert first.what == "var 'alhpa' is not declared"
    assert first.where == "--vars"
    assert first.found == "3 vars, closest 'alpha'"
    assert first.fix == "declare it under declare: in project/project.yml"
    assert second.found == "3 vars"


def test_json_schema():
    schema = project.json_schema()
    assert schema["required"] == ["name"]
    kinds = schema["properties"]["targets"]["additionalProperties"]["discriminator"]["mapping"]
    assert set(kinds) == {"duckdb", "spark"}


def test_imports_stay_light():
    code = "import sys, llm_i2i.config.loader; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"rich", "duckdb", "sqlglot", "jinja2", "click", "numpy"} & set(modules)
