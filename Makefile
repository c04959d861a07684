# Everything a person needs: `make run` starts the shop, `make test` checks it. Needs python3 (3.11+), python3-venv and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The virtual environment must use this folder's code and nothing a person's shell points at.
unexport PYTHONPATH
unexport PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run ocr venv venv-test test check bench lock messages fmt clean

help:
	@echo "make run    start the shop (database, web, worker) and print its address"
	@echo "make test   install the test extras and run every check and test"
	@echo "make ocr    let photos of parcels be read (some 300 MB)"
	@echo "make bench  run the benchmarks"
	@echo "make fmt    format and sort imports;  make lock  pin the dependencies anew"

run: venv
	@exec $(BIN)/daifa up $(ARGS)

venv: $(VENV)/.core messages

venv-test: $(VENV)/.test messages

# Stamps keep the second start short: the locks are installed again only when they change.
$(VENV)/.core: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not make $(VENV): install Debian's python3-venv."; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.core
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@

test: venv-test check
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: venv-test
	$(BIN)/ruff check .
	$(BIN)/lint-imports

bench: venv-test
	$(BIN)/python -m bench $(ARGS)

# .po → .mo with Babel, so that no gettext binary is needed; only catalogues older than their source are written.
ocr: venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-ocr.lock

messages: $(VENV)/.core
	@$(BIN)/python -m daifa.lib.catalogues daifa/locale

fmt: venv-test
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

# Needs uv (`pip install uv` outside the repository's .venv). Hashes in, index addresses out.
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet pyproject.toml --extra build \
       --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra test -c requirements.lock -o requirements-test.lock
	$(LOCK) --extra ocr -c requirements-test.lock -o requirements-ocr.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
