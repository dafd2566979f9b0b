"""What carries out a training step: plain torch in one process, or DeepSpeed (ZeRO-1/2) in several. Same numbers from both."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.device import Device, choose_device
from llm_i2i.lm.settings import PretrainedSettings, TrainingSettings
from llm_i2i.lm.training.examples import Batch

TENSORS = "tensors.safetensors"
RANDOM = "random-{rank}.safetensors"
TAG = "zero"  # name of DeepSpeed's part in a state folder


class TrainingStrategy(Protocol):
    """One process of a training. `module` maps a batch to the sum of weight x negative log-likelihood over its targets."""

    rank: int
    processes: int

    def step(self, parts: Sequence[Batch], divisor: float, rate: float) -> float:
        """Train on this process' parts of a step; returns the loss of the whole step, over all processes."""
        ...

    def loss(self, parts: Sequence[Batch], divisor: float) -> float:
        """Loss over all processes, without training."""
        ...

    def save(self, folder: Path) -> None:
        """Write weights, optimizer and random state of this process."""
        ...

    def load(self, folder: Path) -> None:
        """Go on from what `save` wrote."""
        ...

    def barrier(self) -> None:
        """Wait for the other processes."""
        ...


def open_strategy(
    module: nn.Module, settings: PretrainedSettings, base_dir: Path
) -> TrainingStrategy:
    """The strategy the settings ask for."""
    if settings.deepspeed is None:
        return PlainStrategy(module, settings, is_mixed=settings.precision == "bfloat16")
    return DeepSpeedStrategy(module, settings, base_dir)


class PlainStrategy:
    """torch alone, in one process.

    Args:
        device: Where it trains; `auto` is a GPU where there is one.
        is_mixed: Compute in bfloat16, by autocast; the weights are float32 in any case.
    """

    rank, processes = 0, 1

    def __init__(
        self,
        module: nn.Module,
        settings: TrainingSettings,
        device: Device = "auto",
        *,
        is_mixed: bool = False,
    ) -> None:
        self.device = torch.device(choose_device(device))
        self.module = module.to(self.device)
        self.clip = settings.clip
        self.is_mixed = is_mixed
        self.trained = dict(_trained(module))
        self.optimizer = _adamw(list(self.trained.values()), settings)

    def step(self, parts: Sequence[Batch], divisor: float, rate: float) -> float:
        total = 0.0
        for batch in parts:
            with self._autocast():
                loss = self.module(batch) / divisor
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.clip)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    @torch.no_grad()
    def loss(self, parts: Sequence[Batch], divisor: float) -> float:
        with self._autocast():
            return float(sum(self.module(batch).item() for batch in parts)) / divisor

    def save(self, folder: Path) -> None:
        tensors = {f"weight.{name}": value.detach() for name, value in self.trained.items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
        save_file({name: value.contiguous() for name, value in tensors.items()}, folder / TENSORS)
        _save_random(folder, 0)

    def load(self, folder: Path) -> None:
        tensors = load_file(folder / TENSORS)
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(tensors[f"weight.{name}"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                index, _, key = rest.partition(".")
                state.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        _load_random(folder, 0)

    def barrier(self) -> None:
        pass

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.is_mixed else nullcontext()


class DeepSpeedStrategy:
    """DeepSpeed with a configuration file: optimizer state and gradients are spread over the processes (ZeRO-1, ZeRO-2)."""

    def __init__(self, module: nn.Module, settings: PretrainedSettings, base_dir: Path) -> None:
        has_cuda = torch.cuda.is_available()
        os.environ.setdefault("DS_ACCELERATOR", "cuda" if has_cuda else "cpu")
        import deepspeed  # reads DS_ACCELERATOR as it is imported

        if has_cuda:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        deepspeed.init_distributed(dist_backend="nccl" if has_cuda else "gloo", verbose=False)
        self.rank = torch.distributed.get_rank()
        self.processes = torch.distributed.get_world_size()
        self.accumulation = settings.gradient_accumulation
        config = load_config(base_dir / settings.deepspeed, settings)
        trained = [parameter for _, parameter in _trained(module)]
        own = None if "optimizer" in config else _adamw(trained, settings)
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=module, model_parameters=trained, optimizer=own, config=config
        )

    def step(self, parts: Sequence[Batch], divisor: float, rate: float) -> float:
        # DeepSpeed divides gradients by processes x accumulation; ours are parts of one mean, to be summed.
        scale = self.processes * self.accumulation / divisor
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = 0.0
        for batch in parts:
            loss = self.engine(batch)
            self.engine.backward(loss * scale)
            self.engine.step()
            total += loss.item()
        return self._over_all(total) / divisor

    @torch.no_grad()
    def loss(self, parts: Sequence[Batch], divisor: float) -> float:
        return self._over_all(sum(self.engine.module(batch).item() for batch in parts)) / divisor

    def save(self, folder: Path) -> None:
        self.engine.save_checkpoint(folder, tag=TAG, exclude_frozen_parameters=True)
        _save_random(folder, self.rank)

    def load(self, folder: Path) -> None:
        self.engine.load_checkpoint(folder, tag=TAG, load_module_strict=False)
        _load_random(folder, self.rank)

    def barrier(self) -> None:
        torch.distributed.barrier()

    def _over_all(self, value: float) -> float:
        total = torch.tensor(value, dtype=torch.float64, device=self.engine.device)
        torch.distributed.all_reduce(total)
        return total.item()


def load_config(path: Path, settings: PretrainedSettings) -> dict[str, Any]:
    """A DeepSpeed configuration with each "auto" filled in from the settings.

    Raises:
        LlmI2iError: It is not readable, keeps an "auto" we cannot fill, contradicts the settings, or shards the weights.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LlmI2iError(
            "cannot read the DeepSpeed configuration",
            where=str(path),
            found=str(error),
            fix="take project/deepspeed/zero2.json as a start",
        ) from error
    known = {
        "train_batch_size": settings.batch_size,
        "train_micro_batch_size_per_gpu": settings.batch_size
        // (settings.processes * settings.gradient_accumulation),
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "gradient_clipping": settings.clip,
        "bf16.enabled": settings.precision == "bfloat16",
        "optimizer.params.lr": settings.learning_rate,
        "optimizer.params.weight_decay": settings.weight_decay,
    }
    for name in (
        "train_batch_size",
        "train_micro_batch_size_per_gpu",
        "gradient_accumulation_steps",
        "gradient_clipping",
    ):
        config.setdefault(name, "auto")
    config.setdefault("bf16", {"enabled": "auto"})
    for place, owner, key in _leaves(config, ""):
        if owner[key] == "auto":
            if place not in known:
                raise _config_error(path, f"{place} is auto, which we cannot fill in", place)
            owner[key] = known[place]
        elif place in known and owner[key] != known[place]:
            raise _config_error(
                path,
                f"{place} contradicts the language model: {owner[key]}, not {known[place]}",
                place,
            )
    if config.get("zero_optimization", {}).get("stage", 0) > 2:
        raise _config_error(path, "ZeRO stage 3 spreads the weights, which we cannot save", "stage")
    return config


def _leaves(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    for key, value in list(values.items()):
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, values, key


def _config_error(path: Path, what: str, place: str) -> LlmI2iError:
    return LlmI2iError(
        f"the DeepSpeed configuration does not fit: {what}",
        where=str(path),
        fix=f"set {place} to a value, or write auto for batch sizes, lr, weight_decay, gradient_clipping and bf16"
        if place != "stage"
        else "set zero_optimization.stage: 2",
    )


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def _adamw(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def _save_random(folder: Path, rank: int) -> None:
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    save_file(state, folder / RANDOM.format(rank=rank))


def _load_random(folder: Path, rank: int) -> None:
    state = load_file(folder / RANDOM.format(rank=rank))
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
