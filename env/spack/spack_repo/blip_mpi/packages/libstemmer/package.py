# Spack's own packages have no libstemmer.
from spack_repo.builtin.build_systems.makefile import MakefilePackage

from spack.package import *


class Libstemmer(MakefilePackage):
    """Snowball's stemmers as a C library."""

    homepage = "https://snowballstem.org/"
    url = "https://snowballstem.org/dist/libstemmer_c-2.2.0.tar.gz"

    license("BSD-3-Clause")

    version("2.2.0", sha256="b941d9fe9cf36b4e2f8d3873cd4d8b8775bd94867a1df8d8c001bb8b688377c3")

    depends_on("c", type="build")
    depends_on("gmake", type="build")

    # its makefile has no target that installs
    def build(self, spec, prefix):
        make("CFLAGS=-O2 -fPIC", "libstemmer.a")

    def install(self, spec, prefix):
        mkdirp(prefix.lib, prefix.include)
        install("libstemmer.a", prefix.lib)
        install("include/libstemmer.h", prefix.include)
