# How sources become objects: flags, precompiled headers, lists that rules depend on.
# No fused multiply-adds and no errno: the same results on every x86-64.
CXXFLAGS += -std=c++20 $(OPT) -fno-math-errno -ffp-contract=off -pthread -Wall -Wextra -Werror -Winvalid-pch -ffile-prefix-map=./=
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

# A file that changes only when its text does: flags and file lists are prerequisites like any other.
track = $(if $(BUILDING),$(if $(subst <$(strip $(file <$(1)))>,,<$(strip $(2))>),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip $(2)))))
BUILDING := $(filter-out help clean demo lint format uninstall dist,$(or $(MAKECMDGOALS),help))
$(call track,$(BUILD)/lists/flags,$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(TORCH_FLAGS) $(MPI_FLAGS) tests: $(TEST_OPT) $(BRIEF): $(BRIEF_OPT))
$(call track,$(BUILD)/lists/flags_image,$(IMAGE_FLAGS))
$(call track,$(BUILD)/lists/flags_cuda,$(NVCC) $(NVCC_FLAGS) $(CUDA_FLAGS))
$(call track,$(BUILD)/lists/link,$(LDFLAGS) $(TORCH_LIBS) $(MPI_LIBS) $(SYS_LIBS))
$(call track,$(BUILD)/lists/link_cuda,$(TORCH_CUDA_LIBS))

# By which programs find LibTorch (BESIDE).
$(if $(and $(BUILDING),$(TORCH_ROOT)),$(shell [ $(BUILD)/torch -ef '$(TORCH_ROOT)' ] || { mkdir -p $(BUILD) && ln -sfn '$(abspath $(TORCH_ROOT))' $(BUILD)/torch; }))

# Files named *.cu and *_cuda.cpp are in programs with CUDA only, *_nocuda.cpp in those without.
obj      = $(sort $(foreach s,$(1),$(or $(OBJECT_OF_$(s)),$(patsubst %.cu,$(BUILD)/obj/%.cu.o,$(s:%.cpp=$(BUILD)/obj/%.o)))))
# $(1) folder, $(2) patterns -> the files in it and in its folders
files    = $(wildcard $(foreach p,$(2),$(1)/$(p) $(1)/*/$(p)))

# Results get their names when they are complete, so that two builds of one folder at a time do no harm.
whole = -o $@.$$$$ && mv $@.$$$$ $@
# Precompiled headers hold what every file of a kind includes anyway: the standard library; nlohmann-json; ATen. Those of
# tests Boost.Test beside it.
KINDS := $(shell env/pch/kinds.sh)
mpi_of   = $(if $(filter comm,$(1)),$(MPI_FLAGS))
image_of = $(if $(filter image,$(1)),$(IMAGE_FLAGS))
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
$(BUILD)/pch/torch.h.gch: private EXTRA := $(TORCH_FLAGS)
$(BUILD)/pch/test_%.h.gch: private EXTRA := $(TEST_OPT)
$(BUILD)/pch/test_torch.h.gch: private EXTRA := $(TEST_OPT) $(TORCH_FLAGS)

# $(1) objects, $(2) precompiled header, $(3) further flags
define object_rules
$(1): $(BUILD)/pch/$(2).h.gch
$(1): private EXTRA := -include $(BUILD)/pch/$(2).h $(3) $(if $(findstring test,$(2)),$(TEST_OPT)) $(if $(findstring torch,$(2)),$(TORCH_FLAGS))
$(if $(findstring torch,$(2)),$(1): | need-torch)
endef
of_kind = $(if $(filter plain,$(1)),$(filter-out $(KINDS:json:%=%) $(KINDS:torch:%=%),$(2)),$(filter $(patsubst $(1):%,%,$(filter $(1):%,$(KINDS))),$(2)))
# $(1) sources, $(2) test_ for tests, $(3) further flags
compiled_as = $(call each_as,$(call of_kind,plain,$(1)),$(2)plain,$(3))$(foreach k,json torch,$(call \
  grouped_as,$(call of_kind,$(k),$(1)),$(APART) $(APART_$(k)),$(2)$(k),$(3)))
each_as = $(if $(1),$(eval $(call object_rules,$(call obj,$(1)),$(2),$(3))))

# Files with JSON or LibTorch are compiled as one with those of their folder, $(TOGETHER) at a time: g++ 12 takes 1.5 and 3 s
# for each before its first line. Not those that programs choose among.
APART      := $(addprefix tests/,bench/% parity/% faults/% support/%) %main.cpp %_nocuda.cpp
APART_json := src/base/version.cpp src/app/%
# $(1) sources, $(2) those apart, $(3) precompiled header, $(4) further flags
grouped_as = $(call each_as,$(filter $(2),$(1)),$(3),$(4))$(call \
  by_folder,$(filter-out $(2),$(1)),$(sort $(dir $(filter-out $(2),$(1)))),$(3),$(4))
by_folder = $(foreach d,$(2),$(call some_together,$(foreach s,$(1),$(if $(filter $(d),$(dir $(s))),$(s))),$(3),$(4)))
some_together = $(if $(1),$(call together,$(wordlist 1,$(TOGETHER),$(1)),$(2),$(3))$(call \
  some_together,$(wordlist $(words $(wordlist 1,$(TOGETHER),$(KINDS)) more),9999,$(1)),$(2),$(3)))
together = $(if $(word 2,$(1)),$(eval $(call together_rules,$(1),$(subst /,_,$(basename $(firstword $(1)))),$(2),$(3))),$(call each_as,$(1),$(2),$(3)))
# $(1) sources, $(2) their name, $(3) precompiled header, $(4) further flags
define together_rules
$(call track,$(BUILD)/lists/together/$(2),$(1))
$(foreach s,$(1),$(eval OBJECT_OF_$(s) := $(BUILD)/obj/together/$(2).o))
# its check takes the files for headers
$(call object_rules,$(BUILD)/obj/together/$(2).o,$(3),$(4) -Wno-subobject-linkage)
endef
$(BUILD)/together/%.cpp: $(BUILD)/lists/together/%
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $$(cat $<) >$@
$(BUILD)/obj/together/%.o: $(BUILD)/together/%.cpp $(BUILD)/lists/flags
	$(compile)

.PHONY: need-torch
need-torch:
	@test -n '$(TORCH_ROOT)' || { echo 'LibTorch not found in $(LIBTORCH): run env/setup.sh, or set LIBTORCH=' >&2; exit 1; }
