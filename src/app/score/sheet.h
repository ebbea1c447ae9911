// A table of texts as people print it. Internal to the verb score.
#pragma once

#include <string>
#include <vector>

namespace blip {

struct ScoreSheet {
    std::vector<std::string> heading;    // empty: none in text
    std::vector<std::vector<std::string>> rows;

    ScoreSheet transposed() const;
};

// Columns one below the other, the first two at least 10 wide, others 13; no blanks at the ends of lines.
std::string plain_table(const ScoreSheet& sheet);
std::string markdown_table(const ScoreSheet& sheet);
// For the package booktabs.
std::string latex_table(const ScoreSheet& sheet);

}    // namespace blip
