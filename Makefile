# Builds, tests and installs blip_mpi. `make help` lists what it can do.
# Layers and what each may link are those of the README's picture; tests/lint checks that includes agree.

# ---- settings: a site's own paths, given on the command line or in the environment ----
BLIP_DEPS ?= $(HOME)/.cache/blip_mpi
LIBTORCH  ?= $(BLIP_DEPS)/torch-2.11.0-cu130
CUDA_HOME ?= $(firstword $(patsubst %/bin/nvcc,%,$(shell command -v nvcc 2>/dev/null)) $(wildcard /usr/local/cuda))
MPICXX    ?= mpicxx
PREFIX    ?= /usr/local
OPT       ?= -O2 -g1
BUILD     ?= build
ONLY      ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-5s %s\n' '$(1)' '$(2)')

# ---- the layers, lowest first, and what each may use (see README) ----
LAYERS := base options comm text image data kernels params model optim checkpoint metrics report eval train app
USES_options    := base
USES_comm       := base options
USES_text       := base
USES_image      := base
USES_data       := base options text image
USES_kernels    := base
USES_params     := base
USES_model      := base options kernels text params comm
USES_optim      := base options comm params
USES_checkpoint := base options comm params optim
USES_metrics    := base
USES_report     := base options
USES_eval       := base options comm text image data params model metrics report
USES_train      := base options comm data params model optim checkpoint eval report
USES_app        := $(filter-out app,$(LAYERS))
TORCH_LAYERS    := kernels params model optim checkpoint eval train app
closure = $(sort $(1) $(foreach l,$(USES_$(1)),$(call closure,$(l))))

# ---- what is found on this machine ----
TORCH_ROOT := $(firstword $(patsubst %/include/ATen/core/Tensor.h,%,$(wildcard \
  $(LIBTORCH)/torch/include/ATen/core/Tensor.h $(LIBTORCH)/include/ATen/core/Tensor.h)))
PKGS        := spdlog fmt libturbojpeg libxxhash icu-uc icu-i18n zlib
HDF5_PKG    := $(shell pkg-config --exists hdf5 2>/dev/null && echo hdf5 || echo hdf5-serial)
SYS_FLAGS   := $(shell pkg-config --cflags $(PKGS) $(HDF5_PKG) 2>/dev/null)
SYS_LIBS    := $(shell pkg-config --libs $(PKGS) $(HDF5_PKG) 2>/dev/null) -lboost_program_options
MPI_FLAGS   := -DOMPI_SKIP_MPICXX $(patsubst -I%,-isystem %,$(shell $(MPICXX) --showme:compile 2>/dev/null))
MPI_LIBS    := $(filter-out -lmpi_cxx,$(shell $(MPICXX) --showme:link 2>/dev/null))
TORCH_FLAGS := -isystem $(TORCH_ROOT)/include
TORCH_LIBS  := -L$(TORCH_ROOT)/lib -Wl,-rpath,$(TORCH_ROOT)/lib -ltorch_cpu -ltorch -lc10

# No fused multiply-adds and no errno: the same results on every x86-64.
CXXFLAGS += -std=c++20 $(OPT) -fno-math-errno -ffp-contract=off -pthread -Wall -Wextra -Werror -Winvalid-pch
CPPFLAGS += -Iinclude -I. $(patsubst -I%,-isystem %,$(SYS_FLAGS))
LDFLAGS  += -pthread -Wl,--as-needed

# ---- sources, objects, programs ----
obj      = $(patsubst %.cpp,$(BUILD)/obj/%.o,$(1))
sources  = $(filter-out src/app/main.cpp,$(wildcard src/$(1)/*.cpp))
HAVE    := $(foreach l,$(LAYERS),$(if $(call sources,$(l)),$(l)))
libs     = $(patsubst %,$(BUILD)/lib/libblip_%.a,$(filter $(HAVE),$(1)))
TESTED  := $(foreach l,$(LAYERS),$(if $(wildcard tests/unit/$(l)/*_test.cpp),$(l)))
torchy   = $(filter $(TORCH_LAYERS),$(1))

PREP_LAYERS := base options text image data
PREP      := $(patsubst data_prep/%.cpp,%,$(wildcard data_prep/coco_pack.cpp data_prep/make_sample.cpp))
PROGRAMS  := $(if $(wildcard src/app/main.cpp),$(BUILD)/bin/blip_mpi) $(PREP:%=$(BUILD)/bin/%)
UNIT      := $(TESTED:%=$(BUILD)/tests/unit_%)
WIDE      := $(foreach d,golden ranks,$(if $(wildcard tests/$(d)/*_test.cpp),$(BUILD)/tests/$(d)))
BENCHES   := $(patsubst tests/bench/%.cpp,$(BUILD)/bench/%,$(wildcard tests/bench/*_bench.cpp))
SUPPORT       := $(filter-out %_main.cpp tests/support/torch_%,$(wildcard tests/support/*.cpp))
SUPPORT_TORCH := $(wildcard tests/support/torch_*.cpp)
SUPPORT_LIB   := $(BUILD)/lib/libtest_support.a
SUPPORT_TORCH_LIB := $(if $(SUPPORT_TORCH),$(BUILD)/lib/libtest_support_torch.a)

# A file that changes only when its text does: flags and file lists are prerequisites like any other.
track = $(if $(subst <$(strip $(file <$(1)))>,,<$(strip $(2))>),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip $(2))))
BUILDING := $(filter-out help clean lint format,$(or $(MAKECMDGOALS),help))
ifneq ($(BUILDING),)
$(call track,$(BUILD)/lists/flags,$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(TORCH_FLAGS) $(MPI_FLAGS))
$(call track,$(BUILD)/lists/link,$(LDFLAGS) $(TORCH_LIBS) $(MPI_LIBS) $(SYS_LIBS))
$(foreach l,$(HAVE),$(call track,$(BUILD)/lists/libblip_$(l),$(call sources,$(l))))
$(foreach l,$(TESTED),$(call track,$(BUILD)/lists/unit_$(l),$(wildcard tests/unit/$(l)/*_test.cpp)))
$(foreach d,golden ranks,$(call track,$(BUILD)/lists/$(d),$(wildcard tests/$(d)/*_test.cpp)))
$(foreach p,$(PREP),$(call track,$(BUILD)/lists/$(p),$(wildcard data_prep/$(p)*.cpp)))
$(call track,$(BUILD)/lists/libtest_support,$(SUPPORT))
$(call track,$(BUILD)/lists/libtest_support_torch,$(SUPPORT_TORCH))
endif

##
## Targets
.PHONY: help
help: ## this list
	@awk -F'[:#]+ *' '/^[a-z-]+:.*## /{sub(/^[^#]*## /,""); printf "  make %-14s %s\n", name($$0), $$0} \
	  function name(s){return substr(line,1,index(line,":")-1)} {line=$$0}' $(firstword $(MAKEFILE_LIST)) >/dev/null 2>&1 || true
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22
	@printf '%s\n' 'Paths: LIBTORCH= (a LibTorch or the directory of a torch wheel)  MPICXX=  CUDA_HOME=  BLIP_DEPS= (shared cache)' \
	  'Also: V=1 shows commands, ONLY=pattern picks tests, OPT="-O0 -g" for debugging, BUILD=dir'
