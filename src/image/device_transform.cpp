// Makes the table of a batch's transform. See device_transform.h.
#include "blip/image/device_transform.h"

#include <algorithm>
#include <cstring>

#include "src/image/operators.h"
#include "src/image/resize/arithmetic.h"
#include "src/image/transform_layout.h"

namespace blip {
namespace {

std::size_t rounded_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Both counters are advanced by what the picture needs.
PictureWork plan_resize(const PlacedPicture& picture, int size, std::int64_t& weights, std::int64_t& between) {
    const Box& box = picture.plan.crop;
    check_resize(picture.height, picture.width, box, size, size);
    PictureWork work;
    work.source_stride_bytes = static_cast<std::int64_t>(picture.width) * 3;
    work.source_byte =
        static_cast<std::int64_t>(picture.offset_bytes) + box.top * work.source_stride_bytes + box.left * 3L;
    work.flipped = picture.plan.flip ? 1 : 0;
    const auto pass = [&](PassAxis axis) {
        PassWork result;
        result.axis = axis;
        result.in_size = axis == PassAxis::vertical ? box.height : box.width;
        result.most_taps = most_taps(resize_axis(result.in_size, size));
        result.first_weight = weights;
        weights += static_cast<std::int64_t>(size) * result.most_taps;
        return result;
    };
    const bool vertical = box.height != size, horizontal = box.width != size;
    if (vertical && horizontal) {
        const bool vertical_first = vertical_pass_first(box.height, box.width, size, size);
        work.first = pass(vertical_first ? PassAxis::vertical : PassAxis::horizontal);
        work.second = pass(vertical_first ? PassAxis::horizontal : PassAxis::vertical);
        work.between_byte = between;
        work.between_height = vertical_first ? size : box.height;
        work.between_width = vertical_first ? box.width : size;
        between += static_cast<std::int64_t>(work.between_height) * work.between_width * 3;
    } else if (vertical || horizontal) {
        work.second = pass(vertical ? PassAxis::vertical : PassAxis::horizontal);
    }
    return work;
}

// Adds the operators of all pictures, step by step, and says which planes each picture starts in.
void plan_operators(std::span<const PlacedPicture> pictures, TransformTable& table, std::vector<PictureWork>& works,
                    std::vector<OperatorWork>& operators) {
    std::size_t most_steps = 0;
    std::vector<std::vector<SignedOperator>> effective(pictures.size());
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        for (const SignedOperator& operation : pictures[i].plan.operators) {
            if (!uses_table(operation.kind) && !is_affine(operation.kind)) continue;
            effective[i].push_back(operation);
            // every affine operator changes sides, and the last one must end in the output
            works[i].to_scratch ^= is_affine(operation.kind) ? 1 : 0;
        }
        most_steps = std::max(most_steps, effective[i].size());
    }
    std::vector<std::int32_t> in_scratch(pictures.size());
    for (std::size_t i = 0; i < pictures.size(); ++i) in_scratch[i] = works[i].to_scratch;
    for (std::size_t step = 0; step < most_steps; ++step) {
        TransformTable::Step range;
        range.begin = static_cast<std::int64_t>(operators.size());
        for (const bool affine : {false, true}) {
            if (affine) range.affine_begin = static_cast<std::int64_t>(operators.size());
            for (std::size_t i = 0; i < pictures.size(); ++i) {
                if (step >= effective[i].size() || is_affine(effective[i][step].kind) != affine) continue;
                OperatorWork work;
                work.picture = static_cast<std::int32_t>(i);
                work.kind = effective[i][step].kind;
                work.in_scratch = in_scratch[i];
                if (affine) {
                    work.map = affine_map(effective[i][step], table.size, table.size);
                    in_scratch[i] ^= 1;
                } else {
                    work.table = static_cast<std::int32_t>(table.table_count);
                    table.table_count += 3;
                }
                operators.push_back(work);
            }
        }
        range.end = static_cast<std::int64_t>(operators.size());
        table.steps.push_back(range);
    }
}

// Appends the values' bytes; returns where they start.
template <class Value>
std::size_t append(std::vector<std::byte>& bytes, const std::vector<Value>& values) {
    const std::size_t start = rounded_up(bytes.size(), 16);
    bytes.resize(start + values.size() * sizeof(Value));
    if (!values.empty()) std::memcpy(bytes.data() + start, values.data(), values.size() * sizeof(Value));
    return start;
}

void place_workspace(TransformTable& table, std::int64_t weights, std::int64_t between_bytes, bool affine) {
    const auto place = [&](std::size_t& start, std::int64_t count, std::size_t each) {
        start = table.workspace_bytes;
        table.workspace_bytes = rounded_up(start + static_cast<std::size_t>(count) * each, 256);
    };
    const std::int64_t plane = static_cast<std::int64_t>(table.size) * table.size;
    place(table.windows_at, table.picture_count * 2 * table.size, sizeof(ResizeWindow));
    place(table.weights_at, weights, sizeof(std::int32_t));
    place(table.counts_at, table.table_count * count_copies * levels, sizeof(std::uint32_t));
    place(table.tables_at, table.table_count * levels, 1);
    place(table.between_at, between_bytes, 1);
    place(table.scratch_at, affine ? table.picture_count * 3 * plane : 0, 1);
}

}    // namespace

TransformTable::TransformTable(std::span<const PlacedPicture> pictures, int a_size)
    : size(a_size), picture_count(static_cast<std::int64_t>(pictures.size())) {
    std::vector<PictureWork> works;
    std::vector<std::int32_t> tile_pictures;
    std::int64_t weights = 0, between_bytes = 0;
    for (const PlacedPicture& picture : pictures) {
        works.push_back(plan_resize(picture, size, weights, between_bytes));
        PictureWork& work = works.back();
        const std::int64_t pixels = static_cast<std::int64_t>(work.between_height) * work.between_width;
        work.first_tile = static_cast<std::int64_t>(tile_pictures.size());
        tile_pictures.resize(tile_pictures.size() + static_cast<std::size_t>((pixels + tile_pixels - 1) / tile_pixels),
                             static_cast<std::int32_t>(works.size() - 1));
    }
    std::vector<OperatorWork> operators;
    plan_operators(pictures, *this, works, operators);
    tile_count = static_cast<std::int64_t>(tile_pictures.size());
    append(bytes, works);
    operators_at = append(bytes, operators);
    tile_pictures_at = append(bytes, tile_pictures);
    const bool affine =
        std::any_of(operators.begin(), operators.end(), [](const auto& o) { return is_affine(o.kind); });
    place_workspace(*this, weights, between_bytes, affine);
}

std::size_t TransformTable::output_bytes() const {
    return static_cast<std::size_t>(picture_count) * 3 * static_cast<std::size_t>(size) *
           static_cast<std::size_t>(size);
}

}    // namespace blip
