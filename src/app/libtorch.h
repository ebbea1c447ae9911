// Where a program that computes finds LibTorch. Called by main.cpp before it becomes one.
#pragma once

namespace blip {

// A build and an installation have a link `torch` beside the programs' folder, by which the programs find LibTorch.
// LIBTORCH in the environment (the directory that a torch wheel is in, or an unpacked libtorch zip) goes before it:
// its libraries are put into LD_PRELOAD, which alone goes before what stands in blip_mpi_cuda. with_cuda: those for
// GPUs, too. Does nothing where there is no such link: a bundle's own launcher looks for LibTorch (env/bundle.sh).
// Throws missing_input, with the remedy, where LIBTORCH names none, or one of another version than that of the build,
// or is not set and the link leads nowhere.
void choose_libtorch(bool with_cuda);

}    // namespace blip
