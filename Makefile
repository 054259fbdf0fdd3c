# Two commands do everything on a machine with Python 3.11, pip and make: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
MODEL = bandnet-4stem
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check format lint types layers references picture clean

demo: $(VENV)/.user
	@echo "Separating 12 seconds of a song that the model never heard ..."
	$(BIN)/stemtune separate demo/songs/lithium/mixture.flac --overwrite --out separated --filename "lithium/{stem}.{ext}"
	$(BIN)/stemtune evaluate separated/$(MODEL) demo/songs

test: $(VENV)/.dev references
	$(BIN)/python -m pytest -n 2

check: lint types layers test

# What the parity tests compare with; without network they say why they skip, and the golden files are tested.
references: $(VENV)/.dev
	-@$(BIN)/python tests/parity/install_references.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/pyright

layers: $(VENV)/.dev
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.user: pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "Creating the environment in $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing (about a minute and 1.1 GB on an empty machine) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "Creating the environment in $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing with everything that the tests need (1.7 GB) ..."
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.user

clean:
	rm -rf $(VENV) separated .pytest_cache .ruff_cache .import_linter_cache
