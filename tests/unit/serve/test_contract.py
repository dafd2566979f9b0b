"""What the OpenAPI document promises, tried by schemathesis (`make test-contract`)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

pytest.importorskip("msgspec", reason="needs the serve extra")

from llm_i2i.serve.app import make_app
from llm_i2i.serve.publications import Publications
from tests.unit.serve.conftest import publish_in

schemathesis: Any = pytest.importorskip("schemathesis", reason="needs the contract extra")
pytestmark = pytest.mark.slow


def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    publish_in(tmp_path)
    app = make_app(Publications(tmp_path, "prod"))
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) == 7
    for operation in operations:
        for mode in modes:
            _try(operation.as_strategy(generation_mode=mode))


def _try(cases: Any) -> None:
    @given(case=cases)
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def answer(case: Any) -> None:
        case.call_and_validate()

    with contextlib.suppress(Unsatisfiable):  # nothing to send but what is right
        answer()
