# The layers' archives and the programs.
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
torchy   = $(filter $(TORCH_LAYERS),$(1))

PREP_LAYERS := base options text image data
PREP      := $(patsubst data_prep/%/main.cpp,%,$(wildcard data_prep/*/main.cpp))
SCORE_LAYERS := base options text metrics
PROGRAMS  := $(addprefix $(BUILD)/bin/,blip_mpi blip_mpi_cpu blip_mpi_score) $(if $(WITH_CUDA),$(BUILD)/bin/blip_mpi_cuda) $(PREP:%=$(BUILD)/bin/%)

$(foreach l,$(HAVE),$(call track,$(BUILD)/lists/libblip_$(l),$(call sources,$(l))))
$(foreach l,$(HAVE_CUDA),$(call track,$(BUILD)/lists/libblip_$(l)_cuda,$(call sources_cuda,$(l))))
$(foreach l,$(HAVE_NOCUDA),$(call track,$(BUILD)/lists/libblip_$(l)_nocuda,$(call sources_nocuda,$(l))))
$(foreach p,$(PREP),$(call track,$(BUILD)/lists/$(p),$(call files,data_prep/$(p),*.cpp)))

$(foreach l,$(LAYERS),$(call compiled_as,$(filter-out %_cuda.cpp,$(call files,src/$(l),*.cpp)),,$(call mpi_of,$(l)) $(call image_of,$(l)) $(if $(filter $(l),$(BRIEF)),$(BRIEF_OPT))))
$(call obj,$(wildcard src/image/formats/*.cpp)): $(BUILD)/lists/flags_image
$(call obj,src/app/report_page.cpp): src/app/report_page.html
$(foreach l,$(HAVE_CUDA),$(call compiled_as,$(call files,src/$(l),*_cuda.cpp),,$(call mpi_of,$(l)) $(CUDA_FLAGS)))
# the lowest number of CUDA_ARCHS, which need not be the first and may have a letter
$(BUILD)/obj/src/base/linked_cuda.o: private CPPFLAGS += -DBLIP_OLDEST_ARCHITECTURE=$(shell printf '%s\n' $(CUDA_ARCHS) | tr -d a-z | sort -n | head -n 1)
$(BUILD)/obj/src/base/linked_cuda.o: $(BUILD)/lists/flags_cuda
$(call compiled_as,$(wildcard data_prep/*/*.cpp data_prep/*/*/*.cpp))

define archive
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)ar rcsD $@.$$$$ $(filter %.o,$^) && mv $@.$$$$ $@
endef
$(foreach l,$(HAVE),$(eval $(BUILD)/lib/libblip_$(l).a: $(call obj,$(call sources,$(l)))))
$(foreach l,$(HAVE_CUDA),$(eval $(BUILD)/lib/libblip_$(l)_cuda.a: $(call obj,$(call sources_cuda,$(l)))))
$(foreach l,$(HAVE_NOCUDA),$(eval $(BUILD)/lib/libblip_$(l)_nocuda.a: $(call obj,$(call sources_nocuda,$(l)))))
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
# Of the layer app the first two take what needs no LibTorch.
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi,$(call obj,src/app/main.cpp) $(BUILD_FACTS),base options,$(BUILD)/lib/libblip_app.a))
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi_score,$(call obj,src/app/score_main.cpp) $(BUILD_FACTS),$(SCORE_LAYERS),$(BUILD)/lib/libblip_app.a))
$(eval $(call program_rules,$(BUILD)/bin/blip_mpi_cpu,$(call obj,src/app/compute_main.cpp) $(BUILD_FACTS),$(LAYERS)))
$(if $(WITH_CUDA),$(eval $(call cuda_program_rules,$(BUILD)/bin/blip_mpi_cuda,$(call obj,src/app/compute_main.cpp) $(BUILD_FACTS))))
$(foreach p,$(PREP),$(eval $(call program_rules,$(BUILD)/bin/$(p),$(call obj,$(call files,data_prep/$(p),*.cpp)) $(BUILD_FACTS),$(PREP_LAYERS),,,$(BUILD)/lists/$(p))))
# The index of METEOR's tables lies beside them, named by its form: where they have been fetched and it can be written.
METEOR_INDEX := $(if $(PROGRAMS),$(shell cd '$(BLIP_DEPS)/meteor-1.5' 2>/dev/null && [ -e .complete ] && [ -w . ] && echo "$$PWD/index-1"))
$(METEOR_INDEX): $(dir $(METEOR_INDEX)).complete | $(BUILD)/bin/blip_mpi_score
	$(call say,INDEX,$@)
	$(Q)$(BUILD)/bin/blip_mpi_score --compile-meteor $(@D)
