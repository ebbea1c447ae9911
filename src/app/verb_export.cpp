// blip_mpi export: weights in another form.
#include "blip/base/error.h"
#include "src/app/verbs.h"

namespace blip {

ExitCode run_export(const Options&) { throw Error(ExitCode::internal, "export is not there yet"); }

}    // namespace blip
