// See captioner.h.
#include "blip/model/captioner.h"

namespace blip {

Captioner::Captioner(const ModelOptions& options)
    : options_(options), vision_(layout_, options), text_(layout_, options) {}

}    // namespace blip
