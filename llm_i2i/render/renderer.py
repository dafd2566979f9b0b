"""Renders models, data tests and expressions of a project."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_i2i.config.parts import Entry
from llm_i2i.config.vars import Vars
from llm_i2i.errors import ProjectError, closest
from llm_i2i.render.cache import RenderCache
from llm_i2i.render.columns import ModelText
from llm_i2i.render.context import Rendering, RenderInputs, is_template
from llm_i2i.render.environment import (
    INSTANCES,
    TEST_PREFIX,
    Macro,
    MacroLibrary,
    compile_expression,
    compile_template,
)
from llm_i2i.render.instances import read_instances
from llm_i2i.render.lines import LineMap, take_marks
from llm_i2i.render.prompts import find_prompts
from llm_i2i.render.relations import Reference, SourceReference
from llm_i2i.render.result import Instance, RenderedModel

_CALL = re.compile(r"\s*(ref|source)\s*\(")
_STRING = r"""\s*(?:'[^',\\]*'|"[^",\\]*")\s*"""
_PLAIN_CALL = re.compile(rf"\s*(ref|source)\(({_STRING}(?:,{_STRING})?)\)\s*")


class Renderer:
    """Renders templates with the vars, macros and prompts of one project and target."""

    def __init__(
        self,
        *,
        vars: Mapping[str, Any],
        language_models: Mapping[str, Mapping[str, Any]] | None = None,
        weights: Mapping[str, str] | None = None,
        macros: MacroLibrary | None = None,
        prompts: Mapping[str, Path] | Path | None = None,
        env: Mapping[str, str] | None = None,
        target: Mapping[str, Any] | None = None,
        root: Path | None = None,
        packages: Mapping[str, MacroLibrary] | None = None,
        lists: Mapping[str, tuple[Entry, ...]] | None = None,
        cache: RenderCache | None = None,
    ) -> None:
        """Take what templates may read.

        Args:
            weights: Names of pretrained models and tokenizers -> digest of their files.
            prompts: Files by name, or a folder of them.
            env: Environment variables that env_var() may read.
            target: `name`, `type` and settings of the target.
            root: The project's folder; messages name files relative to it.
            packages: Name of the project and of each package -> its macros, for `package.macro()`.
            lists: What entries() gives, by name.
            cache: What earlier invocations rendered.
        """
        self._cache = cache or RenderCache()
        self._inputs = RenderInputs(
            vars=vars,
            language_models=language_models or {},
            weights=weights or {},
            macros=macros or MacroLibrary.load(),
            prompts=find_prompts([prompts]) if isinstance(prompts, Path) else prompts or {},
            env=env or {},
            target=target or {},
            root=root,
            packages=packages or {},
            lists=lists or {},
        )

    def overridden(
        self,
        vars: Mapping[str, Any],
        macros: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Renderer:
        """The same renderer with other values of some vars and environment variables, and macros that give a fixed value."""
        inputs = self._inputs
        other = copy.copy(self)
        other._cache = RenderCache()
        other._inputs = replace(
            inputs,
            vars=inputs.vars.over(vars)
            if isinstance(inputs.vars, Vars)
            else {**inputs.vars, **vars},
            env={**inputs.env, **(env or {})},
            macro_values=macros or {},
        )
        return other

    @property
    def macros(self) -> MacroLibrary:
        """All macros, data tests included."""
        return self._inputs.macros

    def names(self, model: str) -> dict[str, Any]:
        """Everything that a model's template can name, for tools that render by themselves."""
        return Rendering(self._inputs, name=model).names

    def instances(self, path: str, text: str, *, name: str) -> list[Instance] | None:
        """The models that a file declares by instances(), in its order; None where it is one model of the file's name.

        Args:
            path: The model's file, as messages name it.
            name: Its stem.

        Raises:
            ProjectError: The declaration is not valid, or gives two models one name.
        """
        if INSTANCES not in text:
            return None
        key = [self._inputs.digest, INSTANCES, path, name, text]
        return self._cache.instances(key, lambda: read_instances(self._inputs, path, text, name))

    def entries(self, name: str) -> list[Entry]:
        """The entries of a list of the project, their Jinja evaluated; none where there is no such list."""
        rendering = Rendering(self._inputs, name="")
        return rendering.entries(name) if name in self._inputs.lists else []

    def _is_current(self, asked: Mapping[str, str]) -> bool:
        """Whether the models whose columns a kept rendering asked for are as they were."""
        models = self._inputs.models
        return all(name in models and models[name].digest == was for name, was in asked.items())

    def know(self, models: Mapping[str, ModelText]) -> None:
        """Take the models whose columns others may ask for."""
        self._inputs.models.update(models)
        self._inputs.known_columns.clear()

    def evaluated(self, value: Any, where: str, values: Mapping[str, Any] | None = None) -> Any:
        """A value of a YAML file with its Jinja evaluated; `{{ ... }}` alone keeps its type."""
        if not isinstance(value, (list, dict)) and not is_template(value):
            return value

        def evaluate() -> tuple[Any, bool]:
            rendering = Rendering(self._inputs, name="", values=values)
            rendering.location = where
            return rendering.evaluated(value), rendering.is_repeatable

        return self._cache.value([self._inputs.digest, "value", value, values or {}], evaluate)

    def render_model(
        self, path: Path | str, text: str, *, name: str, instance: Instance | None = None
    ) -> RenderedModel:
        """The SQL of a model.

        Args:
            path: The model's file; messages name it relative to `root`.
            name: The model's name, for `this`.
            instance: The one of the file's instances that it is.

        Raises:
            ProjectError: The template is not valid, or fails; placed in its file or a macro's.
        """
        file = self._inputs.shown(path) if isinstance(path, Path) else path

        def render() -> tuple[RenderedModel, bool]:
            values = instance.values if instance else {}
            rendering = Rendering(self._inputs, name=name, text=text, values=values)
            rendering.vars |= instance.reads if instance else {}
            sql, line_map = take_marks(rendering.run(compile_template(text, file, marked=True)))
            return _result(rendering, sql, line_map), rendering.is_repeatable

        key = [self._inputs.digest, "model", file, name, text]
        made_of = [*key, instance.values] if instance else key
        return self._cache.rendered(made_of, render, self._is_current)

    def render_expression(
        self,
        text: str,
        where: str,
        *,
        name: str = "",
        secrets: bool = False,
        values: Mapping[str, Any] | None = None,
    ) -> RenderedModel:
        """Text of a YAML file with its Jinja evaluated, in `sql`; lines of refs are 0.

        Args:
            where: Where the text is written, for messages.
            name: The model's name, for `this`.
            secrets: Whether env_var() may read secret variables: what comes of it must not be kept or shown.
            values: Of the model's instance.
        """
        rendering = Rendering(self._inputs, name=name, values=values)
        rendering.location = where
        rendering.may_read_secrets = secrets
        return _result(rendering, self._text(rendering, text), LineMap())

    def render_data_test(
        self,
        test: str,
        model_name: str,
        column: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        condition: str | None = None,
        location: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> RenderedModel:
        """The select of a data test: it returns the rows that fail.

        Args:
            test: Its name, as in YAML.
            model_name: The tested model, or "source('s', 't')".
            column: The tested column, if the test is declared on one.
            arguments: As in YAML; text that begins with ref( or source(, or holds {{, is evaluated.
            condition: SQL condition on the tested rows (`where` of its config), may hold Jinja.
            location: Where the test is declared, for messages.
            values: Of the model's instance, for its arguments and condition.
        """
        values = values or {}

        def render() -> tuple[RenderedModel, bool]:
            return self._data_test_rows(
                test, model_name, column, arguments, condition, location, values
            )

        made_of = [self._inputs.digest, "data test", test, model_name, column, arguments, condition]
        made_of += [location, *([values] if values else [])]
        return self._cache.rendered(made_of, render, self._is_current)

    def _data_test_rows(
        self,
        test: str,
        model_name: str,
        column: str | None,
        arguments: Mapping[str, Any] | None,
        condition: str | None,
        location: str,
        values: Mapping[str, Any],
    ) -> tuple[RenderedModel, bool]:
        rendering = Rendering(self._inputs, name=model_name, values=values)
        rendering.location = location
        macro = self._data_test(test, location)
        relation = self._relation(rendering, model_name)
        if condition:
            relation = f"(select * from {relation} where {self._text(rendering, condition)})"
        given = {key: self._value(rendering, value) for key, value in (arguments or {}).items()}
        if column is not None:
            given.setdefault("column_name", column)
        _check_arguments(test, macro, given, location)
        rendering.template = None
        sql = rendering.guard(
            lambda: str(rendering.call_macro(macro.name, model=relation, **given))
        )
        return _result(rendering, sql.strip("\n"), LineMap()), rendering.is_repeatable

    def _data_test(self, test: str, location: str) -> Macro:
        macros = self._inputs.macros
        if TEST_PREFIX + test in macros:
            return macros[TEST_PREFIX + test]
        near = closest(test, macros.data_tests, count=1)
        known = ", ".join(macros.data_tests)
        raise ProjectError(
            f"data test '{test}' does not exist",
            where=location,
            found=f"data tests: {known}",
            fix=f"did you mean {near}?"
            if near
            else f"write it: {{% test {test}(model) %}} in macros/",
        )

    def _relation(self, rendering: Rendering, model_name: str) -> str:
        if _CALL.match(model_name):
            return str(self._value(rendering, model_name))
        return rendering.ref(model_name)

    def _text(self, rendering: Rendering, text: str) -> str:
        if "{" not in text:
            return text
        return rendering.run(compile_expression(text, rendering.location))

    def _value(self, rendering: Rendering, value: Any) -> Any:
        """An argument of a data test, its Jinja evaluated; `{{ ... }}` alone keeps its type."""
        if isinstance(value, list):
            return [self._value(rendering, item) for item in value]
        if isinstance(value, dict):
            return {key: self._value(rendering, item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        plain = _PLAIN_CALL.fullmatch(value)
        if plain:  # nearly all of them; no need to compile a template for each
            names = [name.strip()[1:-1] for name in plain[2].split(",")]
            function = rendering.ref if plain[1] == "ref" else rendering.source
            return rendering.guard(lambda: function(*names))
        return rendering.expression(value) if _CALL.match(value) else rendering.evaluated(value)


def _check_arguments(test: str, macro: Macro, given: Mapping[str, Any], location: str) -> None:
    """Complain of arguments that the test does not take, or lacks."""
    known = [name for name in macro.arguments if name != "model"]
    unknown = [] if macro.is_open else [name for name in given if name not in known]
    lacking = [name for name in macro.required if name != "model" and name not in given]
    found = f"{macro.signature} at {macro.location}"
    if unknown:
        near = closest(unknown[0], known, count=1)
        what, fix = (
            f"takes no argument '{unknown[0]}'",
            f"did you mean {near}?" if near else "remove it",
        )
    elif lacking == ["column_name"]:
        what, fix = "is for a column", "declare it under a column, or give it column_name"
    elif lacking:
        what, fix = f"lacks its argument '{lacking[0]}'", f"add {lacking[0]}: ..."
    else:
        return
    raise ProjectError(f"data test '{test}' {what}", where=location, found=found, fix=fix)


def _result(rendering: Rendering, sql: str, line_map: LineMap) -> RenderedModel:
    return RenderedModel(
        sql=sql,
        refs=tuple(rendering.refs),
        sources=tuple(rendering.sources),
        vars=dict(sorted(rendering.vars.items())),
        macros=tuple(sorted(rendering.macros)),
        env_vars=tuple(sorted(rendering.env_vars)),
        prompts=tuple(sorted(rendering.prompts)),
        language_models=tuple(sorted(rendering.language_models)),
        config=rendering.config,
        config_line=rendering.config_line,
        line_map=line_map,
        asked=dict(sorted(rendering.asked.items())),
    )


__all__ = [
    "LineMap",
    "MacroLibrary",
    "Reference",
    "RenderedModel",
    "Renderer",
    "SourceReference",
    "find_prompts",
]
