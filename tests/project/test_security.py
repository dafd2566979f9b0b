"""Nothing let in, nothing let out: names that lead elsewhere, secrets, folders of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

SECRET = "k-3141592653/+"


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def with_hook(shop: ShopProject, hook: str) -> None:
    shop.replace("project/project.yml", "target: dev\n", f'on_run_end: ["{hook}"]\ntarget: dev\n')


def test_a_secret_of_a_hook_is_used_and_kept_nowhere(
    shop: ShopProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    out = tmp_path / "given.csv"
    with_hook(shop, f"copy (select '{{{{ env_var('SHOP_API_KEY') }}}}' as k) to '{out}'")
    assert Project.load(shop.dir).build().success
    assert SECRET in out.read_text()
    assert SECRET.encode() not in everything_in(shop.dir / "target")


@pytest.mark.parametrize(
    ("hook", "what"),
    [
        ("select * from gone where k = '{{ env_var('SHOP_API_KEY') }}'", "a hook failed"),
        ("create table x as select '{{ env_var('SHOP_API_KEY') }}'", "a hook may not do this"),
        ("selec '{{ env_var('SHOP_API_KEY') }}'", "a hook is no SQL"),
    ],
)
def test_a_hook_that_fails_does_not_tell_its_secret(
    shop: ShopProject, monkeypatch: pytest.MonkeyPatch, hook: str, what: str
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    with_hook(shop, hook)
    with pytest.raises(LlmI2iError, match=what) as caught:
        Project.load(shop.dir).build()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.args)
    assert SECRET.encode() not in everything_in(shop.dir / "target")


def test_a_udf_that_tells_a_secret_is_not_repeated(
    shop: ShopProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    raising = "import os; raise ValueError('refused ' + os.environ['SHOP_TOKEN'])\n    return [int("
    shop.replace("udfs/functions.py", "return [int(", raising)
    done = shop.run("build", "--log-format", "json")
    assert "refused ***" in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert SECRET.encode() not in everything_in(shop.dir / "target")


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "", ".", "..", "x\x00", "/etc", 'a"b', "a'b", "x" * 300, "Memory", "temp", "system"])  # fmt: skip
def test_an_environment_is_called_by_a_name(shop: ShopProject, name: str) -> None:
    project = Project.load(shop.dir)
    for act in (
        lambda: Project.load(shop.dir, env=name),
        lambda: project.promote("dev", name),
        lambda: project.promote(name, "prod"),
        lambda: project.rollback(name),
        lambda: project.diff("dev", name),
        lambda: project.export("kept", shop.dir / "x.csv", env=name),
    ):
        with pytest.raises(ProjectError, match="environment"):
            act()


def test_paths_of_a_project_stay_inside(shop: ShopProject) -> None:
    for key in (
        "model_paths",
        "udf_paths",
        "macro_paths",
        "prompt_paths",
        "seed_paths",
        "test_paths",
    ):
        for path in ("../other", "/etc", "models/../../x"):
            shop.write("project/project.yml", f"name: shop\n{key}: ['{path}']\n")
            with pytest.raises(LlmI2iError, match="leaves the project"):
                Project.load(shop.dir)


def test_refs_and_prompts_are_names_not_paths(shop: ShopProject) -> None:
    project = Project.load(shop.dir)
    for text in (
        "{{ prompt('../project') }}",
        "{{ prompt('/etc/passwd') }}",
        "{{ language_model('../x') }}",
        "{% include '../project/project.yml' %}",
    ):
        with pytest.raises(ProjectError):
            project.render(text)
    shop.write("models/reads.sql", "select * from {{ ref('../data/log.csv') }}")
    with pytest.raises(ProjectError, match="does not name any model"):
        Project.load(shop.dir).compile()


def test_an_export_stays_out_of_the_results_and_is_no_way_to_read(
    shop: ShopProject, tmp_path: Path
) -> None:
    project = Project.load(shop.dir)
    assert project.build().success
    (shop.dir / "link").symlink_to(project.store.root)
    for file in ("target/x.csv", "target/store/kept/x.csv", "link/x.csv", "models/../target/x.csv"):
        with pytest.raises(ProjectError, match="folder of results"):
            project.export("kept", shop.dir / file)
    for table in ("../kept", 'kept" union select 1 --', "duckdb_settings()", "/etc/passwd", ""):
        with pytest.raises(ProjectError, match="has no table"):
            project.export(table, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("name", ['a"b é', "a'b; drop view kept; --", "select"])
def test_a_name_of_a_model_is_quoted_everywhere(shop: ShopProject, name: str) -> None:
    shop.write(f"models/{name}.sql", 'select 1 as "x""y; --"')
    quoted = name.replace("'", "\\'")
    shop.write("models/reader.sql", f"select * from {{{{ ref('{quoted}') }}}}")
    project = Project.load(shop.dir)
    assert project.build().success
    assert project.rows("from reader") == (['x"y; --'], [(1,)])
    assert project.export(name, shop.dir / "out.csv", force=True) == 1


def test_names_that_differ_in_letter_case_are_one(shop: ShopProject) -> None:
    shop.write("models/KEPT.sql", "select 1 as a")
    with pytest.raises(ProjectError, match="letter case does not count") as caught:
        Project.load(shop.dir).compile()
    assert "exists twice" in str(caught.value)


def test_a_build_removes_scratch_of_dead_processes_alone(shop: ShopProject) -> None:
    """--target-path may name a folder with a tmp of its own, such as /."""
    tmp = shop.dir / "target/tmp"
    for name in ("somebody", "4194305", str(os.getpid()), "12x", "notes.txt"):
        (tmp / name).mkdir(parents=True)
    assert Project.load(shop.dir).build().success
    assert {path.name for path in tmp.iterdir()} >= {"somebody", "12x", "notes.txt"}
    assert not (tmp / "4194305").exists()


def test_an_address_of_redis_that_is_wrong_does_not_tell_its_password() -> None:
    publish = pytest.importorskip("llm_i2i.serve.redis").publish
    pytest.importorskip("redis")
    for url in (
        f"redis://me:{SECRET}#x@host:6379",
        f"redis://:{SECRET}@127.0.0.1:1/0",
        "gopher://x:pw-31415@h",
    ):
        with pytest.raises(LlmI2iError) as caught:
            publish(None, url)  # type: ignore[arg-type]
        assert "3141" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "1", "null", "{", "", "[" * 100_000, "\ud800"])
def test_a_cache_that_is_none_costs_time_alone(tmp_path: Path, text: str) -> None:
    from llm_i2i.runner.base.sources import JsonCache

    (tmp_path / "cache.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    cache = JsonCache(tmp_path / "cache.json")
    assert cache.values == {}
    cache.values["a"] = 1
    cache.save()
    assert JsonCache(tmp_path / "cache.json").values == {"a": 1}
