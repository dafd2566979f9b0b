from __future__ import annotations

import pytest

from llm_i2i.config.loader import load_yaml
from llm_i2i.config.yaml_text import Place, YamlList, YamlMapping, plain
from llm_i2i.errors import ProjectError, ProjectErrors


def write(tmp_path, text):
    path = tmp_path / "x.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(tmp_path, text):
    return load_yaml(write(tmp_path, text), file="x.yml")


def failure(tmp_path, text):
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, text)
    return caught.value


def test_places_of_keys_values_and_items(tmp_path):
    document = load(tmp_path, "models:\n  - name: a\n    tags: [x, y]\n")
    assert isinstance(document, YamlMapping)
    assert document.keys_at["models"] == Place("x.yml", 1, 1)
    models = document["models"]
    assert isinstance(models, YamlList)
    assert models.items_at == [Place("x.yml", 2, 5)]
    assert models[0].values_at["tags"] == Place("x.yml", 3, 11)
    assert models[0]["tags"].items_at == [Place("x.yml", 3, 12), Place("x.yml", 3, 15)]
    assert str(models[0].place) == "x.yml:2:5"
    assert models[0].place.line_only == "x.yml:2"


def test_plain_values_are_ordinary_containers(tmp_path):
    value = plain(load(tmp_path, "a: [{b: 1}]"))
    assert value == {"a": [{"b": 1}]}
    assert type(value) is dict
    assert type(value["a"]) is list


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-5", 5e-5),
        ("1.5E+3", 1500.0),
        ("'5e-5'", "5e-5"),
        ("2024-01-31", "2024-01-31"),
        ("12:30", "12:30"),
        ("1:30:00.5", "1:30:00.5"),
        ("3", 3),
        ("0.5", 0.5),
        ("yes", True),
        ("~", None),
        ("", None),
        ("text", "text"),
        ("'1'", "1"),
    ],
)
def test_scalars(tmp_path, text, value):
    assert load(tmp_path, f"a: {text}")["a"] == value
    assert type(load(tmp_path, f"a: {text}")["a"]) is type(value)


def test_anchors_and_merge_keys(tmp_path):
    document = load(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}\n")
    assert document["b"] == {"x": 1, "y": 3}
    assert document["c"] == {"x": 1, "y": 2, "z": 4}
    assert document["b"].keys_at["x"].line == 1


def test_aliases_of_aliases_may_not_explode(tmp_path):
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    error = failure(tmp_path, "\n".join(lines))
    assert error.errors[0].what == "aliases make this too large"
    assert error.errors[0].where.startswith("x.yml:6:")
    assert len(error.errors) < 10


def test_empty_file_is_none(tmp_path):
    assert load(tmp_path, "") is None
    assert load(tmp_path, "# only a comment\n") is None


def test_byte_order_mark_is_skipped(tmp_path):
    assert load(tmp_path, b"\xef\xbb\xbfa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "what", "where", "found", "fix"),
    [
        (
            "a: 1\nb: 2\na: 3",
            "key 'a' is given twice",
            "x.yml:3:1",
            "first given at x.yml:1",
            "keep one",
        ),
        ("a:\n\t- b", "cannot start any token", "x.yml:2:1", "- b", "spaces"),
        ("a: b: c", "mapping values are not allowed", "x.yml:1:5", "a: b: c", "quote the text"),
        ("a: {{ var('x') }}", "a key must be plain text", "x.yml:1:5", "mapping", 'path: "{{ var'),
        ("[1, 2]: a", "a key must be plain text", "x.yml:1:1", "a list", "key: value"),
        ("a: 1\n---\nb: 2", "another document", "x.yml:2:1", "---", "remove the '---' line"),
        ("a: 'x", "unexpected end of stream", "x.yml:1:", "", "check the indentation"),
        ("a: @x", "cannot start any token", "x.yml:1:4", "a: @x", "quote the value"),
        ("a: !!python/object:os.system x", "YAML tags", "x.yml:1:4", "!!python", "remove the tag"),
        ("a: !mine {b: 1}", "YAML tags", "x.yml:1:4", "!mine", "remove the tag"),
        ("a: &a [*a]", "contains itself", "x.yml:1:4", "", "write the values out"),
        ("a: {<<: 1}", "merges mappings only", "x.yml:1:9", "1", "<<: *name"),
        (b"a: \xff", "not UTF-8", "x.yml", "invalid start byte", "UTF-8"),
        ("a: \x01", "not valid YAML", "x.yml", "", "unusual character"),
        ("a: " + "[" * 3000 + "]" * 3000, "", "x.yml", "", ""),
    ],
)
def test_errors(tmp_path, text, what, where, found, fix):
    error = failure(tmp_path, text)
    assert what in error.what
    assert error.where.startswith(where)
    assert found in error.found
    assert fix in error.fix


def test_all_mistakes_of_a_file_come_together(tmp_path):
    error = failure(tmp_path, "a: 1\na: 2\nb: 1\nb: 2\n")
    assert isinstance(error, ProjectErrors)
    assert [one.where for one in error.errors] == ["x.yml:2:1", "x.yml:4:1"]


def test_missing_file(tmp_path):
    with pytest.raises(ProjectError) as caught:
        load_yaml(tmp_path / "none.yml")
    assert caught.value.what == "cannot read the file"
    assert caught.value.where.endswith("none.yml")
    assert "exists" in caught.value.fix
