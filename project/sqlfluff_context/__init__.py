"""What SQLFluff renders models with: this project's own ref, var, prompt and macros. `.sqlfluff` names this folder."""

from pathlib import Path

from llm_i2i.runner.inspection.lint import template_names

globals().update(template_names(Path(__file__).resolve().parents[2]))
