// Scores for other programs: what the Python package blip_score (src/python/) asks of blip_mpi_score. Called by
// score_main.
#pragma once

#include "blip/base/error.h"

namespace blip {

// Answers each line of standard input on standard output, until it ends. A line of JSON has a line of JSON:
//  - {"tokenize": ["A dog.", ...]}: {"tokens": ["a dog", ...]}, PTB tokens, all lines as one text;
//  - {"score": "bleu", "hypotheses": ["a dog", ...], "references": [["the dog", ...], ...]}, tokens with a space
//  between:
//    {"corpus": {"Bleu_1": X, ...}, "per_image": {"Bleu_1": [X, ...], ...}}; likewise "rouge_l", "cider" (with
//    "cider_df" the frequencies of a file), and "meteor" ("meteor_data": the folder of its tables, "" or absent: the
//    default one).
// What cannot be answered: {"error": TEXT, "exit_code": N}.
ExitCode answer_requests();

}    // namespace blip
