// Body of the beam search's decisions: one image's candidates by rank, what goes on and what has ended. The same source
// for the CPU, the CUDA kernel and the tests that compare them. Used by beam_search.cpp.
// Rules: reference BLIP's generation (beam scorer of Hugging Face transformers 4.15), or those of transformers
// since 4.50 (GenerationMixin._beam_search), which count lengths, stop and end at the longest length differently.
// Legend: I images, K beams, R rows (I * K, image-major), C = 2 * K candidates of an image, L longest sequence.
#pragma once

#include <cstdint>

#include "blip/base/host_device.h"

namespace blip {

struct RunningBeams {
    std::int64_t* tokens_RL;
    float* scores_R;    // sums of log-probabilities after penalties: what ranks
    double* own_R;      // the model's own sums
};

// The best finished sequences, at most K of an image, each in a slot of its own.
struct FinishedBeams {
    std::int64_t* tokens_IKL;    // without the end token
    double* scores_IK;           // sum after penalties / power of the length
    double* own_IK;
    std::int64_t* lengths_IK;
    std::int64_t* order_IK;    // an image's slots in the order in which they were filled, the first count_I of them
    std::int64_t* count_I;
    const double* powers_L;    // what divides a sum, by length: the host's, so that every device divides by the same
    std::int64_t beams, longest;

    // A sequence of `image` ended. sum: after penalties.
    BLIP_HOST_DEVICE void add(std::int64_t image, const std::int64_t* tokens, std::int64_t length, double sum,
                              double own) const {
        const double score = sum / powers_L[length];
        std::int64_t* order = order_IK + image * beams;
        const std::int64_t count = count_I[image];
        std::int64_t slot = image * beams + count;
        if (count == beams) {
            const std::int64_t worst = worst_place(image);
            slot = image * beams + order[worst];
            if (score <= scores_IK[slot]) return;
            const std::int64_t freed = order[worst];
            for (std::int64_t i = worst; i + 1 < beams; ++i) order[i] = order[i + 1];
            order[beams - 1] = freed;
        } else {
            order[count] = count;
            count_I[image] = count + 1;
        }
        scores_IK[slot] = score;
        own_IK[slot] = own;
        lengths_IK[slot] = length;
        for (std::int64_t i = 0; i < length; ++i) tokens_IKL[slot * longest + i] = tokens[i];
    }
    // No running beam can do better. length: before the next token is appended.
    BLIP_HOST_DEVICE bool complete(std::int64_t image, double best_running_sum, std::int64_t length) const {
        return count_I[image] == beams && scores_IK[image * beams + order_IK[image * beams + worst_place(image)]] >=
                                              best_running_sum / powers_L[length];
    }
    // Place in the order; the first of equal worst ones.
    BLIP_HOST_DEVICE std::int64_t worst_place(std::int64_t image) const {
        const std::int64_t* order = order_IK + image * beams;
        const double* scores = scores_IK + image * beams;
        std::int64_t worst = 0;
        for (std::int64_t i = 1; i < beams; ++i)
            if (scores[order[i]] < scores[order[worst]]) worst = i;
        return worst;
    }
};

struct ChooseBody {
    // The 2 * K best sums of an image, falling; where: beam within the image * vocabulary + token.
    const float* best_IC;
    const float* own_IC;    // the model's own log-probability of the candidate's last token
    const std::int64_t* where_IC;
    RunningBeams from, to;    // before and after; apart, as several beams may go on from one
    FinishedBeams finished;
    bool* done_I;
    std::int64_t *next_R, *parents_R;
    std::int64_t images, vocabulary, length;    // length: of the rows before
    std::int64_t end, pad;
    bool as_transformers;

    BLIP_HOST_DEVICE void operator()(std::int64_t image) const {
        const std::int64_t beams = finished.beams, first_row = image * beams, first = 2 * first_row;
        if (done_I[image]) {
            for (std::int64_t row = first_row; row < first_row + beams; ++row) go_on(row, 0.0F, 0.0, pad, first_row);
            return;
        }
        // transformers: at the longest length only the best candidates are kept, whether they end or not.
        const bool last = as_transformers && length + 1 == finished.longest;
        std::int64_t filled = 0;
        for (std::int64_t rank = 0; rank < 2 * beams && filled < beams; ++rank) {
            const std::int64_t where = where_IC[first + rank];
            const std::int64_t parent = first_row + where / vocabulary, token = where % vocabulary;
            const float sum = best_IC[first + rank];
            const double own = from.own_R[parent] + static_cast<double>(own_IC[first + rank]);
            const std::int64_t row = first_row + filled;
            if (token != end) {
                go_on(row, sum, own, token, parent);
                ++filled;
            }
            if (rank < beams && token == end)
                finished.add(image, from.tokens_RL + parent * finished.longest, length, sum, own);
            else if (rank < beams && last)
                finished.add(image, to.tokens_RL + row * finished.longest, length + 1, sum, own);
        }
        // of this step's candidates, or for transformers of those that go on
        const float best = as_transformers ? to.scores_R[first_row] : best_IC[first];
        done_I[image] = last || finished.complete(image, best, length);
    }

  private:
    BLIP_HOST_DEVICE void go_on(std::int64_t row, float score, double own, std::int64_t token,
                                std::int64_t parent) const {
        const std::int64_t* before = from.tokens_RL + parent * finished.longest;
        std::int64_t* after = to.tokens_RL + row * finished.longest;
        for (std::int64_t i = 0; i < length; ++i) after[i] = before[i];
        after[length] = token;
        to.scores_R[row] = score;
        to.own_R[row] = own;
        next_R[row] = token;
        parents_R[row] = parent;
    }
};

// Queues the body for all images on the device's queue `stream`; in a build without CUDA it throws internal.
void launch_choose(const ChooseBody& body, void* stream);

}    // namespace blip
