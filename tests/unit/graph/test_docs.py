"""The YAML of project/docs/graph.md is YAML that the project reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_i2i.config.base import validate
from llm_i2i.config.packages import PackagesFile
from llm_i2i.config.project import ProjectConfig
from llm_i2i.config.properties import PropertiesFile
from llm_i2i.config.selectors import SelectorsFile
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, parse_yaml
from llm_i2i.graph.criteria import parse_definition, parse_words

TEXT = (Path(__file__).parents[3] / "project/docs/graph.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
KINDS = {
    "selectors": SelectorsFile,
    "packages": PackagesFile,
    "sources": PropertiesFile,
    "exposures": PropertiesFile,
}


def test_there_are_examples():
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("text", BLOCKS, ids=lambda text: text.split(":")[0])
def test_examples_of_yaml(text):
    mistakes = Mistakes()
    document = parse_yaml(text, "graph.md", mistakes)
    (key,) = document
    kind = KINDS.get(key)
    if kind is None:  # models: a list in a properties file, a tree of folders in project.yml
        kind = ProjectConfig if isinstance(document[key], YamlMapping) else PropertiesFile
    if kind is ProjectConfig:
        document = parse_yaml(f"name: x\n{text}", "graph.md", mistakes)
    parsed = validate(kind, document, mistakes, place=Place("graph.md"))
    for selector in getattr(parsed, "selectors", []):
        assert parse_definition(selector.definition, selector.definition_place, mistakes)
    assert [str(mistake) for mistake in mistakes.in_order()] == []


def test_examples_of_selections():
    lines = re.findall(
        r"^llmi2i \w+ +-s (.+?)(?: --(?:state|exclude).*?)?(?:  +#.*)?$", TEXT, re.MULTILINE
    )
    assert len(lines) >= 7
    for line in lines:
        assert parse_words([line]).parts
