"""`from fine_tune((select ...), language_model := '{...}', items := (select ...))`: train a language model, get its log."""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa

from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.settings import parse_settings
from llm_i2i.udf import UdfContext, table_udf


@table_udf(
    returns={
        "step": "BIGINT",
        "epoch": "DOUBLE",
        "loss": "DOUBLE",
        "learning_rate": "DOUBLE",
        "seconds": "DOUBLE",
        "validation_loss": "DOUBLE",
        "validation_auc": "DOUBLE",
        "attempt": "BIGINT",
        "checkpoint": "VARCHAR",
    }
)
def fine_tune(
    examples: pa.Table,
    *,
    language_model: str,
    items: pa.Table | None = None,
    initial: str | None = None,
    validation: pa.Table | None = None,
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """The training log, one row every tenth of an epoch; its last row is the finished model.

    `checkpoint` is the same on every row: `(select max(checkpoint) from {{ ref('generator') }})` is what the inference UDFs
    take as `model`. The loss is the mean of weight x negative log-likelihood over the targets, in nats; it is not divided by
    the sum of weights (LLM-I2I, eq. 1-3). `validation_loss` is null but where a training with `early_stop` evaluated it, and
    `validation_auc` but where one with `validation` did. `attempt` is 1, and 2 or 3 where such a training had to start again from
    another seed, because its AUC was not above one half by two standard errors; the best attempt becomes the checkpoint. A killed training of a model with `checkpoint_every` goes on where it was when the same node is built again.

    Args:
        examples: One row a sequence: `prompt` (words before the items, may be ''), `completions` (item tokens, oldest first),
            `weights` (of each as a target; 0 = context only). Or one row an example: `prompt`, `completion`, `weight`.
        language_model: Settings as JSON, see `llm_i2i.lm.settings`.
        items: The catalogue: `item_token`, and optionally `features`, a list of structs (name, weight) whose embeddings are
            added to the item's.
        initial: Checkpoint to start from, for example the generator's for the discriminator.
        validation: Examples answered Yes or No that are not learned from. A model made from sizes keeps the weights that judge
            them best, and stops when they do not get better.
    """
    log = train_checkpoint(
        examples,
        context.artifact_dir,
        parse_settings(language_model),
        items=items,
        initial=context.resolve(initial) if initial else None,
        random_seed=random_seed,
        progress=context.progress,
        resume_dir=context.resume_dir,
        base_dir=context.project_dir,
        validation=validation,
    )
    checkpoint = f"{context.artifact_name}@{checkpoint_digest(context.artifact_dir)}"
    return pa.Table.from_pylist([{**asdict(row), "checkpoint": checkpoint} for row in log])
