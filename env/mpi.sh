# shellcheck shell=bash
# Sourced by the demo and the test scripts: lets mpirun of Open MPI work on one machine of any kind (root in a container,
# fewer cores than ranks, no ssh). What the user has set already is kept.
export OMPI_ALLOW_RUN_AS_ROOT="${OMPI_ALLOW_RUN_AS_ROOT:-1}"
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:-1}"
export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"
if ! command -v ssh >/dev/null 2>&1; then
    export OMPI_MCA_plm="${OMPI_MCA_plm:-isolated}"
fi
# More ranks than cores: a waiting rank gives its core away.
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
