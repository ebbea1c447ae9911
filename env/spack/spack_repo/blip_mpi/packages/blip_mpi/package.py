# Not built yet. The dependencies are the rows for `build` of env/needs.txt; tests/setup/recipes.sh compares them.
import pathlib

from spack_repo.builtin.build_systems.cuda import CudaPackage
from spack_repo.builtin.build_systems.makefile import MakefilePackage

from spack.package import *

# the clone in which this recipe lies
SOURCES = pathlib.Path(__file__).resolve().parents[6]


class BlipMpi(MakefilePackage, CudaPackage):
    """BLIP image captioning: training, captions and scores as one C++ program with MPI, on CPUs and GPUs."""

    homepage = f"file://{SOURCES}/README.md"
    git = f"file://{SOURCES}"
    url = f"file://{SOURCES}/build/dist/blip_mpi-0.2.0.tar.gz"

    license("Apache-2.0")

    version("main", branch="main")
    # An archive of `make dist` is a version, too, with the SHA-256 that is printed: version("0.2.0", sha256="...")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("gmake", type="build")
    depends_on("git", type="build")
    depends_on("pkgconf", type="build")
    depends_on("util-linux", type="build")
    depends_on("python", type="build")
    depends_on("openmpi@4:")
    depends_on("hdf5+threadsafe")
    depends_on("boost+program_options")
    depends_on("nlohmann-json")
    depends_on("spdlog")
    depends_on("fmt")
    depends_on("libjpeg-turbo")
    depends_on("libpng")
    depends_on("libtiff")
    depends_on("libwebp+libwebpdemux")
    depends_on("giflib")
    depends_on("xxhash")
    depends_on("icu4c")
    depends_on("random123")
    depends_on("zlib-api")
    depends_on("libzip")
    depends_on("libarchive")
    depends_on("yaml-cpp")
    depends_on("libcsv")
    depends_on("libstemmer")
    # LibTorch: its C++ interface changes from one minor version to the next
    depends_on("py-torch@2.11~cuda", when="~cuda")
    depends_on("py-torch@2.11+cuda+nccl", when="+cuda")
    # between GPUs it has NCCL alone, and links the one that LibTorch has
    depends_on("nccl", when="+cuda")

    conflicts("%gcc@:11", msg="C++20 needs GCC 12")
    conflicts("cuda_arch=none", when="+cuda", msg="say for which GPUs: cuda_arch=80,90")
    requires("platform=linux target=x86_64:", msg="it is for Linux on x86-64")

    def settings(self):
        """What the Makefile is told."""
        spec = self.spec
        cmake = pathlib.Path(self["py-torch"].cmake_prefix_paths[0])    # .../torch/share/cmake
        told = [f"LIBTORCH={cmake.parents[1]}", f"MPICXX={spec['openmpi'].prefix.bin.mpicxx}"]
        if spec.satisfies("~cuda"):
            return told + ["CUDA=0"]
        libraries = find_libraries("libcudart", root=spec["cuda"].prefix, shared=True, recursive=True)
        architectures = " ".join(spec.variants["cuda_arch"].value)
        return told + [
            "CUDA=1",
            f"CUDA_HOME={spec['cuda'].prefix}",
            f"CUDA_ARCHS={architectures}",
            f"CUDART_LIB={libraries[0]}",
            f"NCCL_LIB={spec['nccl'].libs[0]}",
            f"NCCL_INCLUDE={spec['nccl'].prefix.include}",
        ]

    def build(self, spec, prefix):
        make("build", *self.settings())

    def install(self, spec, prefix):
        make("install", f"PREFIX={prefix}", *self.settings())

    def test_version(self):
        """the version is told"""
        assert "blip_mpi" in Executable(self.prefix.bin.blip_mpi)("--version", output=str)

    def test_check(self):
        """the installation computes, packs and trains as it must"""
        Executable(self.prefix.bin.blip_mpi)("check")
