"""What a build says of its own results at its end: the column `message` of every model with the tag `conclusion`."""

from __future__ import annotations

from collections.abc import Iterator

from llm_i2i.errors import LlmI2iError, NodeError
from llm_i2i.names import quote_identifier
from llm_i2i.runner.build.context import BuildContext

TAG, COLUMN = "conclusion", "message"


def read_conclusions(context: BuildContext) -> Iterator[str]:
    """The messages of each such model of the plan, in the order of the plan.

    Raises:
        NodeError: A model with the tag has no column `message`.
    """
    steps = [step for step in context.plan.steps if TAG in step.node.tags and step.action != "view"]
    if not steps:
        return
    engine = (context.local_engine or context.new_engine)()
    try:
        context.declare(engine, tuple(step.node.name for step in steps))
        for step in steps:
            try:
                rows = engine.rows(f"select {COLUMN} from {quote_identifier(step.node.name)}")
            except LlmI2iError as error:
                raise NodeError(
                    f"the model {step.node.name} has the tag {TAG}, and no column {COLUMN} that could be printed",
                    where=step.node.path,
                    found=error.found,
                    fix=f"give it a text column {COLUMN}, or take the tag {TAG} away",
                ) from error
            yield from (str(message) for (message,) in rows if message is not None)
    finally:
        engine.close()
