# SPDX-License-Identifier: Apache-2.0
# `make quantize` and `make test` need nothing but Python 3.11–3.13 and make; they set up the rest.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The main job's input and output. Without DATA it runs on synthetic phantoms.
DATA ?=
MODEL ?= runs/$(if $(DATA),$(shell basename '$(DATA)' .csv),phantom)
EPOCHS ?= 60
FUZZ_SECONDS ?= 600
# Processes of the tests. A file's tests stay together, so that what they share is made once.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# numpy's own threads would only wait for each other beside them.
PYTEST = OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n '$(JOBS)' --dist loadfile
# Of `make papers`: PAPERS= runs the full settings.
PAPERS ?= --reduced
SOURCE = $(if $(DATA),$(DATA),runs/phantoms)
# `make flash` writes a reference model unless MODEL is named.
TO_FLASH = $(if $(filter file,$(origin MODEL)),models/cxr3,$(MODEL))
FIRMWARE = firmware/generated/$(shell basename '$(MODEL)')

.PHONY: help setup tools quantize test test-fast test-all test-pi lint format flash benchmark fuzz papers pictures release clean
.DELETE_ON_ERROR:

help:
	@echo 'make quantize                      the main job on built-in synthetic images'
	@echo 'make quantize DATA=dir MODEL=dir   the main job on your images'
	@echo 'make flash BOARD=id                firmware onto the board that is attached (MODEL=dir PORT=port)'
	@echo 'make test                          lint, types and tests'
	@echo 'make test-fast                     the unit tests, in a minute'
	@echo 'make test-all                      the slow tests too'
	@echo 'make test-pi                       an old Raspberry Pi'"'"'s Python environment, with tflite-runtime'
	@echo 'make benchmark                     instructions, RAM and flash of the compiled runtime'
	@echo 'make fuzz                          hostile bytes for the wire and an eim, FUZZ_SECONDS (600)'
	@echo 'make papers DATA_ROOT=dir           every experiment of the papers, at its reduced setting'
	@echo 'make format                        format the code'
	@echo 'make release                       the wheel, tried in a clean environment outside the checkout'

setup: $(READY)

$(READY): pyproject.toml constraints.txt scripts/setup scripts/packages
	@scripts/setup '$(PYTHON)' '$(VENV)'
	@touch $@

runs/phantoms/SYNTHETIC.txt: | $(READY)
	@echo '== Synthetic phantoms (for trying the tool, never for a claim)'
	@$(BIN)/edgecxr data phantom runs/phantoms --force

quantize: $(READY) $(if $(DATA),,runs/phantoms/SYNTHETIC.txt)
	@echo '== Train'
	@if test -e '$(MODEL)/manifest.json'; then \
		echo '$(MODEL) is there already; remove it to train again'; \
	else \
		$(BIN)/edgecxr train '$(SOURCE)' --out '$(MODEL)' --epochs $(EPOCHS) --resume; \
	fi
	@echo '== Quantize'
	@if test -e '$(MODEL)/int8.tflite'; then \
		echo '$(MODEL) is quantized already'; \
	else \
		$(BIN)/edgecxr quantize '$(MODEL)' --data '$(SOURCE)'; \
	fi
	@echo '== Export'
	@$(BIN)/edgecxr export '$(MODEL)' --format tflm --out '$(FIRMWARE)/tflm' --force
	@$(BIN)/edgecxr export '$(MODEL)' --format c --out '$(FIRMWARE)/c' --force
	@echo '== Evaluate on the test split'
	@$(BIN)/edgecxr evaluate '$(MODEL)' --data '$(SOURCE)'
	@echo '== Bench'
	@$(BIN)/edgecxr bench '$(MODEL)' --device host --data '$(SOURCE)'

flash: $(READY)
	@test -n '$(BOARD)' || { echo 'name a board: make flash BOARD=nano33; edgecxr boards lists them' >&2; exit 2; }
	@$(BIN)/edgecxr flash --board '$(BOARD)' --model '$(TO_FLASH)' $(if $(PORT),--port '$(PORT)')

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Generated C is compiled with every compiler that it promises to suit, and run in QEMU.
tools:
	@scripts/packages g++=g++ clang=clang clang-format=clang-format \
		arm-none-eabi-gcc='gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib' \
		qemu-system-arm=qemu-system-arm \
		aarch64-linux-gnu-gcc='gcc-aarch64-linux-gnu libc6-dev-arm64-cross' qemu-aarch64=qemu-user \
		ssh=openssh-client /usr/sbin/sshd=openssh-server

test: tools lint
	@$(PYTEST) -m 'not slow'

test-fast: $(READY)
	@$(PYTEST) -m 'not slow and not pipeline and not heavy'

test-all: tools lint
	@scripts/packages chromium=chromium
	@$(PYTEST)

test-pi: $(READY)
	@$(BIN)/pytest tests/pipeline/test_old_pi.py

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

benchmark: tools $(READY)
	@$(BIN)/python benchmarks/engine/run.py

fuzz:
	@scripts/packages clang=clang
	@scripts/fuzz '$(FUZZ_SECONDS)' build/fuzz

# Without DATA_ROOT on a few phantoms, to see that every recipe runs; then nothing is recorded.
papers: $(READY)
ifdef DATA_ROOT
	@$(BIN)/edgecxr reproduce --all $(PAPERS) --data-root '$(DATA_ROOT)' \
		--results benchmarks/results/papers.json --page benchmarks/README.md
else
	@$(BIN)/edgecxr reproduce --all --quick
endif

release: $(READY)
	@scripts/release '$(BIN)/python' dist

pictures: $(READY)
	@scripts/packages chromium=chromium
	@$(BIN)/python scripts/pictures.py
	@$(BIN)/python scripts/demo_picture.py

clean:
	rm -rf runs build dist firmware/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
