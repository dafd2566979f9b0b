"""dbt's own classes read our artifacts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_i2i.runner.project import Project
from tests.dbt.conftest import run_python
from tests.project.conftest import ShopProject

pytestmark = pytest.mark.dbt
ROOT = Path(__file__).parents[2]

LOAD = """
import json, sys
from argparse import Namespace
import dbt.flags

# what dbt's command line sets before it reads an artifact
dbt.flags.set_flags(Namespace(state_modified_compare_more_unrendered_values=False, require_sql_header_in_test_configs=False))

from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.artifacts.schemas.run import RunResultsArtifact

folder = sys.argv[1]
manifest = WritableManifest.read_and_check_versions(folder + "/manifest.json")
found = {
    "nodes": sorted(manifest.nodes), "sources": sorted(manifest.sources), "exposures": sorted(manifest.exposures),
    "macros": len(manifest.macros),
    "unit_tests": {name: [[given.input for given in unit.given], unit.expect.rows] for name, unit in manifest.unit_tests.items()},
    "parents": {name: list(above) for name, above in manifest.parent_map.items()},
    "depends_on": {name: list(node.depends_on.nodes) for name, node in manifest.nodes.items()},
}
if sys.argv[2:] != ["manifest"]:
    run = RunResultsArtifact.read_and_check_versions(folder + "/run_results.json")
    catalog = CatalogArtifact.read_and_check_versions(folder + "/catalog.json")
    found["results"] = {r.unique_id: [str(r.status), r.failures, r.adapter_response] for r in run.results}
    found["catalog"] = {name: list(table.columns) for name, table in catalog.nodes.items()}
print(json.dumps(found))
"""


@pytest.fixture
def shop(tmp_path: Path) -> ShopProject:
    return ShopProject(tmp_path)


def test_a_build_with_a_failing_test(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "max_value: 1", "max_value: 0.6")
    assert not Project.load(shop.dir).build().success
    found = json.loads(run_python(LOAD, str(shop.dir / "target")))
    assert found["sources"] == ["source.shop.log.events"]
    assert found["parents"]["model.shop.kept"] == ["model.shop.scored"]
    status, failures, response = found["results"]["model.shop.scored"]
    assert (status, failures) == ("success", None)
    assert response["calls"] == 20
    (failed,) = (r for name, r in found["results"].items() if "accepted_range" in name)
    assert failed[0] == "fail"
    assert failed[1] > 0
    assert found["catalog"] == {}  # nothing was published


def test_what_is_published_is_in_the_catalog(shop: ShopProject) -> None:
    assert Project.load(shop.dir).build().success
    found = json.loads(run_python(LOAD, str(shop.dir / "target")))
    assert found["catalog"]["model.shop.kept"] == ["user_id", "score"]


def test_the_reference_project(tmp_path: Path) -> None:
    project = Project.load(ROOT, vars={"language_model": "fake"}, target_path=tmp_path)
    project.write_manifest(project.compile())
    found = json.loads(run_python(LOAD, str(tmp_path), "manifest"))
    models = [name for name in found["nodes"] if name.startswith("model.")]
    tests = [name for name in found["nodes"] if name.startswith("test.")]
    assert len(models) == sum(not n.is_source for n in project.manifest.nodes.values())
    assert len(tests) == len(project.manifest.checks)
    assert all(found["parents"][name] == above for name, above in found["depends_on"].items())


UNIT_TEST = """
unit_tests:
  - name: half_is_kept
    model: kept
    given:
      - input: ref('scored')
        rows: [{user_id: a, score: 0.5}, {user_id: b, score: 0.4}]
    expect:
      rows: [{user_id: %s}]
    overrides: {vars: {threshold: 0.5}}
"""


def test_unit_tests_and_how_they_went(shop: ShopProject) -> None:
    shop.write("models/units.yml", UNIT_TEST % "b")
    assert not Project.load(shop.dir).build().success
    found = json.loads(run_python(LOAD, str(shop.dir / "target")))
    name = "unit_test.shop.kept.half_is_kept"
    assert found["unit_tests"] == {name: [["ref('scored')"], [{"user_id": "b"}]]}
    assert found["results"][name][:2] == ["fail", 2]
    shop.write("models/units.yml", UNIT_TEST % "a")
    assert Project.load(shop.dir).build().success
    found = json.loads(run_python(LOAD, str(shop.dir / "target")))
    assert found["results"][name][:2] == ["pass", 0]
