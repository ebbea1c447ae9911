# Tests of the GPU path: on a GPU, on a device that pretends to be one, over libraries that stand in for NCCL and CUDA.
GPU_TESTS := $(if $(WITH_CUDA),$(addprefix $(BUILD)/tests/,gpu nccl_gpu nccl_fake nccl_job nccl_job_real fake_cuda blip_mpi_fake_cuda roofline))
$(call track,$(BUILD)/lists/gpu,$(wildcard tests/gpu/*_test.cpp))
$(call track,$(BUILD)/lists/fake_cuda,$(wildcard tests/fake_cuda/*.cpp tests/gpu/*_test.cpp))
# Left by a build with CUDA, they would still be found and run.
$(if $(or $(WITH_CUDA),$(if $(BUILDING),,1)),,$(shell rm -f $(BUILD)/bin/blip_mpi_cuda $(BUILD)/tests/gpu $(BUILD)/tests/nccl_* $(BUILD)/tests/*fake_cuda $(BUILD)/tests/roofline))
$(call compiled_as,$(wildcard tests/gpu/*_test.cpp tests/fake_cuda/*_test.cpp) $(filter-out tests/nccl/fake_%,$(wildcard tests/nccl/*.cpp)),test_,$(CUDA_FLAGS))
$(call compiled_as,$(filter-out %_test.cpp,$(wildcard tests/fake_cuda/*.cpp)) tests/nccl/fake_nccl.cpp,,$(CUDA_FLAGS))
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
nccl_tests := $(call obj,tests/nccl/collectives_test.cpp tests/nccl/nccl_world.cpp tests/support/ranks_main.cpp)
ifneq ($(WITH_CUDA),)
$(eval $(call fake_rules,$(FAKE_CUDART),tests/nccl/fake_cudart.cpp))
$(eval $(call fake_rules,$(FAKE_NCCL),tests/nccl/fake_nccl.cpp,$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_gpu,$(nccl_tests),$(NCCL_LIB),$(CUDART_LIB)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_fake,$(nccl_tests) $(call obj,tests/nccl/fakes_test.cpp),$(FAKE_NCCL),$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_job,$(call obj,tests/nccl/job.cpp),$(FAKE_NCCL),$(FAKE_CUDART)))
$(eval $(call nccl_program_rules,$(BUILD)/tests/nccl_job_real,$(call obj,tests/nccl/job.cpp),$(NCCL_LIB),$(FAKE_CUDART)))
endif
