"""What the code may not do, read from its source: unpickle, run what a model brings along, run text, trust an unpinned build."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("llm_i2i", "udfs", "project")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
# What a Spark executor answers its own driver, in memory; Spark sends the work itself in the same way.
ALLOWED = {"llm_i2i/engine/spark_batches.py": ["imports pickle"]}
LOADS_PICKLES = {"torch.load", "torch.save", "np.loads", "pd.read_pickle", "torch.hub.load"}


@functools.lru_cache(maxsize=1)
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Dotted names of the functions that a file calls."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def keyword(call: ast.Call, name: str) -> str:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), "")


def problems(path: Path) -> Iterator[str]:
    """What a file does that it may not."""
    for module in imports(path):
        if module in UNPICKLERS:
            yield f"imports {module}"
    for name, call in calls(path):
        last = name.rpartition(".")[2]
        if name in RUNNERS or name in ("os.system", "os.popen"):
            yield f"line {call.lineno}: {name} runs text"
        if name in LOADS_PICKLES:
            yield f"line {call.lineno}: {name} reads or writes pickles"
        if name in ("np.load", "numpy.load") and keyword(call, "allow_pickle") != "False":
            yield f"line {call.lineno}: np.load without allow_pickle=False"
        if name.startswith("yaml.") and last in ("load", "load_all", "unsafe_load", "full_load"):
            yield f"line {call.lineno}: {name} makes objects"
        if last in ("from_pretrained", "from_config") and keyword(call, "trust_remote_code") != "False":  # fmt: skip
            yield f"line {call.lineno}: {name} without trust_remote_code=False"
        weights = re.fullmatch(r"AutoModel\w*\.from_pretrained", name)
        if weights and keyword(call, "use_safetensors") != "True":
            yield f"line {call.lineno}: {name} without use_safetensors=True"
        if keyword(call, "shell") not in ("", "False") and name.startswith("subprocess."):
            yield f"line {call.lineno}: {name} through a shell"


def test_the_code_does_none_of_it() -> None:
    assert len(FILES) > 150
    found = {str(path.relative_to(ROOT)): list(problems(path)) for path in FILES}
    assert {name: what for name, what in found.items() if what} == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "torch.load('x')", "np.load('x')", "np.load('x', allow_pickle=True)", "yaml.load(x)",
        "eval('1')", "os.system('x')", "subprocess.run('x', shell=True)", "AutoConfig.from_pretrained('x')",
        "AutoModel.from_pretrained('x', trust_remote_code=False)", "AutoTokenizer.from_pretrained('x', trust_remote_code=True)",
    ],
)  # fmt: skip
def test_each_of_it_would_be_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.py").write_text(line)
    assert len(list(problems(tmp_path / "x.py"))) == 1


def test_every_pin_is_exact() -> None:
    """The lock that `make build` and `make test` install from; and no requirement of ours is outside of it."""
    lines = (ROOT / ".ci/constraints.txt").read_text().split("\n")
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    names = [re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", pin) for pin in pins)
    assert len(set(names)) == len(names)
