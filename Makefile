# Everything here works on a fresh checkout with Rust (cargo) and Python >= 3.11 for the tools.
PYTHON ?= python3
VENV := .venv
PLUGINS := .venv-plugins
DATABASES := .venv-databases
BIN := $(VENV)/bin
CARGO_TEST := $(shell command -v cargo-nextest >/dev/null 2>&1 && echo "cargo nextest run" || echo "cargo test")
RUST := $(shell git ls-files 'crates/*' Cargo.toml Cargo.lock 2>/dev/null)
SOURCES := $(RUST) $(shell git ls-files 'python/*' pyproject.toml 2>/dev/null)

FOLDERS := protocol contract serial faults hangs setup debugger live isolation sandbox warm xdist doctor benches tools \
	example repair plugins databases

.PHONY: demo test test-rust test-python $(addprefix test-,$(FOLDERS)) lint fmt parity parity-fast bench bench-check plugin-table clean
# Tests measure and kill: one folder at a time.
.NOTPARALLEL:

# The bundled example, serially and in parallel, with both times.
demo: $(VENV)/.installed
	@$(BIN)/python tools/demo.py

# Everything that must hold.
test: lint test-rust test-python

# The same cases each time; `SEED=` for others, and PROPTEST_CASES=10000 for more.
SEED ?= 1
test-rust:
	$(if $(SEED),PROPTEST_RNG_SEED=$(SEED)) $(CARGO_TEST) --workspace

# These start hundreds of processes and kill many of them: on a busy machine one may be late. What failed has to pass when
# it is run again by itself, twice at most.
again = $(1) || $(1) --lf || $(1) --lf

# Folder by folder: each has fixtures of its own. `make -k` goes on after a folder that fails.
test-python: $(addprefix test-,$(FOLDERS)) parity-fast

# Those with -n run in parallel, under outpace itself.
ARGS = -n 2
test-faults test-hangs test-sandbox test-xdist: ARGS =
test-warm: ARGS = -n 4
# As users have it: what is to be seen at once comes through a pipe by itself.
BUFFERED = env -u PYTHONUNBUFFERED
test-sandbox test-xdist test-doctor: BUFFERED =
test-contract test-serial test-faults test-hangs test-setup test-debugger test-live test-isolation test-sandbox test-warm \
test-xdist test-doctor: test-%: $(VENV)/.installed
	$(call again,$(BUFFERED) $(BIN)/python -m pytest -q $(ARGS) tests/$*)

test-protocol: $(VENV)/.installed
	$(BIN)/python -m pytest -q tests/protocol

test-benches test-tools: test-%: $(VENV)/.installed
	$(BIN)/python -m pytest -q $*

test-example: $(VENV)/.installed
	cd examples/trading && ../../$(BIN)/python -m pytest -q -n 2

test-repair test-plugins: test-%: $(PLUGINS)/.installed
	$(call again,$(PLUGINS)/bin/python -m pytest -q $(QUIET) tests/$*)

test-databases: $(DATABASES)/.installed
	$(call again,$(DATABASES)/bin/python -m pytest -q -n 2 $(QUIET) tests/databases)

# The plugins under test are installed; the outer run is not to load them.
QUIET := -p no:randomly -p no:sugar -p no:django -p no:html -p no:allure_pytest

lint: $(VENV)/.installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(BIN)/python tools/check_workspace.py
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tests/plugins/table.py --check docs/plugins.md

fmt:
	cargo fmt --all
	$(BIN)/ruff check --fix .

# A list of real suites, serially and with outpace, compared report by report.
parity: $(VENV)/.installed
	$(BIN)/python tools/parity/parity.py --wheel dist/*.whl --cache .cache/parity

parity-fast: $(VENV)/.installed
	$(BIN)/python tools/parity/parity.py --fast --workers 2 --wheel dist/*.whl --cache .cache/parity

bench: $(VENV)/.installed
	benches/setup.sh .cache/bench dist/*.whl
	$(BIN)/python benches/bench.py

bench-check: $(VENV)/.installed
	benches/setup.sh .cache/bench dist/*.whl
	$(BIN)/python benches/bench.py --check

plugin-table:
	$(PLUGINS)/bin/python tests/plugins/table.py > docs/plugins.md

# One wheel: the binary and the Python package.
dist/.built: $(SOURCES)
	rm -rf dist
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -r tests/requirements.txt
	$(BIN)/maturin build -q --release --locked --out dist
	touch $@

$(VENV)/.installed: dist/.built tests/requirements.txt
	$(BIN)/pip install -q --force-reinstall --no-deps dist/*.whl
	touch $@

$(PLUGINS)/.installed: dist/.built tests/plugins/requirements.txt tests/repair/requirements.txt
	$(PYTHON) -m venv $(PLUGINS)
	$(PLUGINS)/bin/pip install -q -r tests/plugins/requirements.txt -r tests/repair/requirements.txt
	$(PLUGINS)/bin/pip install -q --force-reinstall --no-deps dist/*.whl
	touch $@

# Drivers and frameworks. Servers are the system's: MariaDB and Redis are installed where Debian's packages can be, and the
# tests of one that is not there are skipped, with the reason; those of mysqlclient, too, where it cannot be compiled.
$(DATABASES)/.installed: dist/.built tests/databases/requirements.txt tests/databases/requirements-compiled.txt
	$(PYTHON) -m venv $(DATABASES)
	$(DATABASES)/bin/pip install -q -r tests/databases/requirements.txt
	$(DATABASES)/bin/pip install -q --force-reinstall --no-deps dist/*.whl
	tests/databases/servers.sh
	$(DATABASES)/bin/pip install -q -r tests/databases/requirements-compiled.txt >/dev/null 2>&1 || echo "mysqlclient cannot be built here"
	touch $@

clean:
	rm -rf dist $(VENV) $(PLUGINS) $(DATABASES) target .cache
