from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError, ProjectErrors

PROMISED = """
    models:
      - name: counts
        contract: {enforced: true}
        columns:
          - {name: item_id, data_type: %s}
          - {name: %s, data_type: int64}
"""


def broken(tiny):
    with pytest.raises(ProjectError) as caught:
        tiny.project().compile()
    return caught.value


def test_a_contract_that_is_kept(tiny):
    tiny.write("models/counts.yml", PROMISED % ("bigint", "N"))
    project = tiny.project()
    assert project.compile()["counts"].columns == (("item_id", "BIGINT"), ("n", "BIGINT"))
    assert project.build().success


def test_the_difference_is_a_table(tiny):
    tiny.write("models/counts.yml", PROMISED % ("text", "count"))
    error = broken(tiny)
    assert error.what == "model 'counts' does not return what its contract says"
    assert error.where == "models/counts.yml:2"
    assert error.found.splitlines() == [
        "column_name  definition_type  contract_type  mismatch_reason",
        "item_id      BIGINT           VARCHAR        data type mismatch",
        "n            BIGINT                          missing in contract",
        "count                         BIGINT         missing in definition",
    ]
    assert error.exit_code == 2


def test_nothing_is_run_and_all_broken_contracts_are_shown(tiny):
    tiny.write("models/counts.yml", PROMISED % ("text", "n"))
    tiny.write(
        "models/named.yml",
        "models: [{name: named, contract: {enforced: true}, columns: [{name: item_id}]}]",
    )
    with pytest.raises(ProjectErrors) as caught:
        tiny.project().build()
    assert len(caught.value.errors) == 2
    assert not list((tiny.dir / "target").glob("store/*"))


@pytest.mark.parametrize(
    ("declared", "kept"),
    [("decimal", True), ("numeric", True), ("decimal(18, 3)", False), ("decimal(9,2)", True)],
)
def test_a_decimal_without_digits_means_any(tiny, declared, kept):
    tiny.write("models/price.sql", "select cast(1.5 as decimal(9,2)) as price")
    tiny.write(
        "models/price.yml",
        "models: [{name: price, contract: {enforced: true}, columns:"
        f" [{{name: price, data_type: '{declared}'}}]}}]",
    )
    if kept:
        tiny.project().compile(["price"])
    else:
        assert "DECIMAL(18,3)" in broken(tiny).found


def test_a_type_that_is_none_and_one_that_is_lacking(tiny):
    tiny.write("models/counts.yml", PROMISED % ("bigitn", "n"))
    error = broken(tiny)
    assert error.what == "data_type 'bigitn' is no type of the engine"
    assert error.fix == "did you mean 'BIGINT'?"
    tiny.replace("models/counts.yml", ", data_type: bigitn", "")
    error = broken(tiny)
    assert error.found == "no data_type for item_id"
    assert error.fix == "the query returns item_id: BIGINT"


def test_a_contract_of_a_folder_wants_columns(tiny):
    tiny.replace("project.yml", "+tags: [stg]", "+tags: [stg]\n    +contract: {enforced: true}")
    with pytest.raises(ProjectErrors) as caught:
        tiny.project().compile()
    assert {error.where for error in caught.value.errors} == {
        "models/staging/events.sql",
        "models/staging/items.sql",
    }
    assert "no columns are declared" in caught.value.errors[0].what


CONSTRAINED = """
    models:
      - name: named
        contract: {enforced: true}
        constraints:
          - {type: primary_key, columns: [item_id, title]}
          - {type: unique, columns: [item_id, n]}
          - {type: foreign_key, columns: [item_id], to: ref('items'), to_columns: [item_id]}
        columns:
          - {name: item_id, data_type: bigint, constraints: [{type: not_null}]}
          - {name: n, data_type: bigint, constraints: [{type: check, expression: n > 0, name: sold}]}
          - {name: title, data_type: varchar, constraints: [{type: unique}]}
"""


def test_constraints_are_data_tests(tiny):
    tiny.write("models/named.yml", CONSTRAINED)
    project = tiny.project()
    assert [check.name for check in project.manifest.checks_of("named")] == [
        "constraint_primary_key_named_item_id_title",
        "constraint_unique_named_item_id_n",
        "constraint_foreign_key_named_item_id",
        "constraint_not_null_named_item_id",
        "sold_named_n",
        "constraint_unique_named_title",
    ]
    assert project.build().success


@pytest.mark.parametrize(
    ("select", "failing"),
    [
        ("1 as item_id, -1 as n, 'a' as title", "constraint_foreign_key_named_item_id sold_named_n"),
        (
            "unnest([10, 10]) as item_id, 1 as n, 'kite' as title",
            "constraint_primary_key_named_item_id_title constraint_unique_named_item_id_n"
            " constraint_unique_named_title",
        ),
        (
            "unnest([null, null]) as item_id, 1 as n, unnest(['a', 'b']) as title",
            "constraint_primary_key_named_item_id_title constraint_not_null_named_item_id",
        ),
    ],
)  # fmt: skip
def test_a_broken_constraint_is_not_published(tiny, select, failing):
    assert tiny.project().build().published
    columns = "cast(item_id as bigint) as item_id, cast(n as bigint) as n, title"
    tiny.write("models/named.yml", CONSTRAINED)
    tiny.write("models/named.sql", f"select {columns} from (select {select}), (select 1 from {{{{ ref('items') }}}} limit 1)")  # fmt: skip
    result = tiny.project().build("named")
    assert {o.check.name for o in result.checks if o.status == "FAIL"} == set(failing.split())
    assert not result.published


@pytest.mark.parametrize(
    ("constraint", "what"),
    [
        ("{type: check}", "lacks its expression"),
        ("{type: foreign_key, to: ref('x')}", "lacks what it points to"),
        ("{type: foreign_key, columns: [a], to: ref('x'), to_columns: [a, b]}", "different lengths"),
        ("{type: primry_key}", "constraints[0].type' must be"),
    ],
)  # fmt: skip
def test_wrong_constraints(tiny, constraint, what):
    tiny.write("models/x.yml", f"models: [{{name: named, constraints: [{constraint}]}}]")
    with pytest.raises(ProjectError) as caught:
        tiny.project()
    assert what in caught.value.what


def test_constraints_need_a_contract(tiny):
    tiny.write("models/x.yml", "models: [{name: named, constraints: [{type: unique, columns: n}]}]")
    assert broken(tiny).what == "named has constraints and no enforced contract"
