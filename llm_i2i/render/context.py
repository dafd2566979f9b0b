"""What a template may call, and what one rendering of it read."""

from __future__ import annotations

import copy
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from jinja2 import Undefined
from jinja2.environment import Template
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.utils import missing

from llm_i2i.config.parts import Entry
from llm_i2i.config.vars import Vars
from llm_i2i.errors import LlmI2iError, ProjectError, closest
from llm_i2i.fingerprint import canonical_json, file_digest, fingerprint
from llm_i2i.names import quote_literal
from llm_i2i.render.columns import KnownColumns, ModelText, selected_columns
from llm_i2i.render.environment import (
    MacroLibrary,
    NotDefined,
    compile_expression,
    compile_template,
    make_environment,
    place_in,
    sql_literal,
)
from llm_i2i.render.prompts import prompt_expression
from llm_i2i.render.relations import Reference, SourceReference, relation_name, source_relation
from llm_i2i.secrets import is_secret
from llm_i2i.version import __version__

_LOG = logging.getLogger("llm_i2i.render")
_WHOLE_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.DOTALL)
_NOT_GIVEN: Any = object()

# What dbt has and we do not, or not under this name.
_INSTEAD = {
    "is_incremental": "remove it: unchanged results are reused and calls cached",
    "run_query": "compute it in SQL: templates cannot query, so that compiling needs no data",
    "adapter": "write SQL: the engine is not known when a template is rendered",
    "execute": "remove it: templates cannot query",
    "graph": "use ref() and source()",
    "model": "use this",
    "modules": "use a var: rendering does not depend on the clock or on Python modules",
    "run_started_at": "use a var: rendering does not depend on the clock",
    "invocation_id": "use a var: the same inputs must render to the same SQL",
    "load_result": "compute it in SQL: templates cannot query",
}


class _Returned(Exception):
    """A macro has called return()."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class RenderInputs:
    """What every template of a project may read.

    Attributes:
        root: What messages name files relative to.
        macro_values: Macros that are not called but give this value (unit tests).
        models: What columns_of() may ask for, by name; filled while a project is loaded.
        weights: Names of pretrained models and tokenizers -> digest of their files, as far as they are on this machine.
    """

    vars: Mapping[str, Any]
    language_models: Mapping[str, Mapping[str, Any]]
    macros: MacroLibrary
    prompts: Mapping[str, Path]
    env: Mapping[str, str]
    target: Mapping[str, Any]
    root: Path | None = None
    packages: Mapping[str, MacroLibrary] = field(default_factory=dict)
    macro_values: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    models: dict[str, ModelText] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def known_columns(self) -> dict[str, KnownColumns]:
        """Columns of the models asked for so far."""
        return {}

    @cached_property
    def evaluated_lists(self) -> dict[str, list[Entry]]:
        """Lists whose Jinja was evaluated so far."""
        return {}

    @cached_property
    def prompt_texts(self) -> dict[str, str]:
        """Prompt files read so far."""
        return {}

    @cached_property
    def digest(self) -> str:
        """Of everything here but the environment variables; `target` may hold some, already read."""
        prompts = {n: (self.shown(path), file_digest(path)) for n, path in self.prompts.items()}
        packages = {name: macros.digest for name, macros in self.packages.items()}
        models = [self.language_models, self.weights]
        read = [self.vars, models, self.target, self.macro_values, self.lists]
        known = [__version__, self.macros.digest, prompts, packages, read]
        return fingerprint(json.dumps(known, sort_keys=True, default=repr))

    def shown(self, path: Path) -> str:
        """A path as messages show it."""
        root = self.root
        return (path.relative_to(root) if root and path.is_relative_to(root) else path).as_posix()


class Rendering:
    """One rendering: the functions of its template, and a record of what they were asked for."""

    def __init__(
        self,
        inputs: RenderInputs,
        *,
        name: str,
        text: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin a rendering.

        Args:
            values: Further names, those of a model's instance.
        """
        self.inputs = inputs
        self.values = values or {}
        self.name = name
        self.text = text
        self.template: Template | None = None  # the model's own, not a macro's
        self.refs: dict[Reference, None] = {}
        self.sources: dict[SourceReference, None] = {}
        self.vars: dict[str, Any] = {}
        self.env_vars: dict[str, None] = {}
        self.macros: dict[str, None] = {}
        self.prompts: dict[str, None] = {}
        self.language_models: dict[str, None] = {}
        self.config: dict[str, Any] = {}
        self.config_line = 0
        self.may_read_secrets = False  # only what is run and then forgotten may
        self.location = ""  # where it is written, when that is not a template file
        self.has_logged = False
        self.asked: dict[str, str] = {}  # models whose columns it asked for -> digest of their text
        self.asked_by: tuple[str, ...] = ()  # the models that wait for this one's columns

    @property
    def is_repeatable(self) -> bool:
        """Whether the same inputs give the same again, with nothing said on the way."""
        return not self.env_vars and not self.has_logged

    @cached_property
    def names(self) -> dict[str, Any]:
        """Everything a template can name."""
        macros: dict[str, Any] = {name: _MacroCall(self, name) for name in self.inputs.macros}
        macros |= {n: _fixed(value) for n, value in self.inputs.macro_values.items()}
        packages = {name: _Package(self, own) for name, own in self.inputs.packages.items()}
        return (packages | macros) | {
            **self.values,
            "columns_of": self.columns_of,
            "config": self.set_config,
            "entries": self.entries,
            "env_var": self.env_var,
            "exceptions": _Exceptions(self),
            "language_model": self.language_model,
            "log": self.log,
            "preset": self.preset,
            "prompt": self.prompt,
            "quote_literal": sql_literal,
            "ref": self.ref,
            "return": self.return_,
            "source": self.source,
            "target": dict(self.inputs.target),
            "this": relation_name(self.name),
            "var": self.var,
        }

    def run(self, template: Template) -> str:
        """The text of a template.

        Raises:
            ProjectError: Whatever went wrong, placed in the template or macro file.
        """
        self.template = template
        return self.guard(lambda: "".join(template.root_render_func(self.new_context(template))))

    def new_context(self, template: Template) -> Any:
        return template.new_context(self.names)

    def guard(self, action: Callable[[], str]) -> str:
        """Run template code; every Python error comes out as a ProjectError."""
        try:
            return action()
        except LlmI2iError:
            raise
        except _Returned as returned:
            places = [place_in(*place) for place in _traceback_places(returned.__traceback__)][::-1]
            what, fix = "return() stands outside a macro", "move it into a macro"
            raise self._error(what, places, found=self._text_at(places), fix=fix) from returned
        except Exception as error:
            raise self.explain(error) from error

    # -- functions of templates --------------------------------------------------------------------

    def ref(self, *names: Any, **options: Any) -> str:
        """`ref('model')` or `ref('package', 'model')`."""
        refuse_undefined(*names)
        if options or len(names) not in (1, 2) or not all(isinstance(n, str) and n for n in names):
            self.fail(
                "ref() takes the name of a model",
                found=_call_text("ref", names, options),
                fix="write ref('model_name')",
            )
        name: str = names[-1]
        packages = self.inputs.packages
        if len(names) == 2 and packages and names[0] not in packages:
            near = closest(names[0], packages, count=1)
            self.fail(
                f"there is no package {names[0]!r}",
                found=f"packages {', '.join(packages)}",
                fix=f"did you mean {near}?" if near else f"write ref({name!r})",
            )
        line, column = self._position("ref", name)
        self.refs[Reference(name, line, column)] = None
        return relation_name(name)

    def source(self, *names: Any, **options: Any) -> str:
        """`source('source', 'table')`."""
        refuse_undefined(*names)
        if options or len(names) != 2 or not all(isinstance(n, str) and n for n in names):
            self.fail(
                "source() takes the names of a source and of its table",
                found=_call_text("source", names, options),
                fix="write source('source_name', 'table_name')",
            )
        source, table = names
        line, column = self._position("source", source)
        self.sources[SourceReference(source, table, line, column)] = None
        return relation_name(source_relation(source, table))

    def columns_of(self, name: str) -> list[str]:
        """The columns that the final select of another model names, in its order."""
        refuse_undefined(name)
        columns = self._columns_of(name)
        self.asked |= columns.asked
        self.vars |= columns.vars
        self.env_vars |= columns.env_vars
        return list(columns.names)

    def _columns_of(self, name: str) -> KnownColumns:
        known, models = self.inputs.known_columns, self.inputs.models
        if name in known:
            return known[name]
        chain = (*self.asked_by, self.name)
        if name in chain:
            self.fail(
                f"the columns of {name} depend on themselves",
                found=" -> ".join([*chain[chain.index(name) :], name]),
                fix="write the columns out in one of them",
            )
        if name not in models:
            near = closest(str(name), models)
            self.fail(
                f"columns_of() asks for a model {name!r} that does not exist",
                found=f"{len(models)} models" + (f", closest {near}" if near else ""),
                fix=f"did you mean {near}?" if near else "write the name of a model",
            )
        model = models[name]
        values = model.instance.values if model.instance else {}
        other = Rendering(self.inputs, name=name, text=model.text, values=values)
        other.asked_by = chain
        other.vars |= model.instance.reads if model.instance else {}
        sql = other.run(compile_template(model.text, model.path))
        try:
            columns = selected_columns(sql)
        except ProjectError as error:
            self.fail(
                f"columns_of() cannot tell the columns of {name}: {error.what}",
                found=f"{error.found}; {model.path}",
                fix=error.fix,
            )
        asked = {name: model.digest, **other.asked}
        known[name] = KnownColumns(columns, dict(other.vars), asked, dict(other.env_vars))
        return known[name]

    def var(self, name: str, default: Any = _NOT_GIVEN) -> Any:
        """A var of the project; `default` where it is not defined."""
        refuse_undefined(name, default)
        known = self.inputs.vars
        if name in known:
            value = known[name]
        elif default is not _NOT_GIVEN:
            value = default
        else:
            near = closest(str(name), known)
            self.fail(
                f"var '{name}' is not defined",
                found=f"{len(known)} vars" + (f", closest {near}" if near else ""),
                fix=f"add it under vars: in project.yml or pass --vars '{{{name}: ...}}'",
            )
        self.vars[name] = value
        return copy.deepcopy(value) if isinstance(value, (list, dict)) else value

    def preset(self, name: str) -> Any:
        """What a var would be if neither project.yml, nor the language model, nor --vars said anything."""
        value = self.var(name)  # complains of a name that is none
        known = self.inputs.vars
        return known.preset(name) if isinstance(known, Vars) else value

    def entries(self, name: str) -> list[Entry]:
        """The entries of a list of the project (`lists:`), their Jinja evaluated."""
        refuse_undefined(name)
        known = self.inputs.lists
        if name not in known:
            near = closest(str(name), known)
            self.fail(
                f"list '{name}' is not defined",
                found=f"lists: {', '.join(known) or 'none'}",
                fix=f"did you mean {near}?" if near else "write it under lists: in project.yml or part.yml",
            )  # fmt: skip
        evaluated = self.inputs.evaluated_lists
        if name not in evaluated:
            evaluated[name] = [self._evaluated_entry(entry) for entry in known[name]]
        for entry in evaluated[name]:
            self.vars |= entry.reads
            self.env_vars |= dict.fromkeys(entry.env_vars)
        return [entry.copied() for entry in evaluated[name]]

    def _evaluated_entry(self, entry: Entry) -> Entry:
        rendering = Rendering(self.inputs, name=self.name)
        rendering.location = entry.where
        values = {key: rendering.evaluated(value) for key, value in entry.items()}
        return Entry(values, entry.where, dict(rendering.vars), rendering.env_vars)

    def return_(self, value: Any = None) -> NoReturn:
        """End a macro: its value is this, of any type, in place of the text it wrote."""
        refuse_undefined(value)
        raise _Returned(value)

    def evaluated(self, value: Any) -> Any:
        """A value of a YAML file with its Jinja evaluated; `{{ ... }}` alone keeps its type.

        Raises:
            ProjectError: Its Jinja is not valid or fails, at `location`.
        """
        if isinstance(value, list):
            return [self.evaluated(item) for item in value]
        if isinstance(value, dict):
            return {key: self.evaluated(item) for key, item in value.items()}
        if not is_template(value):
            return value
        whole = _WHOLE_EXPRESSION.fullmatch(value)
        if whole is None:
            return self.run(compile_expression(value, self.location))
        return self.expression(whole[1])

    def expression(self, text: str) -> Any:
        """The value of a Jinja expression, of any type."""
        kept: list[Any] = []

        def keep(value: Any) -> None:
            refuse_undefined(value)
            kept.append(value)

        self.names["__keep"] = keep
        try:
            template = compile_expression(f"{{% do __keep({text}) %}}", self.location)
        except ProjectError:
            compile_expression(f"{{{{{text}}}}}", self.location)  # fails too, in the user's words
            raise
        self.run(template)
        return kept[0]

    def env_var(self, name: str, default: str | None = None) -> str:
        """An environment variable; `default` where it is not set."""
        refuse_undefined(name, default)
        if is_secret(str(name)) and not self.may_read_secrets:
            self.fail(
                f"environment variable '{name}' is a secret, by its name",
                found="its value would stand in compiled SQL, artifacts and the store",
                fix="read it in on_run_start or on_run_end; if it is no secret, rename it",
            )
        self.env_vars[name] = None
        value = self.inputs.env.get(name, default)
        if value is None:
            self.fail(
                f"environment variable '{name}' is not set",
                found="no default either",
                fix=f"set it, or write env_var('{name}', 'default')",
            )
        return value

    def set_config(self, *positional: Any, **settings: Any) -> str:
        """`config(materialized='table')`: writes nothing; later calls add to earlier ones."""
        for values in positional:
            if not isinstance(values, dict):
                self.fail(
                    "config() takes keyword arguments",
                    found=_call_text("config", positional, settings),
                    fix="write config(materialized='table')",
                )
            settings = {**values, **settings}
        refuse_undefined(*settings.values())
        self.config.update(settings)
        self.config_line = self.config_line or self._line()
        return ""

    def language_model(self, name: str, /, **overrides: Any) -> str:
        """Settings of a language model as an SQL string of JSON, those given here on top.

        A model with a tokenizer spells items as the var `item_ids` says (titles are text), if its entry does not say it itself.
        """
        refuse_undefined(name)
        known = self.inputs.language_models
        if name not in known:
            near = closest(str(name), known)
            self.fail(
                f"language model '{name}' is not defined",
                found=f"language models: {', '.join(known) or 'none'}",
                fix=f"did you mean {near}?"
                if near
                else "add it under language_models: in project.yml",
            )
        self.language_models[name] = None
        settings = {**known[name], **overrides}
        settings.pop("vars", None)  # what the project's vars become with it; no setting of its own
        settings.pop("needs", None)  # what it asks of a machine; changes no answer
        if settings.get("pretrained") and "item_ids" in self.inputs.vars:
            spelling = self.var("item_ids")
            settings.setdefault("item_ids", "text" if spelling == "title" else spelling)
        weights = self.inputs.weights
        named = [str(settings.get(key)) for key in ("pretrained", "tokenizer")]
        if digest := "+".join(weights[one] for one in named if one in weights):
            settings["weights"] = digest
        if "serving" in settings:
            # How a model is served changes no answer: only where to look it up becomes part of the checkpoint.
            settings["serving"] = {"entry": name}
        return quote_literal(canonical_json(settings))

    def prompt(self, name: str, /, **keys: Any) -> str:
        """A prompt template filled with SQL expressions, as one SQL expression of type varchar."""
        refuse_undefined(name, *keys.values())
        known = self.inputs.prompts
        if name not in known:
            near = closest(str(name), known)
            self.fail(
                f"prompt '{name}' does not exist",
                found=f"prompts: {', '.join(known) or 'none'}",
                fix=f"did you mean {near}?"
                if near
                else f"write it, as {name}.jinja in the prompts folder",
            )
        for key, value in keys.items():
            if not isinstance(value, str) or not value.strip():
                self.fail(
                    f"prompt() needs an SQL expression for '{key}'",
                    found=repr(value),
                    fix=f"write {key}='column_name', or {key}=quote_literal('text')",
                )
        self.prompts[name] = None
        return prompt_expression(
            self._prompt_text(name), keys, file=self.inputs.shown(known[name]), caller=self.where()
        )

    def log(self, message: Any, info: bool = False) -> str:
        """Send a message to the log; writes nothing into the SQL."""
        self.has_logged = True
        _LOG.log(logging.INFO if info else logging.DEBUG, "%s: %s", self.where(), message)
        return ""

    def call_macro(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro of the library with this rendering's functions."""
        self.macros[name] = None
        template = self.inputs.macros[name].template
        context = self.new_context(template)
        for _ in template.root_render_func(context):
            pass  # running the template defines the macro
        try:
            return context.vars[name](*args, **kwargs)
        except _Returned as returned:
            return returned.value

    # -- places and errors -------------------------------------------------------------------------

    def where(self) -> str:
        """The place in a template or macro that is being rendered now."""
        places = _frame_places(sys._getframe(1))
        template, line = next(places, (None, 0))
        return place_in(template, line) if template else self.location

    def fail(self, what: str, *, found: str = "", fix: str = "") -> NoReturn:
        """Raise a ProjectError at the place that is being rendered now."""
        places = [place_in(*place) for place in _frame_places(sys._getframe(1))]
        raise self._error(what, places, found=found, fix=fix)

    def explain(self, error: Exception) -> ProjectError:
        """An error of Jinja or Python in a template, in our words."""
        places = [place_in(*place) for place in _traceback_places(error.__traceback__)][::-1]
        what, found, fix = self._words(error)
        return self._error(what, places, found=found or self._text_at(places), fix=fix)

    def _text_at(self, places: list[str]) -> str:
        """The template's own line, where that is the innermost place."""
        line = places[0].rpartition(":")[2] if len(places) == 1 and self.text else ""
        lines = self.text.splitlines()
        return lines[int(line) - 1].strip() if line.isdigit() and int(line) <= len(lines) else ""

    def _error(self, what: str, places: list[str], *, found: str, fix: str) -> ProjectError:
        """`places` is innermost first; the last is the model's."""
        where = places[0] if places else self.location
        caller = places[-1] if places else where
        if len(places) < 2 and self.location and self.template is None:
            caller = self.location
        if caller != where:
            found = "; ".join(part for part in (found, f"called from {caller}") if part)
        return ProjectError(what, where=where, found=found, fix=fix)

    def _words(self, error: Exception) -> tuple[str, str, str]:
        """What, found and fix of an error of Jinja or Python."""
        message = str(error).strip()
        if isinstance(error, NotDefined) and error.owner is missing and error.name:
            return self._undefined_name(str(error.name))
        if isinstance(error, SecurityError):
            return f"templates may not do this: {message}", "", "use plain values, vars and macros"
        if isinstance(error, UndefinedError):
            return message, "", "check the name, or use | default(...)"
        if isinstance(error, RecursionError):
            return "a macro calls itself without end", "", "give it a condition to stop"
        if isinstance(error, TypeError) and "no loader" in message:
            fix = "remove it: every macro is available by its name"
            return "templates cannot include, import or extend files", "", fix
        if isinstance(error, TemplateRuntimeError) and message.startswith("No filter named"):
            near = closest(message.split("'")[1], make_environment().filters, count=1)
            return (
                message.rstrip(".").replace("No", "no", 1),
                "",
                f"did you mean {near}?" if near else "",
            )
        called = re.match(r"macro '(\w+)' takes", message)
        if called and called[1] in self.inputs.macros:
            macro = self.inputs.macros[called[1]]
            return message, f"{macro.signature} at {macro.location}", f"call {macro.signature}"
        return message or type(error).__name__, "", "correct the template"

    def _undefined_name(self, name: str) -> tuple[str, str, str]:
        what = f"'{name}' is not defined"
        if name in _INSTEAD:
            return what, "not available in llm_i2i", _INSTEAD[name]
        if name in self.inputs.vars:
            return what, "a var of this name", f"write var('{name}')"
        near = closest(name, self.names, count=1)
        found = f"{len(self.names)} names, macros included"
        return (
            what,
            found,
            f"did you mean {near}?" if near else "set it, or add a macro of this name",
        )

    def _line(self) -> int:
        """The line of the model's own template that is being rendered; 0 outside a file."""
        if self.template is None or self.location:
            return 0
        for template, line in _frame_places(sys._getframe(1)):
            if template is self.template:
                return line
        return 0

    def _position(self, function: str, name: str) -> tuple[int, int]:
        """Line and column of a call in the model's text; column 0 if it is not written out."""
        line = self._line()
        if not line:
            return 0, 0
        lines = self.text.split("\n")
        call = re.compile(rf"\b{function}\s*\([^()]*?(['\"]){re.escape(name)}\1")
        match = call.search(lines[line - 1]) if line <= len(lines) else None
        if match:
            return line, match.start() + 1
        # A statement over several lines counts as its first line; look as far as the end of it.
        start = sum(len(part) + 1 for part in lines[:line])
        end = min(
            (i for i in (self.text.find(s, start) for s in ("}}", "%}")) if i >= 0), default=-1
        )
        match = call.search(self.text, start, end) if end >= 0 else None
        if not match:
            return line, 0
        before = self.text[: match.start()]
        return before.count("\n") + 1, match.start() - (before.rfind("\n") + 1) + 1

    def _prompt_text(self, name: str) -> str:
        texts = self.inputs.prompt_texts
        if name not in texts:
            path = self.inputs.prompts[name]
            try:
                texts[name] = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                self.fail(
                    f"cannot read prompt '{name}'",
                    found=f"{self.inputs.shown(path)}: {error}",
                    fix="check that the file exists and is UTF-8 text",
                )
        return texts[name]


def is_template(value: Any) -> bool:
    """Whether a value of a YAML file, no list or mapping, holds Jinja."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _fixed(value: Any) -> Callable[..., Any]:
    """A macro that always gives `value`."""
    return lambda *args, **kwargs: value


class _MacroCall:
    """A macro as templates see it: bound to the rendering, loaded when called."""

    __slots__ = ("_name", "_rendering")

    def __init__(self, rendering: Rendering, name: str) -> None:
        self._rendering = rendering
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._rendering.call_macro(self._name, *args, **kwargs)


class _Package:
    """A package as templates see it: `package.macro()`."""

    __slots__ = ("_library", "_rendering")

    def __init__(self, rendering: Rendering, library: MacroLibrary) -> None:
        self._rendering = rendering
        self._library = library

    def __getattr__(self, name: str) -> _MacroCall:
        if name.startswith("_") or name not in self._library:
            raise AttributeError(name)
        return _MacroCall(self._rendering, name)


class _Exceptions:
    """dbt's `exceptions` namespace."""

    __slots__ = ("_rendering",)

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    def raise_compiler_error(self, message: Any) -> NoReturn:
        self._rendering.fail(str(message), fix="correct what this template checks for")

    def warn(self, message: Any) -> str:
        self._rendering.has_logged = True
        _LOG.warning("%s: %s", self._rendering.where(), message)
        return ""


def _frame_places(frame: FrameType | None) -> Iterator[tuple[Template, int]]:
    """Templates on the Python stack with the line each is at, innermost first."""
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield template, template.get_corresponding_lineno(frame.f_lineno)
        frame = frame.f_back


def _traceback_places(trace: TracebackType | None) -> Iterator[tuple[Template, int]]:
    """Templates in a traceback with the line each was at, outermost first."""
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield template, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next


def refuse_undefined(*values: Any) -> None:
    """Raise Jinja's error, which names what is not defined, if one of them is not."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)


def _call_text(function: str, positional: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    arguments = [repr(value) for value in positional]
    arguments += [f"{key}={value!r}" for key, value in named.items()]
    return f"{function}({', '.join(arguments)})"
