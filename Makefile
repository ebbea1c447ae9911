# Builds, tests and installs blip_mpi. `make help` lists what it can do; the rules are in env/make, by concern.

, := ,
# ---- settings: a site's own paths, given on the command line or in the environment ----
BLIP_DEPS ?= $(HOME)/.cache/blip_mpi
LIBTORCH  ?= $(BLIP_DEPS)/torch-2.11.0-cu130
# auto: where nvcc and a LibTorch with CUDA are found; 0: never; 1: an error where something is missing
CUDA      ?= auto
CUDA_ARCHS ?= 80 90 100
CUDA_HOME ?= $(firstword $(patsubst %/bin/nvcc,%,$(shell command -v nvcc 2>/dev/null) \
  $(wildcard /usr/local/cuda/bin/nvcc $(BLIP_DEPS)/nvcc-13.0.88/nvidia/cu13/bin/nvcc)))
MPICXX    ?= mpicxx
PREFIX    ?= /usr/local
VERSION   ?= $(shell sed -n 's/.*program_version = "\(.*\)".*/\1/p' include/blip/base/version.h)
# 1: ASan and UBSan; thread: TSan. A build folder of its own, without CUDA; tests/sanitize says what runs in it.
SANITIZE  ?=
SANITIZER := $(if $(SANITIZE),$(or $(patsubst 1,address$(,)undefined,$(filter 1 thread,$(SANITIZE))),$(error SANITIZE=$(SANITIZE) is neither 1 nor thread)))
OPT       ?= $(if $(SANITIZE),-O1 -g1 -fno-omit-frame-pointer,-O2 -g1)
# Tests' own code runs once: half as long to compile.
TEST_OPT  := $(if $(filter file,$(origin OPT)),$(if $(SANITIZE),-O1,-O0 -g0))
# Layers that compute little take a quarter less.
BRIEF     := options checkpoint clip report tasks train app
BRIEF_OPT := $(if $(filter file,$(origin OPT)),-O1)
# Files of src with LibTorch that are compiled as one; 1: each by itself, which is faster when a single one has changed.
TOGETHER  ?= 6
CLANG_TIDY ?= clang-tidy-16
FUZZ_CXX  ?= clang++
BUILD     ?= build$(if $(SANITIZE),/sanitize-$(SANITIZE))
ONLY      ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(origin CXX),default)
CXX := $(shell [ "$$(g++ -dumpversion 2>/dev/null | cut -d. -f1)" -ge 12 ] 2>/dev/null || command -v g++-12 || echo g++)
CXX := $(or $(CXX),g++)
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-5s %s\n' '$(1)' '$(2)')

include $(addprefix env/make/,$(addsuffix .mk,layers found compile programs tests gpu_tests fuzz))

.PHONY: help found build tests demo lint format tidy install uninstall dist bundle wheel gpu-first clean
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(filter %Makefile %.mk,$(MAKEFILE_LIST)) | expand -t 24
	@printf '%s\n' 'Paths: LIBTORCH= (a LibTorch, or the directory a torch wheel is in)  MPICXX=  CUDA_HOME=  BLIP_DEPS= (shared cache)' \
	  'Install: PREFIX=  DESTDIR= (for packages)  COPY_LIBTORCH=1 (a copy of LibTorch under PREFIX)  VERSION= (of uninstall)' \
	  'CUDA:  CUDA=0 without, CUDA=1 an error where it cannot be, CUDA_ARCHS="80 90 100"; make test-all REQUIRE_GPU=1 fails without a GPU' \
	  'Tests: make test-all SANITIZE=1 under ASan and UBSan, SANITIZE=thread under TSan (a build of their own)' \
	  'Also:  V=1 shows commands, ONLY=pattern picks tests, OPT="-O0 -g" for debugging, BUILD=dir for another build folder'

found: ## what was found on this machine: versions and paths
	@env/found.sh $(FOUND)

build: found $(PROGRAMS) $(METEOR_INDEX) ## the programs, in build/bin
tests: found $(UNIT) $(WIDE) $(GPU_TESTS) $(if $(SANITIZE),,$(PARITY) $(FOR_FAULTS)) # the test programs

demo: ## set up, build, draw a small data set, train two ranks on it, caption unseen pictures
	@BUILD=$(BUILD) env/demo.sh

lint: ## layer table, pages, scripts, format, file lengths
	@tests/lint/run.sh

format: ## lay out all C++ as env/clang-format says
	@git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' | xargs clang-format -i --style=file:env/clang-format

tidy: ## clang-tidy over the program's sources, if it is installed (minutes)
	@command -v $(CLANG_TIDY) >/dev/null || { echo '$(CLANG_TIDY) is not installed: apt-get install it, or set CLANG_TIDY= (16 or later)' >&2; exit 66; }
	@printf '%s\n' $(or $(ONLY),$(filter-out %_cuda.cpp,$(wildcard src/*/*.cpp src/*/*/*.cpp data_prep/*/*.cpp data_prep/*/*/*.cpp))) | xargs -P $(shell nproc) -n 1 sh -c \
	  '$(CLANG_TIDY) --quiet --config-file=env/clang-tidy "$$0" -- $(CPPFLAGS) -std=c++20 $(TORCH_FLAGS) $(MPI_FLAGS) $(IMAGE_FLAGS) 2>/dev/null'

install: build ## programs, job files, man pages and completions into PREFIX= (default /usr/local), for all users
	@env/install.sh install '$(BUILD)' '$(PREFIX)' '$(DESTDIR)' '$(TORCH_ROOT)'
uninstall: ## take that away again; VERSION= another one than this
	@env/install.sh uninstall '$(VERSION)' '$(PREFIX)' '$(DESTDIR)'
dist: ## an archive of the sources in build/dist, with its SHA-256
	@env/release/dist.sh '$(BUILD)/dist'

bundle: build ## a folder and archive in build/bundle that run on other x86-64 Linux machines with LibTorch 2.11
	@env/bundle.sh $(BUILD) $(BUILD)/bundle
gpu-first: build $(filter %/gpu %/nccl_gpu,$(GPU_TESTS)) ## the same, archive below 64 MiB, with gpu_first.sh and all GPU tests: for a machine with a GPU and no compiler
	@env/bundle.sh $(BUILD) $(BUILD)/bundle gpu-tests

wheel: $(BUILD)/bin/blip_mpi_score ## the Python package blip_score, pycocoevalcap's names without Java, in build/wheel
	@python3 src/python/make_wheel.py --program $< --licence LICENSE --out $(BUILD)/wheel

clean: ## remove the build folder
	rm -rf $(BUILD)

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*/*/*.d)
