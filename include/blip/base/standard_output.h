// Standard output that is known to have arrived. Used by every program that prints what somebody asked for.
#pragma once

#include <string_view>

namespace blip {

// All of the text, at once: whoever reads it sees it now. what: "captions", for the message. Throws Error(io) where it
// cannot be written, as to a full disk.
void write_standard_output(std::string_view text, std::string_view what);

// The same for what was printed before, piece by piece.
void flush_standard_output(std::string_view what);

}    // namespace blip
