"""One training process: `python -m llm_i2i.lm.training.worker JOB_FOLDER`, alone or under torch's launcher.

It tells its parent how it goes in JSON lines on stdout, and ends when its stdin does: however the parent dies, no training is
left behind.
"""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint import Metadata, check_complete, save_metadata
from llm_i2i.lm.history import is_open_list
from llm_i2i.lm.settings import WHERE, PretrainedSettings
from llm_i2i.lm.tokenizer import load_tokenizer_vocabulary
from llm_i2i.lm.trainer import LogRow
from llm_i2i.lm.training.behaviour_start import BehaviourStart, Starts
from llm_i2i.lm.training.causal import AnswerLoss, TargetSteps, competing_tokens
from llm_i2i.lm.training.examples import RawExamples, read_examples
from llm_i2i.lm.training.job import TrainingJob, load_job
from llm_i2i.lm.training.loop import TrainingLoop
from llm_i2i.lm.training.memory import tokens_at_once
from llm_i2i.lm.training.pretrained import (
    add_rows,
    item_vocabulary,
    load_model,
    load_tokenizer,
    merged,
    on_this_machine,
    save_pretrained,
    with_lora,
)
from llm_i2i.lm.training.resume import ResumeFolder
from llm_i2i.lm.training.strategies import open_strategy
from llm_i2i.lm.training.targets import encode_targets, item_tokens_for, training_kind
from llm_i2i.lm.training.text_start import text_start

Emit = Callable[[dict[str, Any]], None]
MARK = "llmi2i"  # tells our lines on stdout from those of other packages


def run_job(job: TrainingJob, emit: Emit = lambda event: None) -> list[LogRow]:
    """Train and save; process 0 writes the checkpoint. Equal job, equal weights (on a CPU to the bit)."""
    settings = on_this_machine(job.settings)
    torch.manual_seed(job.random_seed)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    raw = read_examples(job.examples)
    known, tokenizer, source = _start(job)
    is_list = all(is_open_list(prompt) for prompt in set(raw.prompts))
    vocabulary, added = item_vocabulary(
        tokenizer, item_tokens_for(raw, job.items, known), settings, is_list=is_list
    )
    targets = encode_targets(raw, vocabulary, settings.max_length)
    model = load_model(source, settings, job.base_dir)
    add_rows(model, len(tokenizer), added, _starts_of_rows(job, raw, tokenizer, added))
    if settings.lora is not None:
        model = with_lora(model, settings, train_embeddings=bool(added))
    module = AnswerLoss(model, competing_tokens(vocabulary, raw))
    strategy = open_strategy(module, settings, job.base_dir)
    resume = ResumeFolder(job.states, strategy.rank, strategy.barrier)

    def progress(done: float, total: float, message: str) -> None:
        if strategy.rank == 0:
            emit({"event": "progress", "done": done, "total": total, "message": message})

    most = tokens_at_once(model, settings)
    steps = TargetSteps(targets, settings, job.random_seed, strategy, most)
    loop = TrainingLoop(
        strategy,
        module,
        steps,
        settings,
        resume,
        settings.early_stop,
        settings.checkpoint_every,
        progress,
    )
    log = loop.run()
    if strategy.rank == 0:
        save_pretrained(merged(model), vocabulary, job.folder, settings.precision)
        kind = training_kind(raw, vocabulary.item_tokens)
        labels = raw.labels if kind == "labels" else ()
        save_metadata(
            job.folder,
            Metadata(
                settings,
                kind,
                len(vocabulary.item_tokens),
                labels,
                job.random_seed,
                vocabulary="tokenizer",
            ),
        )
        emit({"event": "log", "rows": [asdict(row) for row in log]})
    strategy.barrier()
    return log


def _starts_of_rows(
    job: TrainingJob, raw: RawExamples, tokenizer: Any, added: Sequence[int]
) -> Starts | None:
    """Where the rows of added tokens start (`init`); None is the mean of the model's own."""
    if job.settings.init == "mean" or not added:
        return None
    first = text_start(tokenizer, job.items, added)
    if job.settings.init == "text" or job.settings.item_ids != "token":
        return first
    words = tokenizer.convert_ids_to_tokens(list(added))
    return BehaviourStart(first, raw, words, job.random_seed)


def _start(job: TrainingJob) -> tuple[tuple[str, ...], Any, str]:
    """Items already known, tokenizer and name of the weights: those of `initial`, or of the pretrained model."""
    if job.initial is None:
        return (), load_tokenizer(job.settings, job.base_dir), job.settings.pretrained
    metadata = check_complete(job.initial)
    if not isinstance(metadata.settings, PretrainedSettings):
        raise LlmI2iError(
            "a pretrained model cannot start from a checkpoint with a vocabulary of words",
            where=str(job.initial),
            fix="train both language models with the same pretrained",
        )
    if metadata.settings.item_ids != job.settings.item_ids:
        raise LlmI2iError(
            "the initial checkpoint spells items in another way",
            where=f"{WHERE}.item_ids",
            found=f"{metadata.settings.item_ids} there, {job.settings.item_ids} here",
            fix="give both language models the same item_ids",
        )
    items = load_tokenizer_vocabulary(job.initial).item_tokens
    tokenizer = AutoTokenizer.from_pretrained(
        job.initial, local_files_only=True, trust_remote_code=False
    )
    return items, tokenizer, str(job.initial)


def _end_with_parent() -> None:
    def wait() -> None:
        # Not sys.stdin: its lock, held here for good, would stop the interpreter from ending.
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _emit(event: dict[str, Any]) -> None:
    # One write a line: lines of several processes do not mix.
    os.write(1, (json.dumps({MARK: event}) + "\n").encode())


def main(place: str) -> int:
    """Run a job folder; the exit code says whether the checkpoint is written."""
    _end_with_parent()
    if (
        not torch.cuda.is_available()
    ):  # threads add in one order; on a GPU it may cost much, and is not promised
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        run_job(load_job(Path(place)), _emit)
    except LlmI2iError as error:
        _emit(
            {
                "event": "error",
                "what": error.what,
                "where": error.where,
                "found": error.found,
                "fix": error.fix,
            }
        )
        return 1
    except Exception as error:
        traceback.print_exc()
        _emit({"event": "crash", "found": f"{type(error).__name__}: {error}"})
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
