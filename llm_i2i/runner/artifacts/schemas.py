"""JSON Schema of every YAML file of a project, for editors: emitted from the models that read the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_i2i.config.experiments import ExperimentsFile
from llm_i2i.config.loader import load_project
from llm_i2i.config.parts import PartFile
from llm_i2i.config.project import ProjectConfig
from llm_i2i.config.properties import ModelConfig, PropertiesFile
from llm_i2i.config.report import ReportFile
from llm_i2i.config.vars import VarDeclaration, Vars, VarSettings
from llm_i2i.store.files import replace_text

Schema = dict[str, Any]
FOLDER = ".llmi2i/schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_JSON_TYPES = {
    "text": ("string",),
    "list": ("array",),
    "mapping": ("object",),
    "place": ("string", "object"),
}


def write_schemas(project_dir: Path, folder: Path | None = None) -> list[Path]:
    """Write the schemas of a project into a folder, `.llmi2i/schema` by default; the files written.

    Raises:
        ProjectError: project.yml has mistakes.
    """
    folder = folder or project_dir / FOLDER
    written = []
    for kind, schema in schemas(load_project(project_dir).var_settings).items():
        written.append(folder / f"{kind}.json")
        replace_text(written[-1], json.dumps(schema, indent=1, ensure_ascii=False) + "\n")
    return written


def schemas(settings: VarSettings) -> dict[str, Schema]:
    """Kind of file -> schema: `project`, `properties` and `part` (YAML below models/), `experiments`, `report`, and `vars` (a file for --vars)."""
    vars = vars_schema(settings)
    found = {
        "project": _project_schema(),
        "properties": PropertiesFile.model_json_schema(),
        "part": PartFile.model_json_schema(),
        "experiments": ExperimentsFile.model_json_schema(),
        "report": ReportFile.model_json_schema(),
    }
    finished = {
        # part.yml declares vars, the others give their values.
        kind: _finished(schema, None if kind == "part" else vars)
        for kind, schema in found.items()
    }
    return finished | {
        "vars": {"$schema": DIALECT, "title": "Vars of the project, as --vars takes them", **vars}
    }


def vars_schema(settings: VarSettings) -> Schema:
    """What the project's vars may be, as they are declared. Others are allowed: a var may be newer than the schema."""
    values = Vars(settings)
    properties = {}
    for name in settings.known:
        declared = settings.declared.get(name)
        names = settings.names.get(declared.values_of or "", []) if declared else []
        properties[name] = {
            **({"description": declared.help} if declared and declared.help else {}),
            **(_declared_schema(declared, names) if declared else {}),
            "default": values[name],
        }
    return {"type": "object", "properties": properties}


def _declared_schema(declared: VarDeclaration, names: list[str]) -> Schema:
    # null leaves the value to a preset.
    nullable = declared.nullable or bool(declared.preset)
    values = [*(declared.values or []), *names] if declared.values or declared.values_of else None
    if values is not None and declared.kind != "list":
        return {"enum": [*values, *([None] if nullable else [])]}
    found: Schema = {}
    if declared.kind != "any":
        known = _JSON_TYPES.get(declared.kind, (declared.kind,))
        types = [*known, *(["null"] if nullable else [])]
        found["type"] = types if len(types) > 1 else types[0]
    if values is not None:
        found["items"] = {"enum": values}
    limits = {"minimum": declared.min, "maximum": declared.max}
    return found | {key: limit for key, limit in limits.items() if limit is not None}


def _project_schema() -> Schema:
    schema = ProjectConfig.model_json_schema()
    schema["properties"]["models"] = {"$ref": "#/$defs/Folder"}
    entry = _language_model_schema(schema["$defs"])
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


NEEDS = {
    "type": "object",
    "title": "Needs",
    "description": "What training asks of a machine, and its weights of a download; `llmi2i debug` compares.",
    "properties": {
        "gpu_gb": {"type": "number"},
        "memory_gb": {"type": "number"},
        "download_gb": {"type": "number"},
        "licence": {"type": "string"},
    },
    "additionalProperties": False,
}


def _language_model_schema(definitions: Schema) -> Schema:
    """An entry of `language_models`, of the kind that `pretrained` says.

    By if, then and else, not by anyOf: an editor then underlines the key that is wrong, not the whole entry.
    """
    from llm_i2i.lm.settings import FromSizesSettings, PretrainedSettings

    from_sizes = _embedded(FromSizesSettings.model_json_schema(), definitions)
    pretrained = _embedded(PretrainedSettings.model_json_schema(), definitions)
    for entry in (from_sizes, pretrained):
        entry["properties"]["vars"] = {"type": "object", "title": "Vars"}
    pretrained["properties"]["needs"] = NEEDS
    has_pretrained = {
        "required": ["pretrained"],
        "properties": {"pretrained": {"not": {"type": "null"}}},
    }
    return {"if": has_pretrained, "then": pretrained, "else": from_sizes}


def _embedded(schema: Schema, definitions: Schema) -> Schema:
    """A schema whose own definitions have moved to `definitions`."""
    definitions.update(schema.pop("$defs", {}))
    return schema


def _finished(schema: Schema, vars: Schema | None) -> Schema:
    """With the rules of vars wherever vars are set, and keys without a value allowed, as the reader allows them."""
    for part in list(_objects(schema)):
        for name, value in part["properties"].items():
            kind = value.get("type")
            if vars is not None and name == "vars" and kind == "object":
                part["properties"][name] = {"$ref": "#/$defs/Vars"}
                schema.setdefault("$defs", {})["Vars"] = vars
            elif isinstance(kind, str) and kind != "null" and "enum" not in value:
                value["type"] = [kind, "null"]
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
