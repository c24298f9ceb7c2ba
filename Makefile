# Everything runs in a virtual environment of its own, made when it is missing.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: check test lint fuzz recovery demo bench bench-full clean

# Mypy runs while tests wait for processes.
check:
	$(MAKE) --jobs 2 lint test

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

lint: $(BIN)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy onnxcert converters
	$(BIN)/lint-imports --no-cache

# Tests start a hundred processes, which compile the package anew where nothing is kept.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(BIN)/.ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Ten thousand damaged models, contracts, flags and files, 2,000 of them edited stores, shards and
# packs with every command on each; and as many pictures, labels and point clouds. Half an hour.
fuzz: $(BIN)/.ready
	ONNXCERT_FUZZ=1250 $(BIN)/python -m pytest tests/fuzz -s -k "not store"
	ONNXCERT_FUZZ=2000 $(BIN)/python -m pytest tests/fuzz -s -k store
	ONNXCERT_FUZZ=10000 $(BIN)/python -m pytest tests/inputs/test_fuzz.py -s
	ONNXCERT_FUZZ=2500 $(BIN)/python -m pytest tests/inputs/clouds/test_cloud_fuzz.py -s

# Two hundred kills, and a disk that is full at every byte of a record: twenty minutes.
recovery: $(BIN)/.ready
	ONNXCERT_KILLS=200 $(BIN)/python -m pytest tests/recovery/test_kill.py -s
	ONNXCERT_DISK_FULL=1 $(BIN)/python -m pytest tests/recovery/test_disk_full.py

demo: $(BIN)/.ready
	$(BIN)/onnxcert certify street --out out/street

# Beside bare ONNX Runtime and the reference design, under 15 minutes on two quiet cores; docs/speed.md.
bench: $(BIN)/.ready
	$(BIN)/python -m benchmarks.speed --minutes 8 --out bench-results

# Every size, number of classes, n and batch that fits memory: hours.
bench-full: $(BIN)/.ready
	$(BIN)/python -m benchmarks.speed --grid full --out bench-results

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
