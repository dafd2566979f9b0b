"""What SQLFluff renders models with: the project's own functions."""

from __future__ import annotations

from pathlib import Path

from jinja2.sandbox import SandboxedEnvironment

from llm_i2i.runner.inspection.lint import template_names
from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[3]


def test_another_jinja_renders_the_models_as_we_do(tmp_path: Path) -> None:
    names = template_names(ROOT)
    other = SandboxedEnvironment(extensions=["jinja2.ext.do"])
    nodes = Project.load(ROOT, target_path=tmp_path).manifest.nodes
    for model in ("item_long_tail", "item_features", "users", "fused_interactions"):
        node = nodes[model]
        text = other.from_string((ROOT / node.path).read_text()).render(names)
        assert "".join(text.rstrip().rstrip(";").split()) == "".join(node.sql.split()), model


def test_a_model_that_asks_for_the_columns_of_another_is_rendered_as_we_do(tmp_path: Path) -> None:
    other = SandboxedEnvironment(extensions=["jinja2.ext.do"])
    node = Project.load(ROOT, target_path=tmp_path).manifest.nodes["scored_interactions"]
    text = other.from_string((ROOT / node.path).read_text()).render(template_names(ROOT))
    assert "".join(text.rstrip().rstrip(";").split()) == "".join(node.sql.split())
    assert "swing_recent" in text, "a signal of candidate_signals"
