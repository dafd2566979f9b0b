"""columns_of(): the columns that another model's own final select names."""

from pathlib import Path

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render.columns import ModelText
from llm_i2i.render.renderer import Renderer
from llm_i2i.render.result import Instance

ASKING = "select {{ columns_of('signals') | reject('in', ['id']) | join(', ') }} from {{ ref('signals') }}"


def renderer(signals: str, **vars: object) -> Renderer:
    made = Renderer(vars=vars)
    made.know(
        {
            "signals": ModelText("models/signals.sql", signals),
            "b": ModelText("models/b.sql", ASKING),
        }
    )
    return made


def rendered(signals: str, **vars: object) -> str:
    return renderer(signals, **vars).render_model("models/b.sql", ASKING, name="b").sql


def test_a_new_column_is_picked_up_in_its_place() -> None:
    assert rendered("select id, a from t").startswith("select a from")
    two = "with x as (select id, z from t) select x.id, b.c as first, z from x"
    assert rendered(two).startswith("select first, z from")


def test_the_columns_are_those_of_the_vars_of_today_and_the_vars_are_read() -> None:
    text = "select id, a{% if var('more') %}, b{% endif %} from t"
    made = renderer(text, more=False)
    model = made.render_model("models/b.sql", ASKING, name="b")
    assert model.sql.startswith("select a from")
    assert model.vars == {"more": False}
    other = made.overridden({"more": True}).render_model("models/b.sql", ASKING, name="b")
    assert other.sql.startswith("select a, b from")


def test_a_model_that_was_rendered_before_sees_the_columns_of_now() -> None:
    made = renderer("select id, a from t")
    made.render_model("models/b.sql", ASKING, name="b")
    made.know({"signals": ModelText("models/signals.sql", "select id, a, b from t")})
    assert made.render_model("models/b.sql", ASKING, name="b").sql.startswith("select a, b from")


def test_an_instance_is_asked_with_its_values() -> None:
    made = Renderer(vars={})
    text = "select id, a{% if hits %}, is_hit{% endif %} from t"
    instance = Instance("signals", {"hits": True})
    made.know({"signals": ModelText("models/signals.sql", text, instance)})
    assert made.render_model("models/b.sql", ASKING, name="b").sql.startswith("select a, is_hit")


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ("select * from t", "a * in its final select"),
        ("select id, t.* from t", "a * in its final select"),
        ("select id, 1 + 2 from t", "column 2"),
        ("select id, from where", "cannot be parsed"),
    ],
)
def test_columns_that_are_not_written_out_are_refused(signals: str, message: str) -> None:
    with pytest.raises(ProjectError) as caught:
        rendered(signals)
    assert message in str(caught.value)
    assert "models/b.sql:1" in str(caught.value)


def test_models_that_ask_each_other_are_refused() -> None:
    with pytest.raises(ProjectError, match="the columns of b depend on themselves") as caught:
        rendered("select {{ columns_of('b') | join(', ') }} from t")
    assert "b -> signals -> b" in str(caught.value)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ProjectError, match="'signal' that does not exist") as caught:
        renderer("select id from t").render_model(
            Path("models/c.sql"), "select {{ columns_of('signal') }}", name="c"
        )
    assert "did you mean 'signals'?" in str(caught.value)
