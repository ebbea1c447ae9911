// The terminal that people see stderr on, and its one transient line. Internal to the report layer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace blip {

// Is stderr a terminal, or a pipe to an mpirun whose stderr is one?
bool on_terminal();
// The first `columns` characters of UTF-8 text.
std::string first_columns(const std::string& text, std::size_t columns);
inline constexpr const char* kBetweenFields = "  ";
// As many whole fields from the left as have room; of the first one, as much as fits.
std::string fitting_fields(const std::vector<std::string>& fields, std::size_t columns);
// Replaces the transient line. Log lines clear it by themselves.
void draw_transient_line(const std::vector<std::string>& fields);
void clear_transient_line();

}    // namespace blip
