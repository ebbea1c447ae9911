// BMP decoding: 1 to 32 bits, palettes, masks, runs, as Pillow reads them. See formats.h.
#include <algorithm>
#include <array>
#include <bit>

#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "BMP";
enum Compression : std::uint32_t { plain = 0, runs_8 = 1, runs_4 = 2, masks = 3 };
constexpr std::size_t file_header_bytes = 14;

class Reader {
  public:
    Reader(Bytes bytes, const std::string& origin) : origin_(origin), bytes_(bytes) {
        const std::size_t length = number(14, 4);
        const bool is_old = length == 12;    // OS/2's first: no compression, palette entries of three bytes
        const std::int64_t width = number(18, is_old ? 2 : 4);
        std::int64_t height = number(is_old ? 20 : 22, is_old ? 2 : 4);
        from_top_ = !is_old && height >> 24 == 0xFF;    // a negative height
        if (from_top_) height = (std::int64_t{1} << 32) - height;
        size = checked_size(width, height, origin, form);
        bits_ = number(is_old ? 24 : 28, 2);
        compression_ = is_old ? plain : static_cast<Compression>(number(30, 4));
        std::size_t colours = is_old ? 0 : number(46, 4);
        if (colours == 0 && bits_ <= 8) colours = std::size_t{1} << bits_;
        std::size_t after = file_header_bytes + length;
        if (compression_ == masks) {
            read_masks(length);
            if (length < 52) after += 12;
        }
        check_kind();
        if (bits_ <= 8) after += read_palette(after, colours, is_old ? 3 : 4);
        start_ = number(10, 4);
        if (start_ == file_header_bytes + length && bits_ <= 8) start_ = after;    // seen: the palette is not counted
        if (start_ == 0) start_ = after;
    }

    Image image() const {
        Image result = blank_image(size);
        const std::vector<std::uint8_t> indices = has_runs() ? indices_of_runs() : std::vector<std::uint8_t>();
        const Bytes stored = has_runs() ? Bytes(indices) : bytes_.subspan(std::min(start_, bytes_.size()));
        const auto width = static_cast<std::size_t>(size.width);
        const std::size_t row_bytes = has_runs() ? width : (width * bits_ + 7) / 8;
        const std::size_t stride = has_runs() ? width : (width * bits_ + 31) / 32 * 4;
        for (int y = 0; y < size.height; ++y) {
            const auto row = static_cast<std::size_t>(from_top_ ? y : size.height - 1 - y);
            const std::size_t from = static_cast<std::size_t>(y) * stride;
            if (from > stored.size() || stored.size() - from < row_bytes) ends_early();
            put_row(stored.data() + from, width, result.pixels_HWC.data() + row * width * 3);
        }
        return result;
    }

    ImageSize size;

  private:
    [[noreturn]] void ends_early() const { throw_damaged(origin_, form, "the file ends too early"); }
    bool has_runs() const { return compression_ == runs_8 || compression_ == runs_4; }
    // Little-endian.
    std::uint32_t number(std::size_t at, std::size_t count) const {
        if (at + count > bytes_.size()) ends_early();
        std::uint32_t value = 0;
        for (std::size_t i = count; i-- > 0;) value = value << 8 | bytes_[at + i];
        return value;
    }
    void read_masks(std::size_t header_bytes) {
        for (std::size_t i = 0; i < 3; ++i) mask_[i] = number(54 + 4 * i, 4);
        if (bits_ == 32 && header_bytes >= 56 && mask_ == std::array<std::uint32_t, 3>{}) mask_ = default_mask;
    }
    void check_kind() const {
        const bool known_bits = bits_ == 1 || bits_ == 4 || bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32;
        if (!known_bits || compression_ > masks || (compression_ == masks && bits_ < 16) ||
            (has_runs() && bits_ != (compression_ == runs_8 ? 8U : 4U)))
            throw_unsupported(origin_, form, "its bits or compression");
        if (bits_ < 24) {
            if (bits_ == 16 && mask_ != mask_555 && mask_ != mask_565 && compression_ == masks)
                throw_unsupported(origin_, form, "its masks");
            return;
        }
        for (const std::uint32_t mask : mask_)
            if (std::popcount(mask) != 8 || std::countr_zero(mask) % 8 != 0 || mask >> std::countr_zero(mask) != 0xFF ||
                (bits_ == 24 && mask > 0xFFFFFF))
                throw_unsupported(origin_, form, "its masks");
    }
    // Returns its bytes. A file of 256 colours may say that it has more.
    std::size_t read_palette(std::size_t at, std::size_t colours, std::size_t entry_bytes) {
        if (colours > 65536) throw_damaged(origin_, form, "too many colours");
        for (std::size_t i = 0; i < std::min(colours, palette_.size()); ++i)
            for (std::size_t c = 0; c < 3; ++c)
                palette_[i][c] = static_cast<std::uint8_t>(number(at + i * entry_bytes + 2 - c, 1));
        return colours * entry_bytes;
    }
    void put_row(const std::uint8_t* from, std::size_t width, std::uint8_t* to) const {
        for (std::size_t x = 0; x < width; ++x, to += 3) {
            if (bits_ <= 8) {
                const std::size_t bits = has_runs() ? 8 : bits_, bit = x * bits;
                const std::size_t index = from[bit / 8] >> (8 - bits - bit % 8) & ((1U << bits) - 1);
                std::copy_n(palette_[index].data(), 3, to);
            } else if (bits_ == 16) {
                const int value = from[2 * x] | from[2 * x + 1] << 8, green_bits = mask_ == mask_565 ? 6 : 5;
                to[0] = static_cast<std::uint8_t>((value >> (5 + green_bits) & 31) * 255 / 31);
                to[1] =
                    static_cast<std::uint8_t>((value >> 5 & ((1 << green_bits) - 1)) * 255 / ((1 << green_bits) - 1));
                to[2] = static_cast<std::uint8_t>((value & 31) * 255 / 31);
            } else {
                for (std::size_t c = 0; c < 3; ++c)
                    to[c] = from[x * bits_ / 8 + static_cast<std::size_t>(std::countr_zero(mask_[c])) / 8];
            }
        }
    }
    // Row by row as stored. Runs of 8 or 4 bits; what is jumped over is index 0.
    std::vector<std::uint8_t> indices_of_runs() const {
        const auto width = static_cast<std::size_t>(size.width);
        const std::size_t total = width * static_cast<std::size_t>(size.height);
        std::vector<std::uint8_t> indices;
        const bool halves = compression_ == runs_4;
        std::size_t at = start_, x = 0;
        while (indices.size() < total) {
            const std::size_t count = number(at, 1), value = number(at + 1, 1);
            at += 2;
            if (count > 0) {
                const std::size_t kept = std::min(count, width - std::min(x, width));
                for (std::size_t i = 0; i < kept; ++i)
                    indices.push_back(static_cast<std::uint8_t>(!halves      ? value
                                                                : i % 2 == 0 ? value >> 4
                                                                             : value & 15));
                x += kept;
            } else if (value == 0) {    // the row's end
                indices.resize((indices.size() + width - 1) / width * width);
                x = 0;
            } else if (value == 1) {    // the picture's
                throw_damaged(origin_, form, "rows are missing");
            } else if (value == 2) {    // a jump
                const std::size_t jump = number(at, 1) + number(at + 1, 1) * width;
                at += 2;
                indices.resize(indices.size() + std::min(total - indices.size(), jump));
                x = indices.size() % width;
            } else {    // as they are, in whole pairs of bytes
                const std::size_t kept = std::min(total - indices.size(), value);
                for (std::size_t i = 0; i < kept; ++i) {
                    const std::uint32_t byte = number(at + (halves ? i / 2 : i), 1);
                    indices.push_back(static_cast<std::uint8_t>(!halves ? byte : i % 2 == 0 ? byte >> 4 : byte & 15));
                }
                at += halves ? (kept + 1) / 2 : kept;
                at += at % 2;
                x += value;
            }
        }
        return indices;
    }

    static constexpr std::array<std::uint32_t, 3> default_mask{0xFF0000, 0xFF00, 0xFF}, mask_555{0x7C00, 0x3E0, 0x1F},
        mask_565{0xF800, 0x7E0, 0x1F};
    const std::string& origin_;
    Bytes bytes_;
    bool from_top_ = false;
    std::uint32_t bits_ = 0;
    Compression compression_ = plain;
    std::array<std::uint32_t, 3> mask_ = default_mask;    // of red, green, blue
    std::array<std::array<std::uint8_t, 3>, 256> palette_{};
    std::size_t start_ = 0;    // of the pixels
};

}    // namespace

PictureHeader bmp_header(Bytes bytes, const std::string& origin) { return {Reader(bytes, origin).size, 1}; }

Image decode_bmp(Bytes bytes, const std::string& origin) { return Reader(bytes, origin).image(); }

}    // namespace blip
