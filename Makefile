# Everything here works in a fresh clone: each target sets up .venv by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
NAME ?= smoke
STAMP := .venv/.installed

.PHONY: install search test check smoke bench bench-gpu chaos fuzz clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# The main job: a small search on videos made here, its configs and its report, in runs/. Run again, it goes on.
search: install
	$(BIN)/python -m trainers.data.synthetic runs/videos
	@if $(BIN)/expander status $(NAME) >/dev/null 2>&1; then set -x; \
	  $(BIN)/expander resume $(NAME); \
	else set -x; \
	  $(BIN)/expander search smoke --name $(NAME) --train runs/videos/train.csv --val runs/videos/val.csv; \
	fi
	$(BIN)/expander export $(NAME) --out runs/$(NAME)/configs
	$(BIN)/expander report $(NAME) --out runs/$(NAME)/report.html

test: install
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The wheel, as a user gets it: built, installed in a fresh environment outside the checkout, and asked for a plan.
smoke: install
	$(BIN)/python tests/wheel.py

# Our networks, the reading of video, one step of a search and what surrounds it, beside PyTorchVideo or before and after;
# in half an hour, on a quiet machine.
bench: install
	$(BIN)/python benchmarks/network.py
	$(BIN)/python benchmarks/pointwise.py
	$(BIN)/python benchmarks/threads.py
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/around.py
	$(BIN)/python benchmarks/orchestration.py
	$(BIN)/python benchmarks/input.py
	$(BIN)/python benchmarks/prepared.py
	$(BIN)/python benchmarks/store.py

# Our X3D on this machine's GPU against PyTorchVideo's, in minutes; with PYTHON's torch and Triton, nothing is installed.
bench-gpu:
	PYTHONPATH=.:$(PYTHONPATH) $(PYTHON) benchmarks/gpu.py

# A hundred kills of coordinators, workers, machines and databases, and what they changed; SEED repeats a run.
chaos: install
	$(BIN)/python tests/chaos.py --kills 100 $(if $(SEED),--seed $(SEED))

# 20,000 damaged and hostile files of all kinds that are read, in minutes; SEED=N reads the same ones again.
fuzz: install
	nice $(BIN)/python tests/fuzz.py $(if $(SEED),--seed $(SEED))

clean:
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
