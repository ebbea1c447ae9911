// JPEG decoding and encoding by libjpeg. Called by make_sample, tests and picture.cpp. libjpeg reports errors by
// longjmp: between setjmp and any call of libjpeg there are no objects with destructors (they live in the Decoder or
// outside), so that a jump skips nothing.
#include "blip/image/jpeg.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>    // before jpeglib.h, which needs it
#include <cstdlib>
#include <memory>

#include <jpeglib.h>

#include <jerror.h>    // behind jpeglib.h, which decides on its numbers

#include "blip/base/error.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "JPEG";
constexpr const char* ends_early = "the file ends too early";
constexpr int most_scans = 500;    // a small file could keep a decoder busy with more for hours

// What libjpeg's callbacks see, beside its own.
struct Errors {
    jpeg_error_mgr manager{};
    std::jmp_buf after_error{};
    char message[JMSG_LENGTH_MAX] = "";
    bool pixels_missing = false;    // message says why
};

Errors& errors_of(j_common_ptr info) { return *static_cast<Errors*>(info->client_data); }

[[noreturn]] void on_error(j_common_ptr info) {
    Errors& errors = errors_of(info);
    info->err->format_message(info, errors.message);
    std::longjmp(errors.after_error, 1);
}

// Most warnings are of markers and headers, and no pixel is lost. These say that the data of the pixels ended or made
// no sense, and that the decoder went on with coefficients of its own.
void on_message(j_common_ptr info, int level) {
    Errors& errors = errors_of(info);
    if (level >= 0 || errors.pixels_missing) return;
    const int code = info->err->msg_code;
    if (code != JWRN_HIT_MARKER && code != JWRN_HUFF_BAD_CODE && code != JWRN_ARITH_BAD_CODE) return;
    info->err->format_message(info, errors.message);
    errors.pixels_missing = true;
}

void on_start(j_decompress_ptr) {}
boolean on_more(j_decompress_ptr) { return FALSE; }    // all bytes were there from the start
void on_skip(j_decompress_ptr info, long count) {
    const std::size_t skipped =
        std::min<std::size_t>(static_cast<std::size_t>(std::max(count, 0L)), info->src->bytes_in_buffer);
    info->src->next_input_byte += skipped;
    info->src->bytes_in_buffer -= skipped;
}
// Another marker than the expected one: harmless where the decoder just goes on behind it.
boolean on_resync(j_decompress_ptr info, int expected) {
    const JOCTET* place = info->src->next_input_byte;
    const boolean done = jpeg_resync_to_restart(info, expected);
    Errors& errors = errors_of(reinterpret_cast<j_common_ptr>(info));
    if (!errors.pixels_missing && (info->unread_marker != 0 || info->src->next_input_byte != place)) {
        std::snprintf(errors.message, sizeof errors.message, "restart markers are missing or out of order");
        errors.pixels_missing = true;
    }
    return done;
}
void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= most_scans) return;
    Errors& errors = errors_of(info);
    std::snprintf(errors.message, sizeof errors.message, "more than %d scans", most_scans);
    std::longjmp(errors.after_error, 1);
}

class Decoder {
  public:
    Decoder(Bytes bytes, const std::string& origin) : origin_(origin) {
        info_.err = jpeg_std_error(&errors_.manager);
        info_.client_data = &errors_;
        errors_.manager.error_exit = on_error;
        errors_.manager.emit_message = on_message;
        source_.next_input_byte = bytes.data();
        source_.bytes_in_buffer = bytes.size();
        source_.init_source = source_.term_source = on_start;
        source_.fill_input_buffer = on_more;
        source_.skip_input_data = on_skip;
        source_.resync_to_restart = on_resync;
        progress_.progress_monitor = on_progress;
    }
    ~Decoder() { jpeg_destroy_decompress(&info_); }
    Decoder(const Decoder&) = delete;

    ImageSize header(bool with_exif) {
        if (!read_header(with_exif)) refuse();
        return checked_size(info_.image_width, info_.image_height, origin_, form);
    }
    // Bytes of all APP1 segments that begin so; header(true) kept them.
    std::vector<std::uint8_t> segments(std::string_view start) const {
        std::vector<std::uint8_t> found;
        for (auto* segment = info_.marker_list; segment != nullptr; segment = segment->next)
            if (segment->data_length >= start.size() && std::equal(start.begin(), start.end(), segment->data))
                found.insert(found.end(), segment->data + start.size(), segment->data + segment->data_length);
        return found;
    }
    // After header(). Inks of inverted light if it is so, else RGB.
    bool has_inks() const { return info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK; }
    void pixels(std::uint8_t* first) {
        rows_.resize(info_.image_height);
        const std::size_t row_bytes = static_cast<std::size_t>(info_.image_width) * (has_inks() ? 4 : 3);
        for (std::size_t y = 0; y < rows_.size(); ++y) rows_[y] = first + y * row_bytes;
        if (!read_pixels() || errors_.pixels_missing) refuse();
        // a component that no scan was about
        for (int i = 0; i < info_.num_components; ++i)
            if (info_.comp_info[i].quant_table == nullptr) throw_damaged(origin_, form, ends_early);
    }

  private:
    [[noreturn]] void refuse() const {
        const int code = errors_.manager.msg_code;
        if (code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION || code == JERR_CONVERSION_NOTIMPL)
            throw_unsupported(origin_, form, errors_.message);
        throw_damaged(origin_, form, errors_.message);
    }
    bool read_header(bool with_exif) {
        if (setjmp(errors_.after_error)) return false;
        jpeg_create_decompress(&info_);
        info_.src = &source_;
        info_.progress = &progress_;
        if (with_exif) jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
        if (jpeg_read_header(&info_, TRUE) != JPEG_HEADER_OK) return fail(ends_early);
        return true;
    }
    bool read_pixels() {
        if (setjmp(errors_.after_error)) return false;
        info_.out_color_space = has_inks() ? JCS_CMYK : JCS_RGB;
        if (!jpeg_start_decompress(&info_)) return fail(ends_early);
        while (info_.output_scanline < info_.output_height)
            if (jpeg_read_scanlines(&info_, rows_.data() + info_.output_scanline,
                                    info_.output_height - info_.output_scanline) == 0)
                return fail(ends_early);
        return true;    // what follows the last row does not matter
    }
    bool fail(const char* reason) {
        if (!errors_.pixels_missing) std::snprintf(errors_.message, sizeof errors_.message, "%s", reason);
        return false;
    }

    const std::string& origin_;
    jpeg_decompress_struct info_{};
    Errors errors_;
    jpeg_source_mgr source_{};
    jpeg_progress_mgr progress_{};
    std::vector<JSAMPROW> rows_;
};

class Encoder {
  public:
    Encoder() {
        info_.err = jpeg_std_error(&errors_.manager);
        info_.client_data = &errors_;
        errors_.manager.error_exit = on_error;
        errors_.manager.emit_message = on_message;
    }
    ~Encoder() {
        jpeg_destroy_compress(&info_);
        std::free(bytes_);
    }
    Encoder(const Encoder&) = delete;

    std::vector<std::uint8_t> encode(const ImageView& image, int quality) {
        if (!write(image, quality))
            throw Error(ExitCode::internal, "cannot encode a {} x {} JPEG: {}", image.width, image.height,
                        errors_.message);
        return {bytes_, bytes_ + size_};
    }

  private:
    bool write(const ImageView& image, int quality) {
        if (setjmp(errors_.after_error)) return false;
        jpeg_create_compress(&info_);
        jpeg_mem_dest(&info_, &bytes_, &size_);
        info_.image_width = static_cast<JDIMENSION>(image.width);
        info_.image_height = static_cast<JDIMENSION>(image.height);
        info_.input_components = 3;
        info_.in_color_space = JCS_RGB;
        jpeg_set_defaults(&info_);    // 4:2:0, the accurate DCT
        jpeg_set_quality(&info_, quality, TRUE);
        jpeg_start_compress(&info_, TRUE);
        while (info_.next_scanline < info_.image_height) {
            auto* row = const_cast<JSAMPLE*>(image.pixels_HWC) +
                        static_cast<std::size_t>(info_.next_scanline) * info_.image_width * 3;
            jpeg_write_scanlines(&info_, &row, 1);
        }
        jpeg_finish_compress(&info_);
        return true;
    }

    jpeg_compress_struct info_{};
    Errors errors_;
    unsigned char* bytes_ = nullptr;
    unsigned long size_ = 0;
};

}    // namespace

PictureHeader jpeg_header(Bytes bytes, const std::string& origin) {
    Decoder decoder(bytes, origin);
    const ImageSize size = decoder.header(true);
    return {size, orientation_of(decoder.segments(std::string_view("Exif\0\0", 6)),
                                 decoder.segments(std::string_view("http://ns.adobe.com/xap/1.0/\0", 29)))};
}

Image decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& origin) {
    Decoder decoder(bytes, origin);
    Image image = blank_image(decoder.header(false));
    if (!decoder.has_inks()) {
        decoder.pixels(image.pixels_HWC.data());
        return image;
    }
    // Adobe's habit, which Pillow takes for granted: 255 means no ink
    std::vector<std::uint8_t> inks(image.pixels_HWC.size() / 3 * 4);
    decoder.pixels(inks.data());
    const std::uint8_t* ink = inks.data();
    for (std::size_t i = 0; i < image.pixels_HWC.size(); i += 3, ink += 4)
        for (std::size_t c = 0; c < 3; ++c) image.pixels_HWC[i + c] = light_of(255 - ink[c], 255 - ink[3]);
    return image;
}

std::vector<std::uint8_t> encode_jpeg(const ImageView& image, int quality) {
    if (quality < 1 || quality > 100) {
        throw Error(ExitCode::internal, "JPEG quality {} is outside 1..100", quality);
    }
    return Encoder().encode(image, quality);
}

}    // namespace blip
