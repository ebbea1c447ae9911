# What is found on this machine: libraries, LibTorch, CUDA.
TORCH_ROOT := $(firstword $(patsubst %/include/ATen/core/Tensor.h,%,$(wildcard \
  $(LIBTORCH)/torch/include/ATen/core/Tensor.h $(LIBTORCH)/include/ATen/core/Tensor.h)))
PKGS        := spdlog fmt libxxhash icu-uc icu-i18n zlib libzip libarchive yaml-cpp
HDF5_PKG    := $(shell pkg-config --exists hdf5 2>/dev/null && echo hdf5 || echo hdf5-serial)
# what reads pictures
IMAGE_PKGS  := libjpeg libpng libtiff-4 libwebpdemux
IMAGE_FLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(IMAGE_PKGS) 2>/dev/null))
SYS_FLAGS   := $(shell pkg-config --cflags $(PKGS) $(HDF5_PKG) 2>/dev/null)
SYS_LIBS    := $(shell pkg-config --libs $(PKGS) $(IMAGE_PKGS) $(HDF5_PKG) 2>/dev/null) -lgif -lcsv -lboost_program_options -lstemmer -ldl
MPI_FLAGS   := -DOMPI_SKIP_MPICXX $(patsubst -I%,-isystem %,$(shell $(MPICXX) --showme:compile 2>/dev/null))
MPI_LIBS    := $(filter-out -lmpi_cxx,$(shell $(MPICXX) --showme:link 2>/dev/null))
# After the system: LibTorch brings its own nlohmann and fmt headers, of other versions.
TORCH_FLAGS := -DAT_PER_OPERATOR_HEADERS -idirafter $(TORCH_ROOT)/include
# Programs look for it by the link `torch` beside their folder, so that nothing in them names a place of this machine: the
# build has such a link, and an installation its own (env/install.sh). $LIBTORCH comes first (src/app/libtorch.cpp).
BESIDE      := $$$$ORIGIN/../torch
TORCH_LIBS  := -L$(TORCH_ROOT)/lib -Wl,-rpath,'$(BESIDE)/lib' -ltorch_cpu -lc10

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
# A CUDA module's LD_LIBRARY_PATH must not put its own NCCL or CUDA runtime beside LibTorch's: DT_RPATH goes before it.
TORCH_CUDA_LIBS := -Wl,--disable-new-dtags -L$(TORCH_ROOT)/lib $(patsubst %,-Wl$(,)-rpath$(,)'%',$(BESIDE)/lib \
  $(patsubst $(SITE)/%,$(BESIDE)/../nvidia/%,$(sort $(patsubst %/,%,$(dir $(NCCL_LIB) $(CUDART_LIB)))))) -Wl,--no-as-needed -ltorch_cpu -ltorch_cuda -ltorch -lc10_cuda \
  -lc10 $(NCCL_LIB) $(CUDART_LIB) -Wl,--as-needed

# For env/found.sh
FOUND = '$(CXX)' '$(MPICXX)' '$(TORCH_ROOT)' '$(HDF5_PKG)' '$(CUDA_HOME)' '$(if $(SANITIZE),0,$(CUDA))' '$(CUDA_LACKS)' '$(NCCL_LIB)' \
  '$(NCCL_INCLUDE)' '$(CUDART_LIB)' '$(CUDA_ARCHS)'
