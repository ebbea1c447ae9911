# Builds, tests and installs blip_mpi. `make help` lists what it can do.
# Layers and what each may link are those of the picture in src/README.md; tests/lint checks that includes agree.

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
# 1: ASan and UBSan; thread: TSan. A build folder of its own, without CUDA; tests/sanitize says what runs in it.
SANITIZE  ?=
SANITIZER := $(if $(SANITIZE),$(or $(patsubst 1,address$(,)undefined,$(filter 1 thread,$(SANITIZE))),$(error SANITIZE=$(SANITIZE) is neither 1 nor thread)))
OPT       ?= $(if $(SANITIZE),-O1 -g1 -fno-omit-frame-pointer,-O2 -g1)
# Tests' own code runs once: a third less to compile.
TEST_OPT  := $(if $(filter file,$(origin OPT)),-O1 $(if $(SANITIZE),,-g0))
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

# ---- the layers, lowest first, and what each may use (src/README.md) ----
LAYERS := base options comm text image data device kernels params weights model generate optim checkpoint metrics report feed tasks train app
USES_options    := base
USES_comm       := base options
USES_text       := base
USES_image      := base options
USES_data       := base options text image
USES_kernels    := base device
USES_params     := base
USES_weights    := base options text params
USES_model      := base options kernels text params
USES_generate   := base options device model
USES_optim      := base options comm params
USES_checkpoint := base options comm device params weights optim
USES_metrics    := base text
USES_report     := base
USES_feed       := base device image data
USES_tasks      := base options comm text data device kernels model generate metrics report feed
USES_train      := base options comm text data device kernels params model optim checkpoint report feed tasks
USES_app        := base options comm text image data device params weights model checkpoint metrics report tasks train
TORCH_LAYERS    := device kernels params weights model generate optim checkpoint feed tasks train app
closure = $(sort $(1) $(foreach l,$(USES_$(1)),$(call closure,$(l))))

# ---- what is found on this machine ----
TORCH_ROOT := $(firstword $(patsubst %/include/ATen/core/Tensor.h,%,$(wildcard \
  $(LIBTORCH)/torch/include/ATen/core/Tensor.h $(LIBTORCH)/include/ATen/core/Tensor.h)))
PKGS        := spdlog fmt libturbojpeg libxxhash icu-uc icu-i18n zlib libzip yaml-cpp
HDF5_PKG    := $(shell pkg-config --exists hdf5 2>/dev/null && echo hdf5 || echo hdf5-serial)
SYS_FLAGS   := $(shell pkg-config --cflags $(PKGS) $(HDF5_PKG) 2>/dev/null)
SYS_LIBS    := $(shell pkg-config --libs $(PKGS) libpng $(HDF5_PKG) 2>/dev/null) -lboost_program_options -lstemmer -ldl
PNG_FLAGS   := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpng 2>/dev/null))
MPI_FLAGS   := -DOMPI_SKIP_MPICXX $(patsubst -I%,-isystem %,$(shell $(MPICXX) --showme:compile 2>/dev/null))
MPI_LIBS    := $(filter-out -lmpi_cxx,$(shell $(MPICXX) --showme:link 2>/dev/null))
# After the system: LibTorch brings its own nlohmann and fmt headers, of other versions.
TORCH_FLAGS := -idirafter $(TORCH_ROOT)/include
TORCH_LIBS  := -L$(TORCH_ROOT)/lib -Wl,-rpath,$(TORCH_ROOT)/lib -ltorch_cpu -lc10

# NCCL and the CUDA runtime are those that LibTorch itself loads: a second copy of either in one process breaks both.
first_of    = $(firstword $(wildcard $(1)))
NVCC        := $(if $(CUDA_HOME),$(call first_of,$(CUDA_HOME)/bin/nvcc))
SITE        := $(if $(TORCH_ROOT),$(abspath $(TORCH_ROOT)/..)/nvidia)
TORCH_CUDA  := $(call first_of,$(TORCH_ROOT)/lib/libtorch_cuda.so)
NCCL_LIB    ?= $(call first_of,$(SITE)/nccl/lib/libnccl.so.2 $(TORCH_ROOT)/lib/libnccl.so* \
  $(addsuffix /libnccl.so.2,/usr/lib/x86_64-linux-gnu /usr/lib64 $(CUDA_HOME)/lib64))
NCCL_INCLUDE ?= $(patsubst %/nccl.h,%,$(call first_of,$(addsuffix /nccl.h,$(SITE)/nccl/include \
  $(if $(NCCL_LIB),$(dir $(NCCL_LIB))../include) /usr/include $(CUDA_HOME)/include)))
CUDART_LIB  ?= $(call first_of,$(SITE)/cu13/lib/libcudart.so.13 $(SITE)/cuda_runtime/lib/libcudart.so.* \
  $(TORCH_ROOT)/lib/libcudart*.so* $(CUDA_HOME)/lib64/libcudart.so $(CUDA_HOME)/lib/libcudart.so)
CUDA_LACKS  := $(strip $(if $(NVCC),,nvcc (CUDA_HOME=) )$(if $(TORCH_CUDA),,a LibTorch with libtorch_cuda.so (LIBTORCH=) ) \
  $(if $(and $(NCCL_LIB),$(NCCL_INCLUDE)),,libnccl and nccl.h (NCCL_LIB= NCCL_INCLUDE=) )$(if $(CUDART_LIB),,libcudart (CUDART_LIB=) ))
ifeq ($(filter auto 0 1,$(CUDA)),)
$(error CUDA=$(CUDA) is none of auto, 0 and 1; paths go into CUDA_HOME=)
endif
WITH_CUDA   := $(if $(SANITIZE)$(filter 0,$(CUDA)),,$(if $(CUDA_LACKS),,1))
# NCCL's first: a CUDA folder may hold an nccl.h of another version.
CUDA_FLAGS  := $(addprefix -isystem ,$(filter-out /usr/include,$(NCCL_INCLUDE) $(CUDA_HOME)/include $(wildcard $(SITE)/cu13/include)))
# DT_RPATH: a CUDA module's LD_LIBRARY_PATH must not put its own NCCL or CUDA runtime beside LibTorch's.
TORCH_CUDA_LIBS := -Wl,--disable-new-dtags -L$(TORCH_ROOT)/lib $(addprefix -Wl$(,)-rpath$(,),$(TORCH_ROOT)/lib \
  $(sort $(patsubst %/,%,$(dir $(NCCL_LIB) $(CUDART_LIB))))) -Wl,--no-as-needed -ltorch_cpu -ltorch_cuda -ltorch -lc10_cuda \
  -lc10 $(NCCL_LIB) $(CUDART_LIB) -Wl,--as-needed

# For env/found.sh
FOUND = '$(CXX)' '$(MPICXX)' '$(TORCH_ROOT)' '$(HDF5_PKG)' '$(CUDA_HOME)' '$(if $(SANITIZE),0,$(CUDA))' '$(CUDA_LACKS)' '$(NCCL_LIB)' \
  '$(NCCL_INCLUDE)' '$(CUDART_LIB)' '$(CUDA_ARCHS)'

# No fused multiply-adds and no errno: the same results on every x86-64.
CXXFLAGS += -std=c++20 $(OPT) -fno-math-errno -ffp-contract=off -pthread -Wall -Wextra -Werror -Winvalid-pch
CPPFLAGS += -Iinclude -I. -DBOOST_TEST_DYN_LINK -DBOOST_TEST_NO_MAIN $(patsubst -I%,-isystem %,$(SYS_FLAGS))
LDFLAGS  += -pthread -Wl,--as-needed
ifneq ($(SANITIZE),)
# A finding ends the program. Warnings are the plain build's: about inserted code, g++ 12 imagines overflows.
CXXFLAGS += -fsanitize=$(SANITIZER) -fno-sanitize-recover=all -w
LDFLAGS  += -fsanitize=$(SANITIZER) -Wl,--export-dynamic-symbol=dlclose
endif
# The same source gives the same bits on the host and on the device: no contraction there either.
NVCC_FLAGS := -std=c++20 -O3 -lineinfo -fmad=false -ccbin $(lastword $(CXX)) -Iinclude -I. -Werror all-warnings \
  -Xcompiler -Wall,-Wextra,-Werror,-fno-math-errno,-ffp-contract=off,-pthread \
  $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
  -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))

# ---- sources, objects, programs ----
# Files named *.cu and *_cuda.cpp are in programs with CUDA only, *_nocuda.cpp in those without.
obj      = $(patsubst %.cu,$(BUILD)/obj/%.cu.o,$(patsubst %.cpp,$(BUILD)/obj/%.o,$(1)))
# $(1) folder, $(2) patterns -> the files in it and in its folders
files    = $(wildcard $(foreach p,$(2),$(1)/$(p) $(1)/*/$(p)))
sources  = $(filter-out src/app/main.cpp %_main.cpp %_cuda.cpp %_nocuda.cpp,$(call files,src/$(1),*.cpp))
sources_cuda   = $(call files,src/$(1),*.cu *_cuda.cpp)
sources_nocuda = $(call files,src/$(1),*_nocuda.cpp)
HAVE    := $(foreach l,$(LAYERS),$(if $(call sources,$(l)),$(l)))
HAVE_CUDA   := $(if $(WITH_CUDA),$(foreach l,$(LAYERS),$(if $(call sources_cuda,$(l)),$(l))))
HAVE_NOCUDA := $(foreach l,$(LAYERS),$(if $(call sources_nocuda,$(l)),$(l)))
plain_libs = $(patsubst %,$(BUILD)/lib/libblip_%.a,$(filter $(HAVE),$(1)))
# $(1) layers -> their archives, without CUDA or with it
libs      = $(plain_libs) $(patsubst %,$(BUILD)/lib/libblip_%_nocuda.a,$(filter $(HAVE_NOCUDA),$(1)))
libs_cuda = $(plain_libs) $(patsubst %,$(BUILD)/lib/libblip_%_cuda.a,$(filter $(HAVE_CUDA),$(1)))
TESTED  := $(foreach l,$(LAYERS),$(if $(wildcard tests/unit/$(l)/*_test.cpp),$(l)))
torchy   = $(filter $(TORCH_LAYERS),$(1))

PREP_LAYERS := base options text image data
PREP      := $(patsubst data_prep/%/main.cpp,%,$(wildcard data_prep/*/main.cpp))
SCORE_LAYERS := base options text metrics
PROGRAMS  := $(addprefix $(BUILD)/bin/,blip_mpi blip_mpi_cpu blip_mpi_score) $(if $(WITH_CUDA),$(BUILD)/bin/blip_mpi_cuda) $(PREP:%=$(BUILD)/bin/%)
UNIT      := $(TESTED:%=$(BUILD)/tests/unit_%)
WIDE      := $(foreach d,golden ranks,$(if $(wildcard tests/$(d)/*_test.cpp),$(BUILD)/tests/$(d)))
# Under TSan: the tests of what has threads of its own.
ifeq ($(SANITIZE),thread)
PROGRAMS :=
UNIT     := $(addprefix $(BUILD)/tests/unit_,base data checkpoint)
WIDE     :=
endif
GPU_TESTS := $(if $(WITH_CUDA),$(addprefix $(BUILD)/tests/,gpu nccl_gpu nccl_fake nccl_job nccl_job_real fake_cuda blip_mpi_fake_cuda roofline))
PARITY    := $(BUILD)/tests/parity_batch
FOR_FAULTS := $(BUILD)/tests/libfile_faults.so $(BUILD)/tests/newest_state
BENCHES   := $(patsubst tests/bench/%.cpp,$(BUILD)/bench/%,$(wildcard tests/bench/*_bench.cpp))
SUPPORT       := $(filter-out %_main.cpp tests/support/torch_%,$(wildcard tests/support/*.cpp))
SUPPORT_TORCH := $(wildcard tests/support/torch_*.cpp)
SUPPORT_LIB   := $(BUILD)/lib/libtest_support.a
SUPPORT_TORCH_LIB := $(if $(SUPPORT_TORCH),$(BUILD)/lib/libtest_support_torch.a)

# A file that changes only when its text does: flags and file lists are prerequisites like any other.
track = $(if $(subst <$(strip $(file <$(1)))>,,<$(strip $(2))>),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip $(2))))
BUILDING := $(filter-out help clean demo lint format,$(or $(MAKECMDGOALS),help))
ifneq ($(BUILDING),)
$(call track,$(BUILD)/lists/flags,$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(TORCH_FLAGS) $(MPI_FLAGS))
$(call track,$(BUILD)/lists/flags_png,$(PNG_FLAGS))
$(call track,$(BUILD)/lists/flags_cuda,$(NVCC) $(NVCC_FLAGS) $(CUDA_FLAGS))
$(call track,$(BUILD)/lists/link,$(LDFLAGS) $(TORCH_LIBS) $(MPI_LIBS) $(SYS_LIBS))
$(call track,$(BUILD)/lists/link_cuda,$(TORCH_CUDA_LIBS))
$(foreach l,$(HAVE),$(call track,$(BUILD)/lists/libblip_$(l),$(call sources,$(l))))
$(foreach l,$(HAVE_CUDA),$(call track,$(BUILD)/lists/libblip_$(l)_cuda,$(call sources_cuda,$(l))))
$(foreach l,$(HAVE_NOCUDA),$(call track,$(BUILD)/lists/libblip_$(l)_nocuda,$(call sources_nocuda,$(l))))
$(call track,$(BUILD)/lists/gpu,$(wildcard tests/gpu/*_test.cpp))
$(call track,$(BUILD)/lists/fake_cuda,$(wildcard tests/fake_cuda/*.cpp tests/gpu/*_test.cpp))
# Left by a build with CUDA, they would still be found and run.
$(if $(WITH_CUDA),,$(shell rm -f $(BUILD)/bin/blip_mpi_cuda $(BUILD)/tests/gpu $(BUILD)/tests/nccl_* $(BUILD)/tests/*fake_cuda $(BUILD)/tests/roofline))
$(foreach l,$(TESTED),$(call track,$(BUILD)/lists/unit_$(l),$(wildcard tests/unit/$(l)/*_test.cpp)))
$(foreach d,golden ranks,$(call track,$(BUILD)/lists/$(d),$(wildcard tests/$(d)/*_test.cpp)))
$(foreach p,$(PREP),$(call track,$(BUILD)/lists/$(p),$(wildcard data_prep/$(p)/*.cpp)))
$(call track,$(BUILD)/lists/libtest_support,$(SUPPORT))
$(call track,$(BUILD)/lists/libtest_support_torch,$(SUPPORT_TORCH))
endif

# ---- targets ----
.PHONY: help found build tests test run-tests test-faults run-faults test-golden run-golden parity run-parity soak bench demo lint format tidy install bundle gpu-first clean
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@printf '%s\n' 'Paths: LIBTORCH= (a LibTorch, or the directory a torch wheel is in)  MPICXX=  CUDA_HOME=  BLIP_DEPS= (shared cache)' \
	  'CUDA:  CUDA=0 without, CUDA=1 an error where it cannot be, CUDA_ARCHS="80 90 100"; make test REQUIRE_GPU=1 fails without a GPU' \
	  'Tests: make test SANITIZE=1 under ASan and UBSan, SANITIZE=thread under TSan (a build of their own)' \
	  'Also:  V=1 shows commands, ONLY=pattern picks tests, OPT="-O0 -g" for debugging, BUILD=dir for another build folder'

found: ## what was found on this machine: versions and paths
	@env/found.sh $(FOUND)

# The index of METEOR's tables lies beside them, named by its form: where they have been fetched and it can be written.
METEOR_INDEX := $(if $(PROGRAMS),$(shell cd '$(BLIP_DEPS)/meteor-1.5' 2>/dev/null && [ -e .complete ] && [ -w . ] && echo "$$PWD/index-1"))
build: found $(PROGRAMS) $(METEOR_INDEX) ## the programs, in build/bin
$(METEOR_INDEX): $(dir $(METEOR_INDEX)).complete | $(BUILD)/bin/blip_mpi_score
	$(call say,INDEX,$@)
	$(Q)$(BUILD)/bin/blip_mpi_score --compile-meteor $(@D)
tests: found $(UNIT) $(WIDE) $(GPU_TESTS) $(if $(SANITIZE),,$(PARITY) $(FOR_FAULTS)) # the test programs

# Where they cannot be had, tests that need them are skipped.
meteor_tables = @env/setup.sh --with-meteor || echo "no tables for METEOR here: tests of its scores will be skipped" >&2

# What is found is decided when make starts, so that tests run in a second make, after the set-up.
test: ## set up, build, all tests; ONLY=unit_text, ONLY=ranks, ONLY=faults ... runs some
	@env/setup.sh --with-slurm
	$(meteor_tables)
	@$(MAKE) --no-print-directory run-tests
run-tests: build tests
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) tests/run_all.sh '$(ONLY)'

test-faults: ## the fault suite in its long form (FAULTS=short: as in make test); ONLY=train_kills ... runs some
	@env/setup.sh
	@$(MAKE) --no-print-directory run-faults
run-faults: build tests
	@BUILD=$(BUILD) FAULTS=$(if $(filter short,$(FAULTS)),short,long) tests/run_all.sh 'faults/($(or $(ONLY),.*))'

test-golden: ## the tests on golden data and COCO pictures (BLIP_GOLDEN_DIR, BLIP_COCO_DIR, BLIP_CAPTIONS)
	@env/setup.sh
	$(meteor_tables)
	@$(MAKE) --no-print-directory run-golden
run-golden: build $(filter %/golden,$(WIDE))
	@BUILD=$(BUILD) tests/run_all.sh 'golden|coco_pack_input|train_kill'

.PHONY: test-slurm run-slurm
test-slurm: ## jobs/ under a real Slurm of two nodes on this machine (installed by apt; as root), stopped and resumed
	@env/setup.sh --with-slurm
	@$(MAKE) --no-print-directory run-slurm
run-slurm: build
	@REQUIRE_SLURM=1 BUILD=$(BUILD) tests/run_all.sh 'slurm/'

parity: ## the same weights in Hugging Face transformers, side by side, ViT-B and ViT-L (minutes; a Python 3.11 of its own)
	@env/setup.sh
	@env/parity.sh
	@$(MAKE) --no-print-directory run-parity
run-parity: build $(PARITY)
	@env/parity.sh tests/parity/parity.py --build $(BUILD) $(if $(ONLY),--rows $(ONLY))

.PHONY: metrics-oracle
metrics-oracle: build ## the metrics beside pycocoevalcap's on the same captions (a minute or two; Java 8+ and a Python 3.11 of its own)
	@env/oracle.sh
	@env/oracle.sh tests/oracle/oracle.py --build $(BUILD)

FAULTS ?= 100
SEED   ?= 1
soak: build ## FAULTS=100 random faults (drawn from SEED=1) against a run of the tiny preset; the table goes to tests/faults/README.md
	@. env/mpi.sh && CUDA_VISIBLE_DEVICES= python3 tests/faults/soak.py --build $(BUILD) --faults $(FAULTS) --seed $(SEED) --table tests/faults/README.md

bench: build $(BENCHES) $(filter %/roofline,$(GPU_TESTS)) ## speed: kernels, data path, training step, a GPU's roofline
	@BUILD=$(BUILD) tests/bench/run_all.sh '$(ONLY)'

demo: ## set up, build, draw a small data set, train two ranks on it, caption unseen pictures
	@BUILD=$(BUILD) env/demo.sh

lint: ## layer table, pages, scripts, format, file lengths
	@tests/lint/run.sh

format: ## lay out all C++ as env/clang-format says
	@git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' | xargs clang-format -i --style=file:env/clang-format

tidy: ## clang-tidy over the program's sources, if it is installed (minutes)
	@command -v $(CLANG_TIDY) >/dev/null || { echo '$(CLANG_TIDY) is not installed: apt-get install it, or set CLANG_TIDY= (16 or later)' >&2; exit 66; }
	@printf '%s\n' $(or $(ONLY),$(filter-out %_cuda.cpp,$(wildcard src/*/*.cpp src/*/*/*.cpp data_prep/*/*.cpp))) | xargs -P $(shell nproc) -n 1 sh -c \
	  '$(CLANG_TIDY) --quiet --config-file=env/clang-tidy "$$0" -- $(CPPFLAGS) -std=c++20 $(TORCH_FLAGS) $(MPI_FLAGS) $(PNG_FLAGS) 2>/dev/null'

install: build ## programs, job files and vocabulary into PREFIX= (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/blip_mpi/jobs
	install $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(wildcard data_prep/*.txt) $(DESTDIR)$(PREFIX)/share/blip_mpi
	install -m 644 $(wildcard jobs/*) $(DESTDIR)$(PREFIX)/share/blip_mpi/jobs
	sed -i 's|$$BLIP_HOME/build/bin/|$(PREFIX)/bin/|' $(foreach e,sbatch flux pbs,$(DESTDIR)$(PREFIX)/share/blip_mpi/jobs/*.$(e))
	chmod 755 $(DESTDIR)$(PREFIX)/share/blip_mpi/jobs/chain.sh

bundle: build ## a folder and archive in build/bundle that run on other x86-64 Linux machines with LibTorch 2.11
	@env/bundle.sh $(BUILD) $(BUILD)/bundle
gpu-first: build $(filter %/gpu %/nccl_gpu,$(GPU_TESTS)) ## the same, below 64 MiB, with gpu_first.sh and all GPU tests: for a machine with a GPU and no compiler
	@env/bundle.sh $(BUILD) $(BUILD)/bundle gpu-tests

clean: ## remove the build folder
	rm -rf $(BUILD)

# ---- compile ----
# Results get their names when they are complete, so that two builds of one folder at a time do no harm.
whole = -o $@.$$$$ && mv $@.$$$$ $@
# Precompiled headers hold what every file of a kind includes anyway: the standard library; nlohmann-json; ATen. Those of
# tests Boost.Test beside it.
KINDS := $(shell env/pch/kinds.sh)
mpi_of   = $(if $(filter comm,$(1)),$(MPI_FLAGS))
png_of   = $(if $(filter image,$(1)),$(PNG_FLAGS))
define compile
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(EXTRA) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< $(whole)
endef

$(BUILD)/obj/%.o: %.cpp $(BUILD)/lists/flags
	$(compile)

$(BUILD)/obj/%.cu.o: %.cu $(BUILD)/lists/flags_cuda
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$(Q)$(NVCC) $(NVCC_FLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< $(whole)

# They include each other.
$(BUILD)/pch/%.h.gch: env/pch/%.h $(wildcard env/pch/*.h) $(BUILD)/lists/flags
	@mkdir -p $(@D)
	$(call say,PCH,$<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(EXTRA) -x c++-header $< $(whole)
$(BUILD)/pch/torch.h.gch $(BUILD)/pch/test_torch.h.gch: private EXTRA := $(TORCH_FLAGS)

# $(1) objects, $(2) precompiled header, $(3) further flags
define object_rules
$(1): $(BUILD)/pch/$(2).h.gch
$(1): private EXTRA := -include $(BUILD)/pch/$(2).h $(3) $(if $(findstring test,$(2)),$(TEST_OPT)) $(if $(findstring torch,$(2)),$(TORCH_FLAGS))
$(if $(findstring torch,$(2)),$(1): | need-torch)
endef
of_kind = $(if $(filter plain,$(1)),$(filter-out $(KINDS:json:%=%) $(KINDS:torch:%=%),$(2)),$(filter $(patsubst $(1):%,%,$(filter $(1):%,$(KINDS))),$(2)))
# $(1) sources, $(2) test_ for tests, $(3) further flags
compiled_as = $(foreach k,plain json torch,$(if $(call of_kind,$(k),$(1)),$(eval $(call object_rules,$(call obj,$(call of_kind,$(k),$(1))),$(2)$(k),$(3)))))
$(foreach l,$(LAYERS),$(call compiled_as,$(filter-out %_cuda.cpp,$(call files,src/$(l),*.cpp)),,$(call mpi_of,$(l)) $(call png_of,$(l))))
$(call obj,src/image/png.cpp): $(BUILD)/lists/flags_png
$(foreach l,$(HAVE_CUDA),$(call compiled_as,$(call files,src/$(l),*_cuda.cpp),,$(call mpi_of,$(l)) $(CUDA_FLAGS)))
$(foreach l,$(TESTED),$(call compiled_as,$(wildcard tests/unit/$(l)/*_test.cpp),test_,$(call mpi_of,$(l))))
$(call compiled_as,$(wildcard tests/golden/*_test.cpp tests/ranks/*_test.cpp tests/support/*.cpp),test_)
$(call compiled_as,$(wildcard tests/gpu/*_test.cpp tests/fake_cuda/*_test.cpp) $(filter-out tests/nccl/fake_%,$(wildcard tests/nccl/*.cpp)),test_,$(CUDA_FLAGS))
$(call compiled_as,$(filter-out %_test.cpp,$(wildcard tests/fake_cuda/*.cpp)) tests/nccl/fake_nccl.cpp,,$(CUDA_FLAGS))
$(call compiled_as,$(wildcard tests/bench/*_bench.cpp) tests/parity/evaluate_batch.cpp tests/faults/files/newest_state.cpp)
$(call compiled_as,$(wildcard data_prep/*/*.cpp))

.PHONY: need-torch
need-torch:
	@test -n '$(TORCH_ROOT)' || { echo 'LibTorch not found in $(LIBTORCH): run env/setup.sh, or set LIBTORCH=' >&2; exit 1; }

# ---- archives and programs ----
define archive
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)ar rcsD $@.$$$$ $(filter %.o,$^) && mv $@.$$$$ $@
endef
$(foreach l,$(HAVE),$(eval $(BUILD)/lib/libblip_$(l).a: $(call obj,$(call sources,$(l)))))
$(foreach l,$(HAVE_CUDA),$(eval $(BUILD)/lib/libblip_$(l)_cuda.a: $(call obj,$(call sources_cuda,$(l)))))
$(foreach l,$(HAVE_NOCUDA),$(eval $(BUILD)/lib/libblip_$(l)_nocuda.a: $(call obj,$(call sources_nocuda,$(l)))))
$(SUPPORT_LIB): $(call obj,$(SUPPORT))
$(BUILD)/lib/libtest_support_torch.a: $(call obj,$(SUPPORT_TORCH))
$(BUILD)/lib/%.a: $(BUILD)/lists/%
	$(archive)

define link
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LINK) $(SYS_LIBS) $(whole)
endef
KEEP_LIBRARIES := $(if $(filter 1,$(SANITIZE)),$(BUILD)/obj/tests/sanitize/keep_libraries.o)
# $(1) program, $(2) its objects, $(3) layers, $(4) further archives, $(5) further libraries, $(6) list of sources
define program_rules
$(1): $(2) $(KEEP_LIBRARIES) $(call libs,$(3)) $(4) $(6) $(BUILD)/lists/link
$(1): private LINK := $(5) $(if $(call torchy,$(3)),$(TORCH_LIBS)) $(if $(filter comm,$(3)),$(MPI_LIBS))
$(1):
	$$(link)
endef
# The same for a program of all layers that computes on GPUs.
define cuda_program_rules
$(1): $(2) $(call libs_cuda,$(LAYERS)) $(4) $(6) $(BUILD)/lists/link $(BUILD)/lists/link_cuda
$(1): private LINK := $(5) $(TORCH_CUDA_LIBS) $(MPI_LIBS)
$(1):
	$$(link)
endef
# What --version tells of the build. Written anew only where it differs, and linked into programs alone: a commit compiles
# this one file, and links no test.
BUILD_FACTS := $(BUILD)/obj/build_facts.o
.PHONY: always
always:
$(BUILD_FACTS:.o=.cpp): always
	@mkdir -p $(@D)
	@env/found.sh --facts $(FOUND) >$@.$$$$ && if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi
$(BUILD_FACTS): $(BUILD_FACTS:.o=.cpp)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< $(whole)
TEST_LIBS := -lboost_unit_test_framework
test_main := $(BUILD)/obj/tests/support/test_main.o
# Of the layer app the first two take what needs no LibTorch.
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi,$(call obj,src/app/main.cpp) $(BUILD_FACTS),base options,$(BUILD)/lib/libblip_app.a))
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi_score,$(call obj,src/app/score_main.cpp) $(BUILD_FACTS),$(SCORE_LAYERS),$(BUILD)/lib/libblip_app.a))
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi_cpu,$(call obj,src/app/compute_main.cpp) $(BUILD_FACTS),$(LAYERS)))
$(if $(WITH_CUDA),$(eval $(call cuda_program_rules,$(BUILD)/bin/blip_mpi_cuda,$(call obj,src/app/compute_main.cpp) $(BUILD_FACTS))))
$(foreach p,$(PREP),$(eval $(call program_rules,$(BUILD)/bin/$(p),$(call obj,$(wildcard data_prep/$(p)/*.cpp)) $(BUILD_FACTS),$(PREP_LAYERS),,,$(BUILD)/lists/$(p))))
$(foreach l,$(TESTED),$(eval $(call program_rules,$(BUILD)/tests/unit_$(l),$(call obj,$(wildcard tests/unit/$(l)/*_test.cpp)) $(test_main),$(call closure,$(l)),$(SUPPORT_LIB) $(if $(call torchy,$(call closure,$(l))),$(SUPPORT_TORCH_LIB)),$(TEST_LIBS),$(BUILD)/lists/unit_$(l))))
$(eval $(call program_rules,$(BUILD)/tests/golden,$(call obj,$(wildcard tests/golden/*_test.cpp)) $(test_main),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS),$(BUILD)/lists/golden))
$(eval $(call program_rules,$(BUILD)/tests/ranks,$(call obj,$(wildcard tests/ranks/*_test.cpp) tests/support/ranks_main.cpp),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS),$(BUILD)/lists/ranks))
gpu_objects := $(call obj,$(wildcard tests/gpu/*_test.cpp) tests/support/gpu_main.cpp)
$(if $(WITH_CUDA),$(eval $(call cuda_program_rules,$(BUILD)/tests/gpu,$(gpu_objects),,$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS),$(BUILD)/lists/gpu)))

# The program and the tests of GPUs on a pretended device (tests/fake_cuda/fake_cuda.h), which takes the place of
# libtorch_cuda, of kernels (*.cu: no object of theirs is asked for), of the CUDA runtime and of NCCL.
# What a micro-batch would cost (tests/fake_cuda/roofline_main.cpp) is read from its record.
roofline := $(filter-out %_test.cpp,$(wildcard tests/fake_cuda/roofline*.cpp))
fake_cuda_device := $(call obj,$(filter-out %_test.cpp $(roofline),$(wildcard tests/fake_cuda/*.cpp)) tests/nccl/fake_nccl.cpp)
# $(1) program, $(2) its objects, $(3) further archives and libraries
define fake_cuda_program_rules
$(1): $(2) $(fake_cuda_device) $(call libs_cuda,$(LAYERS)) $(3) $(BUILD)/lists/fake_cuda $(BUILD)/lists/link
$(1): private LINK := $(4) $(TORCH_LIBS) $(MPI_LIBS)
$(1):
	$$(link)
endef
ifneq ($(WITH_CUDA),)
$(eval $(call fake_cuda_program_rules,$(BUILD)/tests/blip_mpi_fake_cuda,$(call obj,src/app/compute_main.cpp) $(BUILD_FACTS)))
$(eval $(call fake_cuda_program_rules,$(BUILD)/tests/roofline,$(call obj,$(roofline))))
$(eval $(call fake_cuda_program_rules,$(BUILD)/tests/fake_cuda,$(gpu_objects) $(call obj,$(wildcard tests/fake_cuda/*_test.cpp) $(filter-out %_main.cpp,$(roofline))),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS)))
endif

# NCCL's communicator on the real libraries, and on shared libraries that stand in for them (tests/nccl/fakes.h).
FAKES := $(abspath $(BUILD))/tests/fakes
# Each fake has a folder of its own, searched in the order given: a folder that held both would lend nccl_job_real the
# fake NCCL wherever it came before the real one's.
FAKE_CUDART := $(FAKES)/cudart/libcudart.so.13
FAKE_NCCL   := $(FAKES)/nccl/libnccl.so.2
# $(1) library, $(2) source, $(3) libraries it needs
define fake_rules
$(1): $(2) tests/nccl/fakes.h $(3) $(BUILD)/lists/flags $(BUILD)/lists/flags_cuda
	@mkdir -p $$(@D)
	$$(call say,FAKE,$(2))
	$$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(CUDA_FLAGS) -fPIC -shared -Wl,-soname,$$(@F) $(2) $(3) -Wl,-rpath,$$(dir $(FAKE_CUDART)) $$(whole)
endef
# $(1) program, $(2) its objects, $(3) NCCL, $(4) CUDA runtime
define nccl_program_rules
$(1): $(2) $(call libs_cuda,base options comm) $(SUPPORT_LIB) $(filter $(FAKES)/%,$(3) $(4)) $(BUILD)/lists/link $(BUILD)/lists/link_cuda
$(1): private LINK := -Wl,--disable-new-dtags $(addprefix -Wl$(,)-rpath$(,),$(patsubst %/,%,$(dir $(4) $(3)))) $(3) $(4) $(TEST_LIBS) $(MPI_LIBS)
$(1):
	$$(link)
endef
nccl_tests := $(call obj,tests/nccl/communicator_test.cpp tests/nccl/nccl_world.cpp tests/support/ranks_main.cpp)
ifneq ($(WITH_CUDA),)
$(eval $(call fake_rules,$(FAKE_CUDART),tests/nccl/fake_cudart.cpp))
$(eval $(call fake_rules,$(FAKE_NCCL),tests/nccl/fake_nccl.cpp,$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_gpu,$(nccl_tests),$(NCCL_LIB),$(CUDART_LIB)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_fake,$(nccl_tests) $(call obj,tests/nccl/fakes_test.cpp),$(FAKE_NCCL),$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_job,$(call obj,tests/nccl/job.cpp),$(FAKE_NCCL),$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_job_real,$(call obj,tests/nccl/job.cpp),$(NCCL_LIB),$(FAKE_CUDART)))
endif
$(eval $(call program_rules,$(PARITY),$(call obj,tests/parity/evaluate_batch.cpp),$(LAYERS)))
$(foreach b,$(BENCHES),$(eval $(call program_rules,$(b),$(call obj,$(b:$(BUILD)/bench/%=tests/bench/%.cpp)),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),-lbenchmark_main -lbenchmark)))

# For the tests of faults: a library that records and disturbs file operations, and what the program makes of a run folder.
$(firstword $(FOR_FAULTS)): $(addprefix tests/faults/files/,file_faults.cpp settings.cpp settings.h) $(BUILD)/lists/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -fPIC -shared $(filter %.cpp,$^) -ldl $(whole)
$(eval $(call program_rules,$(lastword $(FOR_FAULTS)),$(call obj,tests/faults/files/newest_state.cpp),$(LAYERS)))

# Fuzzers of what reads files and captions of strangers: only sources free of LibTorch, compiled a second time with checks.
FUZZERS     := $(patsubst tests/faults/fuzz/%_fuzz.cpp,$(BUILD)/fuzz/%,$(wildcard tests/faults/fuzz/*_fuzz.cpp))
FUZZ_FLAGS  := -std=c++20 -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -include tests/faults/fuzz/source_location.h
FUZZED      := $(wildcard src/base/*.cpp src/options/*.cpp src/text/*.cpp src/metrics/ptb/*.cpp) src/image/jpeg.cpp \
  $(addprefix src/weights/,element_type.cpp safetensors/header.cpp safetensors/weights.cpp pickle/machine.cpp pickle/steps.cpp \
  pickle/calls.cpp tensor_view.cpp pth/zip_archive.cpp pth/pth_file.cpp weight_file.cpp shard_index.cpp open.cpp file_form.cpp mapped_file.cpp) \
  $(addprefix src/metrics/,caption_files.cpp meteor/tables.cpp meteor/index.cpp document_frequencies.cpp counted_captions.cpp cider.cpp coco_tokens.cpp) \
  $(addprefix src/data/,structure_bytes.cpp hdf5_structure.cpp hdf5_heap.cpp packed/dataset.cpp packed/tables.cpp packed/format.cpp) \
  $(addprefix src/checkpoint/,manifest.cpp json_fields.cpp) $(addprefix data_prep/coco_pack/,readers.cpp source.cpp)
FUZZED      := $(filter-out %_cuda.cpp,$(FUZZED))
.PHONY: fuzzers
fuzzers: $(FUZZERS) $(BUILD)/fuzz/packed_seed # tests/faults/fuzz_readers.sh runs them
$(BUILD)/fuzz/json.pch: env/pch/json.h env/pch/plain.h tests/faults/fuzz/source_location.h Makefile
	@mkdir -p $(@D)
	$(call say,PCH,$<)
	$(Q)$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -x c++-header $< $(whole)
$(BUILD)/fuzz/%.o: %.cpp $(BUILD)/fuzz/json.pch
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(FUZZ_CXX) $(CPPFLAGS) $(FUZZ_FLAGS) -include-pch $(BUILD)/fuzz/json.pch -fsanitize=fuzzer-no-link -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< $(whole)
$(BUILD)/fuzz/libfuzzed.a: $(FUZZED:%.cpp=$(BUILD)/fuzz/%.o)
	$(archive)
$(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/faults/fuzz/%_fuzz.o $(BUILD)/fuzz/libfuzzed.a
	$(call say,LINK,$@)
	$(Q)$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer $^ $(LDFLAGS) $(SYS_LIBS) $(whole)
$(call compiled_as,tests/faults/fuzz/packed_seed.cpp)
$(eval $(call program_rules,$(BUILD)/fuzz/packed_seed,$(call obj,tests/faults/fuzz/packed_seed.cpp),$(PREP_LAYERS)))

-include $(wildcard $(BUILD)/fuzz/src/*/*.d $(BUILD)/fuzz/src/*/*/*.d $(BUILD)/fuzz/data_prep/*/*.d $(BUILD)/fuzz/tests/faults/fuzz/*.d)
-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*/*/*.d)
