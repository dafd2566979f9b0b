"""What language models would read and answer: a few rows, before hours of calls or of training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.runner.build.events import Reporter
from llm_i2i.runner.build.steps import call_constants
from llm_i2i.udf import RowError, UdfContext

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.lm.tokenizer import TokenizerVocabulary
    from llm_i2i.plan.step import Plan, PlanStep
    from llm_i2i.runner.build.context import BuildContext
    from llm_i2i.runner.project import Project
    from llm_i2i.sql.steps import CallStep

# What the rows are read from; the results that it points to are those that a build reuses.
ENVIRONMENT = "preview"
# Arguments by which a training and a call are known.
SETTINGS, CHECKPOINT = "language_model", "model"
EXAMPLES = "examples"  # the rows of a training
UNCUT = 1 << 30  # tokens
SHOWN = 5  # items of one answer
STILL = 1e-12  # learning rate of the step that makes a checkpoint and leaves the model what it is


@dataclass(frozen=True)
class PreviewRow:
    """One prompt.

    Attributes:
        prompt: As the model reads it: within its turns, and cut to its length.
        tokens: Of the prompt, by the model's own tokenizer; words where it has none.
        whole: The same before it was cut to the model's length.
        answer: Of the model; '' where there is none, or for a row of training what is to be answered.
    """

    prompt: str
    tokens: int
    whole: int
    answer: str


@dataclass(frozen=True)
class Preview:
    """Rows of one model that trains or asks a language model.

    Attributes:
        node: The model.
        does: What it does with the rows: `learns` or `asks`.
        state: Of the language model that answers.
        rows: Empty where they cannot be had yet.
        hint: What to do about that; '' where there is nothing to do.
    """

    node: str
    does: str
    state: str
    rows: tuple[PreviewRow, ...] = ()
    hint: str = ""


def previews(
    project: Project,
    names: Iterable[str] = (),
    n: int = 5,
    *,
    with_answers: bool = True,
    reporter: Reporter | None = None,
) -> list[Preview]:
    """`n` rows of each model that trains or asks a language model, evenly spread over its rows.

    What the rows are made of is built, unless a language model would have to be trained or asked for it: nothing long runs here. Answers
    come from the trained model where it is in the store; from a pretrained model as it is, where it is not trained yet.

    Args:
        names: Models; by default the first one of each file that trains or asks a language model.
        with_answers: Ask the models; without, a tokenizer is all that is loaded.

    Raises:
        ProjectError: A name is no model, or one that neither trains nor asks a language model.
    """
    previewer = _Previewer(project, n, with_answers, reporter)
    return [previewer.preview(name) for name in names or _first(project)]


def _first(project: Project) -> list[str]:
    found: dict[str, str] = {}
    for step in project.plan().steps:
        call = _language_call(step)
        if call is not None and _reads_prompts(project, call):
            found.setdefault(step.node.path, step.node.name)
    return list(found.values())


def _language_call(step: PlanStep) -> CallStep | None:
    """The first call of a step that trains or asks a language model."""
    return next(
        (c for c in step.compiled.steps if c.constants.keys() & {SETTINGS, CHECKPOINT}), None
    )


def _reads_prompts(project: Project, call: CallStep) -> bool:
    if call.kind == "table":
        return EXAMPLES in call.inputs
    return project.udfs.signatures[call.udf.lower()].columns[0].name == "prompt"


Reads = Callable[
    [str], tuple[str, int, int]
]  # a prompt as the model gets it, its tokens, and those before it was cut


@dataclass(frozen=True)
class _Model:
    state: str
    reads: Reads
    checkpoint: Path | None = None
    hint: str = ""


class _Previewer:
    def __init__(
        self, project: Project, n: int, with_answers: bool, reporter: Reporter | None
    ) -> None:
        self.project = project.in_environment(ENVIRONMENT)
        self.n = n
        self.with_answers = with_answers
        self.reporter = reporter or Reporter()

    def preview(self, name: str) -> Preview:
        plan = self.project.plan(f"+{name}")
        steps = {step.node.name: step for step in plan.steps}
        if name not in steps:
            raise ProjectError(f"no model {name!r}", fix="llmi2i ls names all models")
        call = _language_call(steps[name])
        if call is None or not _reads_prompts(self.project, call):
            raise ProjectError(
                f"{name} neither trains nor asks a language model",
                found=f"such are {', '.join(_first(self.project)) or 'none'}",
                fix="name one of these, or none",
            )
        does = "asks" if call.kind == "batch" else "learns"
        blocked = self._built(plan, steps, self._read(steps[name], call.inputs.values()))
        if blocked:
            return Preview(
                name,
                does,
                f"made of {blocked}, which is not there yet",
                hint=f"llmi2i build -s +{blocked}",
            )
        context = self.project.planner.context(self.project.plan(f"+{name}"), self.reporter)
        if call.kind == "batch":
            return self._asked(steps, steps[name], call, context)
        return self._learned(steps, steps[name], call, context)

    def _read(self, step: PlanStep, queries: Iterable[str]) -> list[str]:
        """The nodes that queries of a step read."""
        tables = {t.name for sql in queries for t in parse_one(sql, dialect="duckdb").find_all(exp.Table)}  # fmt: skip
        return [name for name in step.node.reads if name in tables]

    def _built(self, plan: Plan, steps: Mapping[str, PlanStep], names: list[str]) -> str:
        """Build these; the name of a model of language models that would have to run before."""
        wanted = {step.node.name for step in self.project.plan([f"+{n}" for n in names]).to_build} if names else set()  # fmt: skip
        blocking = [name for name in wanted if name in steps and _language_call(steps[name])]
        if blocking:
            order = [step.node.name for step in plan.steps]
            return max(blocking, key=order.index)
        if wanted:
            result = self.project.build([f"+{n}" for n in names], reporter=self.reporter)
            failed = [n.step.node.name for n in result.nodes if n.status == "ERROR"]
            if failed:
                raise ProjectError(f"{failed[0]} failed", fix=f"llmi2i build -s +{failed[0]}")
        return ""

    def _asked(
        self, steps: Mapping[str, PlanStep], step: PlanStep, call: CallStep, context: BuildContext
    ) -> Preview:
        engine = context.open_step(step, self._there(step, context))
        try:
            rows = _spread(engine.table(call.inputs["arguments"]), self.n)
            others = {k: v for k, v in call.constants.items() if k != CHECKPOINT}
            constants = call_constants(replace(call, constants=others), step.node, engine)
        finally:
            engine.close()
        teachers = self._read(step, [call.constants[CHECKPOINT]])
        model = self._model(steps, teachers, context, [str(row[0]) for row in rows], self.with_answers)  # fmt: skip
        answers: Sequence[Any] = [""] * len(rows)
        if self.with_answers and model.checkpoint is not None and rows:
            target = self.project.target_dir
            told = UdfContext(self.project.dir, self.project.store.root, target, "", serving=self.project.serving)  # fmt: skip
            constants[CHECKPOINT] = str(model.checkpoint.resolve())
            function = self.project.udfs.function(call.udf)
            answers = function(*map(list, zip(*rows, strict=True)), **constants, context=told)
        titles = self._titles(context)
        found = [
            PreviewRow(*model.reads(str(row[0])), _answer(answer, titles))
            for row, answer in zip(rows, answers, strict=True)
        ]
        return Preview(step.node.name, "asks", model.state, tuple(found), model.hint)

    def _learned(
        self, steps: Mapping[str, PlanStep], step: PlanStep, call: CallStep, context: BuildContext
    ) -> Preview:
        engine = context.open_step(step, self._there(step, context))
        try:
            examples = engine.table(call.inputs[EXAMPLES])
        finally:
            engine.close()
        titles, names = self._titles(context), examples.column_names
        rows = [dict(zip(names, row, strict=True)) for row in _spread(examples, self.n)]
        prompts = [row["prompt"] for row in rows]
        model = self._model(steps, [step.node.name], context, prompts, with_answers=False)
        found = [PreviewRow(*model.reads(row["prompt"]), _to_learn(row, titles)) for row in rows]
        return Preview(step.node.name, "learns", model.state, tuple(found))

    def _there(self, step: PlanStep, context: BuildContext) -> tuple[str, ...]:
        return tuple(filter(context.has_result, step.node.reads))

    def _model(
        self,
        steps: Mapping[str, PlanStep],
        names: Sequence[str],
        context: BuildContext,
        prompts: Sequence[str],
        with_answers: bool,
    ) -> _Model:
        """What a training has made, or will: trained where that is in the store, as it is where it is pretrained."""
        step = steps.get(names[0]) if names else None
        call = _language_call(step) if step else None
        if step is None or call is None or call.kind == "batch":
            return _Model("not known before it is built", _words)
        name = step.node.name
        if context.has_result(name):
            engine = context.new_engine()
            try:
                context.declare(engine, (name,))
                found = engine.rows(f'select any_value(checkpoint) from "{name}"')[0][0]
            finally:
                engine.close()
            folder = self.project.store.root / str(found).partition("@")[0]
            return _Model("trained", _of_checkpoint(folder), folder)
        hint = f"llmi2i build -s +{name}"
        if self._built(
            self.project.plan(f"+{name}"), steps, self._read(step, call.inputs.values())
        ):
            return _Model("not trained yet", _words, hint=hint)
        engine = context.open_step(step, self._there(step, context))
        try:
            raw = json.loads(engine.local_rows(call.constants[SETTINGS])[0][0])
            if not raw.get("pretrained"):
                state = (
                    "not trained yet, made from sizes: it has nothing to say before it is trained"
                )
                return _Model(state, _words, hint=hint)
            if not with_answers:
                given = call.inputs.get("items")
                items = engine.table(given)["item_token"].to_pylist() if given else []
                return _Model("not fine-tuned yet", self._of_tokenizer(raw, items, prompts))
            still = {**raw, "learning_rate": STILL, "epochs": 1, "warmup": 0.0, "early_stop": None}
            folder = self.project.target_dir / "preview" / fingerprint([step.fingerprint, still])
            if not folder.exists():
                self._make(folder, still, {k: engine.table(sql) for k, sql in call.inputs.items()})
        finally:
            engine.close()
        return _Model("as it is, not fine-tuned yet", _of_checkpoint(folder), folder, hint)

    def _make(self, folder: Path, raw: dict[str, Any], tables: Mapping[str, pa.Table]) -> None:
        """A checkpoint of a pretrained model that has learned nothing: one step at a learning rate of nothing."""
        from llm_i2i.lm.open import train_checkpoint
        from llm_i2i.lm.settings import settings_from

        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        settings = settings_from(raw)
        few = tables[EXAMPLES].slice(0, settings.batch_size)
        train_checkpoint(few, unfinished, settings, items=tables.get("items"), base_dir=self.project.dir)  # fmt: skip
        unfinished.rename(folder)

    def _of_tokenizer(
        self, raw: dict[str, Any], items: Sequence[str], prompts: Sequence[str]
    ) -> Reads:
        from llm_i2i.lm.backend import missing_extra
        from llm_i2i.lm.history import is_open_list
        from llm_i2i.lm.settings import PretrainedSettings, settings_from

        try:
            from llm_i2i.lm.training.pretrained import item_vocabulary, load_tokenizer
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        settings = settings_from(raw)
        assert isinstance(settings, PretrainedSettings)
        is_list = bool(prompts) and all(map(is_open_list, prompts))
        tokenizer = load_tokenizer(settings, self.project.dir)
        vocabulary, _ = item_vocabulary(tokenizer, items, settings, is_list=is_list)
        return _of_vocabulary(vocabulary, settings.max_length)

    def _titles(self, context: BuildContext) -> dict[str, str]:
        """What items are called, where the project has tables of that."""
        needed = ("item_numbers", "items")
        nodes = self.project.manifest.nodes
        if not all(name in nodes and context.has_result(name) for name in needed):
            return {}
        engine = context.new_engine()
        try:
            context.declare(engine, needed)
            sql = "select n.item_token, i.title from item_numbers as n inner join items as i on i.item_id = n.item_id where i.title is not null"
            return dict(engine.rows(sql))
        finally:
            engine.close()


def _spread(table: pa.Table, n: int) -> list[tuple[Any, ...]]:
    """`n` rows at equal distances."""
    places = sorted({i * table.num_rows // n for i in range(n)}) if table.num_rows else []
    columns = [column.to_pylist() for column in table.take(places).columns]
    return list(zip(*columns, strict=True))


def _words(prompt: str) -> tuple[str, int, int]:
    count = len(prompt.split())
    return prompt, count, count


def _of_checkpoint(folder: Path) -> Reads:
    from llm_i2i.lm.checkpoint import load_metadata, open_vocabulary
    from llm_i2i.lm.tokenizer import TokenizerVocabulary

    metadata = load_metadata(folder)
    vocabulary = open_vocabulary(folder, metadata)
    if isinstance(vocabulary, TokenizerVocabulary):
        return _of_vocabulary(vocabulary, metadata.settings.max_length)
    return _words


def _of_vocabulary(vocabulary: TokenizerVocabulary, longest: int) -> Reads:
    def reads(prompt: str) -> tuple[str, int, int]:
        ids = vocabulary.encode(prompt, longest)
        return str(vocabulary.tokenizer.decode(ids)), len(ids), len(vocabulary.encode(prompt, UNCUT))  # fmt: skip

    return reads


def _answer(value: Any, titles: Mapping[str, str]) -> str:
    """What a call gave, for people: items best first, a confidence, or the value."""
    if value == "":
        return ""
    if isinstance(value, RowError):
        return f"failed: {value.message}"
    if isinstance(value, dict) and "confidence" in value:
        return f"confidence {value['confidence']:.3f}"
    if (
        isinstance(value, list)
        and value
        and isinstance(value[0], dict)
        and "item_token" in value[0]
    ):
        best = [
            f"{_called(v['item_token'], titles)} {v['log_probability']:.2f}" for v in value[:SHOWN]
        ]
        return "\n".join(best)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _to_learn(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What a row of training is to be answered, each target with its weight."""
    if "completion" in row:
        return f"{_called(row['completion'], titles)} (weight {float(row['weight']):g})"
    pairs = list(zip(row["completions"], row["weights"], strict=True))
    lines = [
        f"{_called(item, titles)} {'(read only)' if weight == 0 else f'(weight {float(weight):g})'}"
        for item, weight in pairs[-SHOWN:]
    ]
    left = len(pairs) - len(lines)
    return "\n".join([*([f"... {left} before"] if left else []), *lines])


def _called(token: str, titles: Mapping[str, str]) -> str:
    title = titles.get(token)
    return f"{token} {title}" if title and title != token else token
