"""The sandboxed Jinja environment, and the macros that all templates of a project share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.environment import Template
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.fingerprint import fingerprint
from llm_i2i.names import quote_literal
from llm_i2i.render.cache import RenderCache
from llm_i2i.render.lines import mark_lines

BUILT_IN_MACROS = Path(__file__).parent / "macros"
TEST_PREFIX = "test_"
EXPRESSION = "<expression>"  # file name of templates that are no file of their own
INSTANCES = "instances"  # the function by which a model file says that it is several models
RESERVED_NAMES = frozenset(
    {"columns_of", "config", "entries", "env_var", "exceptions", INSTANCES, "language_model"}
    | {
        "log",
        "preset",
        "prompt",
        "quote_literal",
        "ref",
        "return",
        "source",
        "target",
        "this",
        "var",
    }
)


class NotDefined(UndefinedError):
    """A name that is not defined, or an attribute that `owner` does not have."""

    def __init__(self, message: str, name: Any, owner: Any) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner  # `missing` for a plain name


class _Undefined(StrictUndefined):
    """StrictUndefined whose error keeps the name, so that we can suggest another."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: Any = None,
        exc: Any = UndefinedError,
    ) -> None:
        if exc is UndefinedError:
            exc = lambda message: NotDefined(message, None if hint else name, obj)  # noqa: E731
        super().__init__(hint, obj, name, exc)


class _TestTag(Extension):
    """`{% test name(model) %} ... {% endtest %}`, dbt's generic test: the macro `test_name`."""

    tags = {"test", "data_test"}  # noqa: RUF012 (Jinja's own convention)

    def parse(self, parser: Parser) -> nodes.Node:
        token = next(parser.stream)
        node = nodes.Macro(lineno=token.lineno)
        node.name = TEST_PREFIX + parser.parse_assign_target(name_only=True).name
        parser.parse_signature(node)
        node.body = parser.parse_statements((f"name:end{token.value}",), drop_needle=True)
        return node


@lru_cache(maxsize=1)
def make_environment() -> SandboxedEnvironment:
    """The one environment: sandboxed, strict about names, without clock or chance."""
    environment = SandboxedEnvironment(
        undefined=_Undefined,
        finalize=sql_text,
        extensions=["jinja2.ext.do", _TestTag],
        keep_trailing_newline=True,
        autoescape=False,
    )
    # The same inputs must render to the same text, or fingerprints mean nothing.
    del environment.globals["lipsum"]
    del environment.filters["random"]
    return environment


def sql_text(value: Any) -> Any:
    """What `{{ value }}` writes: text as it is, other values as SQL literals."""
    if isinstance(value, (str, Undefined)):
        return value
    return sql_literal(value)


def sql_literal(value: Any) -> str:
    """A value of Jinja as an SQL literal; lists and dicts as DuckDB's."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quote_literal(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f"cast('{value}' as double)"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(sql_literal, value)) + "]"
    if isinstance(value, dict):
        items = (f"{quote_literal(str(k))}: {sql_literal(v)}" for k, v in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, Undefined):
        return str(value)  # raises
    kind = "a function; call it" if callable(value) else f"a {type(value).__name__}; use | list"
    raise TypeError(f"cannot be written into SQL: it is {kind}")


# -- templates -------------------------------------------------------------------------------------


# A project that is rendered once for each of many variants compiles its templates once.
@lru_cache(maxsize=2048)
def compile_template(text: str, file: str, *, marked: bool = False) -> Template:
    """A template out of text.

    Args:
        file: How messages name it.
        marked: Whether the output carries line marks, for `take_marks`.

    Raises:
        ProjectError: Its Jinja is not valid.
    """
    try:
        tree = _parsed(text, file)
        _take_instances(tree)
        if marked:
            mark_lines(tree)
        return _template_of(tree, file, file)
    except TemplateSyntaxError as error:
        raise syntax_error(error, text, file) from error


@lru_cache(maxsize=2048)
def compile_instances(text: str, file: str) -> Template | None:
    """A template of a model file's `{{ instances(...) }}` alone; None where it has none.

    Raises:
        ProjectError: Its Jinja is not valid, or the call stands where it cannot be read first.
    """
    if INSTANCES not in text:
        return None
    try:
        tree = _parsed(text, file)
        call = _take_instances(tree)
        if call is None:
            return None
        tree.body = [nodes.Output([call], lineno=call.lineno)]
        tree.set_environment(make_environment())
        return _template_of(tree, file, file)
    except TemplateSyntaxError as error:
        raise syntax_error(error, text, file) from error


def _take_instances(tree: nodes.Template) -> nodes.Call | None:
    """The call of instances(), taken out of a template: what it names is read before the rest, once for all instances."""
    found: nodes.Call | None = None
    for output in (node for node in tree.body if isinstance(node, nodes.Output)):
        for index, item in enumerate(output.nodes):
            if found is None and _is_call(item, INSTANCES):
                found = item  # type: ignore[assignment]
                output.nodes[index] = nodes.TemplateData("", lineno=item.lineno)
                output.nodes[index].environment = item.environment
    second = next((call for call in tree.find_all(nodes.Call) if _is_call(call, INSTANCES)), None)
    if second is not None:
        message = (
            "instances() is called twice"
            if found is not None
            else "instances() stands inside a block or an expression"
        )
        raise TemplateSyntaxError(message, second.lineno)
    return found


def _is_call(node: nodes.Node, name: str) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name == name
    )


@lru_cache(maxsize=2048)
def compile_expression(text: str, location: str) -> Template:
    """A template out of text in a YAML file; errors are placed at `location`."""
    try:
        return _template_of(_parsed(text), location, EXPRESSION)
    except TemplateSyntaxError as error:
        raise syntax_error(error, text, location, in_file=False) from error


def _parsed(text: str, file: str | None = None) -> nodes.Template:
    try:
        return make_environment().parse(text, file, file)
    except RecursionError as error:
        raise TemplateSyntaxError("It is nested too deeply", 1) from error


def _template_of(tree: nodes.Template, name: str, filename: str) -> Template:
    environment = make_environment()
    try:
        code = environment.compile(tree, name, filename)
    except (RecursionError, SyntaxError, MemoryError) as error:  # of Python, which Jinja becomes
        raise TemplateSyntaxError("It is nested too deeply", 1) from error
    return Template.from_code(environment, code, environment.globals)


def place_in(template: Template, line: int) -> str:
    """`file:line` of a template."""
    name = template.name or ""
    return name if template.filename == EXPRESSION else f"{name}:{line}"


def syntax_error(
    error: TemplateSyntaxError, text: str, file: str, *, in_file: bool = True
) -> ProjectError:
    """A Jinja syntax error in our words."""
    lines = text.splitlines()
    line = lines[error.lineno - 1].strip() if 0 < error.lineno <= len(lines) else ""
    message = (error.message or "").rstrip(".")
    return ProjectError(
        f"not valid Jinja: {message[:1].lower()}{message[1:]}",
        where=f"{file}:{error.lineno}" if in_file else file,
        found=line or "end of file",
        fix=_syntax_fix(message),
    )


def _syntax_fix(message: str) -> str:
    quoted = message.split("'")
    if message.startswith("Encountered unknown tag") and len(quoted) > 2:
        near = closest(quoted[1], _tags(), count=1)
        return f"did you mean {near}?" if near else f"known tags: {', '.join(_tags())}"
    if message.startswith("No filter named") and len(quoted) > 2:
        near = closest(quoted[1], make_environment().filters, count=1)
        return f"did you mean {near}?" if near else "use another filter"
    if message.startswith("Instances()") or message.startswith("instances()"):
        return "write it once, as {{ instances([{...}], name='...') }} on a line of its own"
    if "nested too deeply" in message:
        return "split it: {% set %} a part, or write a macro"
    if "end of template" in message or "Missing end" in message:
        return "close what is open: {% endif %}, {% endfor %}, {% endmacro %}, }} or %}"
    return "check the {{ }} and {% %} on this line"


def _tags() -> list[str]:
    blocks = ["call", "filter", "for", "if", "macro", "raw", "set", "test", "with"]
    return ["do", "elif", "else", *blocks, *(f"end{block}" for block in blocks)]


# -- macros ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Macro:
    """One macro of the library.

    Attributes:
        file: How messages name its file.
        arguments: Names of its parameters; `required` are those without a default.
        is_open: Whether it reads `kwargs` or `varargs`, so takes any argument.
        text: Of its whole file.
    """

    name: str
    file: str
    line: int
    arguments: tuple[str, ...]
    required: tuple[str, ...]
    is_open: bool
    text: str = field(repr=False)

    @property
    def location(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})"

    @property
    def template(self) -> Template:
        """A template of this macro alone, so that calls go through the library, as in dbt."""
        return _macro_template(self.text, self.file, self.line)


@lru_cache(maxsize=2048)
def _macro_template(text: str, file: str, line: int) -> Template:
    node = next(node for node in _macro_nodes(text, file) if node.lineno == line)
    tree = nodes.Template([node], lineno=1)
    tree.set_environment(make_environment())
    return _template_of(tree, file, file)


class MacroLibrary:
    """All macros by name: ours, and the project's on top."""

    def __init__(self, macros: dict[str, Macro]) -> None:
        self._macros = macros

    @classmethod
    def load(
        cls,
        folders: Iterable[Path] = (),
        *,
        root: Path | None = None,
        cache: RenderCache | None = None,
    ) -> MacroLibrary:
        """The built-in macros, and those of all *.sql files under `folders`.

        Args:
            root: The project's folder; messages name files relative to it.
            cache: What is known of files that did not change.

        Raises:
            ProjectError: Files that are not valid, macros defined twice; all of them together.
        """
        macros = _built_in(cache)
        errors: list[LlmI2iError] = []
        own: dict[str, Macro] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*.sql")):
                shown = path.relative_to(root) if root and path.is_relative_to(root) else path
                try:
                    text = _read(path, shown.as_posix())
                    for macro in parse_macros(text, shown.as_posix(), cache):
                        _add(macro, own, errors)
                except ProjectError as error:
                    errors.append(error)
        raise_all(errors)
        return cls(macros | own)

    @classmethod
    def parse(cls, text: str, file: str = "macros.sql") -> MacroLibrary:
        """The built-in macros and those in `text`, for tests and notebooks."""
        return cls(_built_in() | {macro.name: macro for macro in parse_macros(text, file)})

    def __contains__(self, name: str) -> bool:
        return name in self._macros

    def __getitem__(self, name: str) -> Macro:
        return self._macros[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._macros)

    def get(self, name: str) -> Macro | None:
        return self._macros.get(name)

    @cached_property
    def digest(self) -> str:
        """Of all that the macros are."""
        return fingerprint([(m.name, m.file, m.line, m.text) for m in self._macros.values()])

    @property
    def data_tests(self) -> list[str]:
        """Names of the generic data tests, without the prefix of their macros."""
        names = (name.removeprefix(TEST_PREFIX) for name in self if name.startswith(TEST_PREFIX))
        return sorted(names)


def _read(path: Path, file: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            "cannot read the macro file",
            where=file,
            found=str(error),
            fix="check that it may be read and is UTF-8 text",
        ) from error


def parse_macros(text: str, file: str, cache: RenderCache | None = None) -> list[Macro]:
    """The macros of a file. A new text is compiled here, so that its mistakes come up early.

    Raises:
        ProjectError: The file's Jinja is not valid.
    """
    known = (cache or RenderCache()).parsed(text, file, lambda: _check_macros(text, file))
    return [
        Macro(name, file, line, tuple(arguments), tuple(required), is_open, text)
        for name, line, arguments, required, is_open in known
    ]


def _check_macros(text: str, file: str) -> list[Any]:
    """Name, line, arguments, required arguments and openness of each macro."""
    try:
        for node in _macro_nodes(text, file):
            _macro_template(text, file, node.lineno)
    except TemplateSyntaxError as error:
        raise syntax_error(error, text, file) from error
    return [_about(node) for node in _macro_nodes(text, file)]


def _about(node: nodes.Macro) -> list[Any]:
    arguments = [argument.name for argument in node.args]
    required = arguments[: len(node.args) - len(node.defaults)]
    names = {name.name for name in node.find_all(nodes.Name)}
    return [node.name, node.lineno, arguments, required, bool(names & {"kwargs", "varargs"})]


@lru_cache(maxsize=512)
def _macro_nodes(text: str, file: str) -> tuple[nodes.Macro, ...]:
    tree = _parsed(text, file)
    return tuple(node for node in tree.body if isinstance(node, nodes.Macro))


def _built_in(cache: RenderCache | None = None) -> dict[str, Macro]:
    macros: dict[str, Macro] = {}
    for path in sorted(BUILT_IN_MACROS.glob("*.sql")):
        file = f"llm_i2i/render/macros/{path.name}"
        macros |= {
            macro.name: macro for macro in parse_macros(path.read_text("utf-8-sig"), file, cache)
        }
    return macros


def _add(macro: Macro, into: dict[str, Macro], errors: list[LlmI2iError]) -> None:
    first = into.setdefault(macro.name, macro)
    if macro.name in RESERVED_NAMES:
        errors.append(
            ProjectError(
                f"macro '{macro.name}' has the name of a built-in function",
                where=macro.location,
                found=f"built in: {', '.join(sorted(RESERVED_NAMES))}",
                fix="give it another name",
            )
        )
    elif first is not macro:
        errors.append(
            ProjectError(
                f"macro '{macro.name}' is defined twice",
                where=macro.location,
                found=f"first defined at {first.location}",
                fix="rename or remove one of the two",
            )
        )
