# All targets run in a separate virtual environment, which is created if it is missing.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: check test test-all lint fuzz recovery demo docs bench bench-full clean

# Two jobs: mypy runs while tests wait for their processes.
check:
	$(MAKE) --jobs 2 lint test-all

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

lint: $(BIN)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy onnxcert converters
	$(BIN)/lint-imports --no-cache

# Write bytecode: tests start a hundred processes, and each would compile the package again.
test test-all: export PYTHONDONTWRITEBYTECODE :=

# All but the slow tests, and 20 examples of each property.
test: $(BIN)/.ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not pages" --hypothesis-profile=dev

test-all: $(BIN)/.ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not pages"

# 10,000 damaged models, contracts, flags and files (2,000 of them edited stores, shards and packs,
# with every command on each), and as many images, labels and point clouds. Takes half an hour.
fuzz: $(BIN)/.ready
	ONNXCERT_FUZZ=1250 $(BIN)/python -m pytest tests/fuzz -s -k "not store"
	ONNXCERT_FUZZ=2000 $(BIN)/python -m pytest tests/fuzz -s -k store
	ONNXCERT_FUZZ=10000 $(BIN)/python -m pytest tests/data/test_fuzz.py -s
	ONNXCERT_FUZZ=2500 $(BIN)/python -m pytest tests/data/points/test_fuzz.py -s

# Kill runs 200 times, and let the disk be full at every byte of a record. Takes twenty minutes.
recovery: $(BIN)/.ready
	ONNXCERT_KILLS=200 $(BIN)/python -m pytest tests/run/test_kill.py -s
	ONNXCERT_DISK_FULL=1 $(BIN)/python -m pytest tests/run/test_disk_full.py

demo: $(BIN)/.ready
	$(BIN)/onnxcert certify street --out out/street

# Run the examples of all pages, and build the documentation as a site in out/site, with the tutorial
# executed; no part of `make check`.
docs: $(BIN)/.ready $(BIN)/.docs-ready
	$(BIN)/python -m pytest -n 2 -m pages tests/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

$(BIN)/.docs-ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

# Compare with bare ONNX Runtime and the reference design: under 15 minutes on two quiet cores; see
# docs/speed.md.
bench: $(BIN)/.ready
	$(BIN)/python -m benchmarks.speed --minutes 8 --out bench-results

# All sizes, numbers of classes, n and batch sizes that fit into memory. Takes hours.
bench-full: $(BIN)/.ready
	$(BIN)/python -m benchmarks.speed --grid full --out bench-results

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
