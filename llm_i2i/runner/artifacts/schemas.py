"""JSON Schema of every YAML file of a project, for editors: emitted from the models that read the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_i2i.config.experiments import ExperimentsFile
from llm_i2i.config.loader import load_project_config
from llm_i2i.config.project import ProjectConfig, VarRule, find_project_file
from llm_i2i.config.properties import ModelConfig, PropertiesFile
from llm_i2i.store.files import replace_text

Schema = dict[str, Any]
FOLDER = ".llmi2i/schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VAR_LINE = re.compile(r"^  (?P<name>\w+):[^#]*#\s*(?P<meaning>.+)$", re.MULTILINE)
_JSON_TYPES = {"text": "string", "list": "array"}


def write_schemas(project_dir: Path, folder: Path | None = None) -> list[Path]:
    """Write the schemas of a project into a folder, `.llmi2i/schema` by default; the files written.

    Raises:
        ProjectError: project.yml has mistakes.
    """
    folder = folder or project_dir / FOLDER
    text = find_project_file(project_dir).read_text(encoding="utf-8")
    written = []
    for kind, schema in schemas(load_project_config(project_dir), text).items():
        written.append(folder / f"{kind}.json")
        replace_text(written[-1], json.dumps(schema, indent=1, ensure_ascii=False) + "\n")
    return written


def schemas(config: ProjectConfig, text: str = "") -> dict[str, Schema]:
    """Kind of file -> schema: `project`, `properties` (YAML below models/), `experiments`, and `vars` (a file for --vars).

    Args:
        text: Of project.yml; the comment behind a var becomes its description.
    """
    meanings = {match["name"]: match["meaning"].strip() for match in _VAR_LINE.finditer(text)}
    vars = vars_schema(config, meanings)
    found = {
        "project": _project_schema(),
        "properties": PropertiesFile.model_json_schema(),
        "experiments": ExperimentsFile.model_json_schema(),
    }
    return {kind: _finished(schema, vars) for kind, schema in found.items()} | {
        "vars": {"$schema": DIALECT, "title": "Vars of the project, as --vars takes them", **vars}
    }


def vars_schema(config: ProjectConfig, meanings: Mapping[str, str]) -> Schema:
    """What the project's vars may be, by their rules. Others are allowed: a var may be newer than the schema."""
    properties = {}
    for name, default in config.vars.items():
        rule = config.var_rules.get(name)
        properties[name] = {
            **({"description": meanings[name]} if name in meanings else {}),
            **(_rule_schema(rule) if rule else {}),
            "default": default,
        }
    return {"type": "object", "properties": properties}


def _rule_schema(rule: VarRule) -> Schema:
    if rule.values is not None and rule.type != "list":
        return {"enum": [*rule.values, *([None] if rule.nullable else [])]}
    found: Schema = {}
    if rule.type is not None:
        name = _JSON_TYPES.get(rule.type, rule.type)
        found["type"] = [name, "null"] if rule.nullable else name
    if rule.values is not None:
        found["items"] = {"enum": rule.values}
    limits = {"minimum": rule.min, "maximum": rule.max}
    return found | {key: limit for key, limit in limits.items() if limit is not None}


def _project_schema() -> Schema:
    from llm_i2i.lm.settings import LanguageModelSettings

    schema = ProjectConfig.model_json_schema()
    schema["properties"]["models"] = {"$ref": "#/$defs/Folder"}
    entry = _embedded(LanguageModelSettings.model_json_schema(), schema["$defs"])
    entry["properties"]["vars"] = {"type": "object", "title": "Vars"}
    schema["properties"]["language_models"]["additionalProperties"] = entry
    config = _embedded(ModelConfig.model_json_schema(), schema["$defs"])
    schema["$defs"]["Folder"] = {
        "type": "object",
        "description": "A folder below models/: '+key' sets a config of all models in it, another key is a folder in it.",
        "properties": {f"+{name}": value for name, value in config["properties"].items()},
        "patternProperties": {r"^[^+]": {"$ref": "#/$defs/Folder"}},
        "additionalProperties": False,
    }
    return schema


def _embedded(schema: Schema, definitions: Schema) -> Schema:
    """A schema whose own definitions have moved to `definitions`."""
    definitions.update(schema.pop("$defs", {}))
    return schema


def _finished(schema: Schema, vars: Schema) -> Schema:
    """With the rules of vars wherever vars are set, and keys without a value allowed, as the reader allows them."""
    for part in list(_objects(schema)):
        for name, value in part["properties"].items():
            if name == "vars" and value.get("type") == "object":
                part["properties"][name] = {"$ref": "#/$defs/Vars"}
                schema.setdefault("$defs", {})["Vars"] = vars
            elif isinstance(value.get("type"), str) and "enum" not in value:
                value["type"] = [value["type"], "null"]
    return {"$schema": DIALECT, **schema}


def _objects(schema: Any) -> Iterator[Schema]:
    """Every part of a schema that has properties."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)
