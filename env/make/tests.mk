# The tests' programs, but for those of the GPU path, and the targets that run tests.
TESTED  := $(foreach l,$(LAYERS),$(if $(wildcard tests/unit/$(l)/*_test.cpp),$(l)))
UNIT      := $(TESTED:%=$(BUILD)/tests/unit_%)
WIDE      := $(foreach d,golden ranks,$(if $(wildcard tests/$(d)/*_test.cpp),$(BUILD)/tests/$(d)))
PARITY    := $(BUILD)/tests/parity_batch
FOR_FAULTS := $(BUILD)/tests/libfile_faults.so $(BUILD)/tests/newest_state
BENCHES   := $(patsubst tests/bench/%.cpp,$(BUILD)/bench/%,$(wildcard tests/bench/*_bench.cpp))
SUPPORT       := $(filter-out %_main.cpp tests/support/torch_%,$(wildcard tests/support/*.cpp))
SUPPORT_TORCH := $(wildcard tests/support/torch_*.cpp)
SUPPORT_LIB   := $(BUILD)/lib/libtest_support.a
SUPPORT_TORCH_LIB := $(if $(SUPPORT_TORCH),$(BUILD)/lib/libtest_support_torch.a)

# Under TSan: the tests of what has threads of its own.
ifeq ($(SANITIZE),thread)
PROGRAMS :=
UNIT     := $(addprefix $(BUILD)/tests/unit_,base data checkpoint)
WIDE     :=
endif

$(foreach l,$(TESTED),$(call track,$(BUILD)/lists/unit_$(l),$(wildcard tests/unit/$(l)/*_test.cpp)))
$(foreach d,golden ranks,$(call track,$(BUILD)/lists/$(d),$(wildcard tests/$(d)/*_test.cpp)))
$(call track,$(BUILD)/lists/libtest_support,$(SUPPORT))
$(call track,$(BUILD)/lists/libtest_support_torch,$(SUPPORT_TORCH))
$(foreach l,$(TESTED),$(call compiled_as,$(wildcard tests/unit/$(l)/*_test.cpp),test_,$(call mpi_of,$(l)) $(call image_of,$(l))))
$(call compiled_as,$(wildcard tests/golden/*_test.cpp tests/ranks/*_test.cpp tests/support/*.cpp),test_)
$(call compiled_as,$(wildcard tests/bench/*_bench.cpp) tests/parity/evaluate_batch.cpp tests/faults/files/newest_state.cpp)

$(SUPPORT_LIB): $(call obj,$(SUPPORT))
$(BUILD)/lib/libtest_support_torch.a: $(call obj,$(SUPPORT_TORCH))
TEST_LIBS := -lboost_unit_test_framework
test_main := $(BUILD)/obj/tests/support/test_main.o
$(foreach l,$(TESTED),$(eval $(call program_rules,$(BUILD)/tests/unit_$(l),$(call obj,$(wildcard tests/unit/$(l)/*_test.cpp)) $(test_main),$(call closure,$(l)) $(TESTS_USE_$(l)),$(SUPPORT_LIB) $(if $(call torchy,$(call closure,$(l))),$(SUPPORT_TORCH_LIB)),$(TEST_LIBS),$(BUILD)/lists/unit_$(l))))
$(eval $(call program_rules,$(BUILD)/tests/golden,$(call obj,$(wildcard tests/golden/*_test.cpp)) $(test_main),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS),$(BUILD)/lists/golden))
$(eval $(call program_rules,$(BUILD)/tests/ranks,$(call obj,$(wildcard tests/ranks/*_test.cpp) tests/support/ranks_main.cpp),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),$(TEST_LIBS),$(BUILD)/lists/ranks))
$(eval $(call program_rules,$(PARITY),$(call obj,tests/parity/evaluate_batch.cpp),$(LAYERS)))
$(foreach b,$(BENCHES),$(eval $(call program_rules,$(b),$(call obj,$(b:$(BUILD)/bench/%=tests/bench/%.cpp)),$(LAYERS),$(SUPPORT_LIB) $(SUPPORT_TORCH_LIB),-lbenchmark_main -lbenchmark)))

# For the tests of faults: a library that records and disturbs file operations, and what the program makes of a run folder.
$(firstword $(FOR_FAULTS)): $(addprefix tests/faults/files/,file_faults.cpp settings.cpp settings.h) $(BUILD)/lists/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -fPIC -shared $(filter %.cpp,$^) -ldl $(whole)
$(eval $(call program_rules,$(lastword $(FOR_FAULTS)),$(call obj,tests/faults/files/newest_state.cpp),$(LAYERS)))

# ---- targets ----
# Where they cannot be had, tests that need them are skipped.
meteor_tables = @env/setup.sh --with-meteor || echo "no tables for METEOR here: tests of its scores will be skipped" >&2
# What is found is decided when make starts, so that a second one builds, after the set-up.
# $(1) options of env/setup.sh, $(2) what to build, $(3) arguments of tests/run.py, $(4) its environment
define run_tests
	@env/setup.sh $(1)
	$(meteor_tables)
	+@$(MAKE) --no-print-directory $(2)
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(4) tests/run.py $(3)
endef
.PHONY: test test-all test-rest test-faults test-golden test-slurm parity run-parity metrics-oracle soak bench
test: ## set up, build, the quick tests; ONLY=unit_text, ONLY=ranks, ONLY=faults ... runs some, quick or not
	$(call run_tests,,build tests,--tier quick '$(ONLY)')
test-all: ## all tests, those with a Slurm of their own among them (installed by apt; as root)
	$(call run_tests,--with-slurm --with-browser,build tests,'$(ONLY)')
test-rest: ## those that `make test` leaves out
	$(call run_tests,--with-slurm --with-browser,build tests,--tier rest)
test-faults: ## the fault suite in its long form (FAULTS=short: as in make test-all); ONLY=train_kills ... runs some
	$(call run_tests,,build tests,'faults/($(or $(ONLY),.*))',FAULTS=$(if $(filter short,$(FAULTS)),short,long))
test-golden: ## the tests on golden data and COCO pictures (BLIP_GOLDEN_DIR, BLIP_COCO_DIR, BLIP_CAPTIONS)
	$(call run_tests,,build $(BUILD)/tests/golden,'golden|coco_pack_input|train_kill[.]')
test-slurm: ## jobs/ under a real Slurm of two nodes on this machine (installed by apt; as root), stopped and resumed
	$(call run_tests,--with-slurm,build,'slurm/',REQUIRE_SLURM=1)

parity: ## the same weights in Hugging Face transformers, side by side, ViT-B and ViT-L (minutes; a Python 3.11 of its own)
	@env/setup.sh
	@env/parity.sh
	@$(MAKE) --no-print-directory run-parity
run-parity: build $(PARITY)
	@env/parity.sh tests/parity/parity.py --build $(BUILD) $(if $(ONLY),--rows $(ONLY))

metrics-oracle: build ## the metrics beside pycocoevalcap's on the same captions (a minute or two; Java 8+ and a Python 3.11 of its own)
	@env/oracle.sh
	@env/oracle.sh tests/oracle/oracle.py --build $(BUILD)

FAULTS ?= 100
SEED   ?= 1
soak: build ## FAULTS=100 random faults (drawn from SEED=1) against a run of the tiny preset; the table goes to tests/faults/README.md
	@. env/mpi.sh && CUDA_VISIBLE_DEVICES= python3 tests/faults/soak.py --build $(BUILD) --faults $(FAULTS) --seed $(SEED) --table tests/faults/README.md

bench: build $(BENCHES) $(filter %/roofline,$(GPU_TESTS)) ## speed: kernels, data path, training step, a GPU's roofline
	@BUILD=$(BUILD) tests/bench/run_all.sh '$(ONLY)'
