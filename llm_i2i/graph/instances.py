"""What YAML says of a model file that is several models, made to speak of each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from llm_i2i.config.loader import LoadedProject
from llm_i2i.config.properties import ColumnProperties, ModelConfig, ModelProperties
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import LlmI2iError

if TYPE_CHECKING:
    from llm_i2i.render.renderer import Renderer
    from llm_i2i.render.result import Instance, RenderedModel


@dataclass(frozen=True)
class ModelFile:
    """One model as its file gives it.

    Attributes:
        stem: Of the file; the name where the file is one model.
        path: Relative to the project.
    """

    name: str
    stem: str
    path: str
    package: str
    model: RenderedModel
    instance: Instance | None = None


def with_instance_properties(
    project: LoadedProject,
    files: Iterable[ModelFile],
    renderer: Renderer,
    errors: list[LlmI2iError],
) -> LoadedProject:
    """The project with an entry of its properties for each instance.

    An entry named after the file speaks of all its instances, one named after an instance of that alone, and wins.
    """
    instances = [file for file in files if file.instance is not None]
    if not instances:
        return project

    def expanded(part: LoadedProject) -> LoadedProject:
        models = dict(part.properties.models)
        own = [file for file in instances if file.package == part.config.name]
        for file in own:
            family, one = part.properties.models.get(file.stem), models.get(file.name)
            if file.stem == file.name:
                one = None
            try:
                found = _merged(file, family, one, renderer)
            except LlmI2iError as error:
                errors.append(error)
                continue
            if found is not None:
                models[file.name] = found
        for stem in {file.stem for file in own} - {file.name for file in own}:
            models.pop(stem, None)
        return part._replace(properties=replace(part.properties, models=models))

    packages = tuple(expanded(part) for part in project.packages)
    return expanded(project)._replace(packages=packages)


def instance_layers(file: ModelFile) -> list[ModelConfig]:
    """What a value set says of the config: its tags."""
    tags = file.instance.values.get("tags") if file.instance else None
    return [ModelConfig(tags=list(tags))] if tags else []


def _merged(
    file: ModelFile,
    family: ModelProperties | None,
    own: ModelProperties | None,
    renderer: Renderer,
) -> ModelProperties | None:
    assert file.instance is not None
    values = file.instance.values
    first = own or family
    if first is None and values.get("description"):
        first = ModelProperties(name=file.name)
        path, _, line = file.instance.where.rpartition(":")
        first._place = Place(path, int(line or 0), 1)
    if first is None:
        return None
    changes: dict[str, Any] = {"name": file.name}
    if own is not None and family is not None:
        changes |= {
            "columns": _columns_of_both(family, own),
            "data_tests": [*family.own_data_tests, *own.own_data_tests],
            "tests": [],
            "constraints": [*family.constraints, *own.constraints],
            "config": family.config.model_copy(
                update={key: getattr(own.config, key) for key in own.config.model_fields_set}
            ),
            "grain": own.grain or family.grain,
            "contract": own.contract or family.contract,
        }
        first = family
    text = (own.description if own else "") or (family.description if family else "")
    text = text or str(values.get("description") or "")
    changes["description"] = str(renderer.evaluated(text, first.location, values))
    columns = changes.get("columns", first.columns)
    changes["columns"] = [_described(column, renderer, values) for column in columns]
    # pydantic takes what is copied for given: a grain or contract that nobody wrote must not be.
    changes = {
        key: value for key, value in changes.items() if value or key in first.model_fields_set
    }
    return first.model_copy(update=changes)


def _columns_of_both(family: ModelProperties, own: ModelProperties) -> list[ColumnProperties]:
    """All columns; what an instance's entry says of one adds to what the file's says."""
    columns = {column.name: column for column in family.columns}
    for column in own.columns:
        first = columns.get(column.name)
        columns[column.name] = column if first is None else _column_of_both(first, column)
    return list(columns.values())


def _column_of_both(first: ColumnProperties, own: ColumnProperties) -> ColumnProperties:
    return first.model_copy(
        update={
            "description": own.description or first.description,
            "data_type": own.data_type or first.data_type,
            "data_tests": [*first.own_data_tests, *own.own_data_tests],
            "tests": [],
            "constraints": [*first.constraints, *own.constraints],
            "tags": list(dict.fromkeys([*first.tags, *own.tags])),
            "meta": {**first.meta, **own.meta},
        }
    )


def _described(
    column: ColumnProperties, renderer: Renderer, values: Mapping[str, Any]
) -> ColumnProperties:
    """A column whose description may name the values of an instance."""
    if "{" not in column.description:
        return column
    text = str(renderer.evaluated(column.description, column.location, values))
    return column.model_copy(update={"description": text})
