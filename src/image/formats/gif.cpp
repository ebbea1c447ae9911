// GIF decoding by giflib: the first frame on the canvas that Pillow draws it on. See formats.h.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/handle.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "GIF";

int on_read(GifFileType* file, GifByteType* to, int count) {
    auto& rest = *static_cast<Bytes*>(file->UserData);
    if (rest.empty() && count == 1) {    // a missing end, behind the last pixel, does no harm
        *to = 0;
        return 1;
    }
    const std::size_t got = std::min<std::size_t>(static_cast<std::size_t>(count), rest.size());
    std::copy_n(rest.data(), got, to);
    rest = rest.subspan(got);
    return static_cast<int>(got);
}

struct GifTraits {
    using value_type = GifFileType*;
    static value_type invalid() { return nullptr; }
    static void close(value_type file) noexcept { DGifCloseFile(file, nullptr); }
};

class Reader {
  public:
    // Up to the first frame's data.
    Reader(Bytes bytes, const std::string& origin) : origin_(origin), rest_(bytes) {
        int error = 0;
        file_ = Handle<GifTraits>(DGifOpen(&rest_, on_read, &error));
        if (!file_) damaged(error);
        GifRecordType record = UNDEFINED_RECORD_TYPE;
        while (record != IMAGE_DESC_RECORD_TYPE) {
            // unknown bytes between blocks are skipped, as by Pillow
            if (DGifGetRecordType(file_.get(), &record) == GIF_ERROR &&
                (file_.get()->Error != D_GIF_ERR_WRONG_RECORD || rest_.empty()))
                damaged(file_.get()->Error);
            if (record == EXTENSION_RECORD_TYPE) read_extension();
            if (record == TERMINATE_RECORD_TYPE) throw_damaged(origin, form, "there is no picture in it");
        }
        check(DGifGetImageDesc(file_.get()));
        const GifImageDesc& frame = file_.get()->Image;
        size = checked_size(std::max(file_.get()->SWidth, frame.Left + frame.Width),
                            std::max(file_.get()->SHeight, frame.Top + frame.Height), origin, form);
        if (frame.Width < 1 || frame.Height < 1) throw_damaged(origin, form, "the first picture has no size");
    }

    // Index of each pixel of the canvas.
    std::vector<std::uint8_t> indices() {
        const GifImageDesc& frame = file_.get()->Image;
        const auto canvas_width = static_cast<std::size_t>(size.width);
        std::vector<std::uint8_t> canvas(canvas_width * static_cast<std::size_t>(size.height), transparent_);
        constexpr int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
        for (int pass = 0; pass < (frame.Interlace ? 4 : 1); ++pass)
            for (int y = frame.Interlace ? starts[pass] : 0; y < frame.Height; y += frame.Interlace ? steps[pass] : 1)
                check(DGifGetLine(file_.get(),
                                  canvas.data() + static_cast<std::size_t>(frame.Top + y) * canvas_width + frame.Left,
                                  frame.Width));
        return canvas;
    }

    // Colours of all 256 indices: what the file does not give is black, but grey where its colours are a grey ramp or
    // where it has none.
    std::array<std::array<std::uint8_t, 3>, 256> palette() const {
        std::array<std::array<std::uint8_t, 3>, 256> colours{};
        const ColorMapObject* map = file_.get()->Image.ColorMap;
        if (map == nullptr) map = file_.get()->SColorMap;
        const int count = map == nullptr ? 0 : map->ColorCount;
        bool ramp = true;
        for (int i = 0; i < count; ++i) {
            const GifColorType& colour = map->Colors[i];
            ramp = ramp && colour.Red == i && colour.Green == i && colour.Blue == i;
            colours[static_cast<std::size_t>(i)] = {colour.Red, colour.Green, colour.Blue};
        }
        for (std::size_t i = 0; ramp && i < colours.size(); ++i) colours[i].fill(static_cast<std::uint8_t>(i));
        return colours;
    }

    ImageSize size;

  private:
    [[noreturn]] void damaged(int error) const {
        const char* reason = GifErrorString(error);
        throw_damaged(origin_, form, reason != nullptr ? reason : "damaged or cut off");
    }
    void check(int result) const {
        if (result == GIF_ERROR) damaged(file_.get()->Error);
    }
    void read_extension() {
        int code = 0;
        GifByteType* block = nullptr;
        check(DGifGetExtension(file_.get(), &code, &block));
        // the first byte is the number of those that follow
        if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 && (block[1] & 1) != 0)
            transparent_ = block[4];
        while (block != nullptr) check(DGifGetExtensionNext(file_.get(), &block));
    }

    const std::string& origin_;
    Bytes rest_;
    Handle<GifTraits> file_;
    std::uint8_t transparent_ = 0;    // fills the canvas
};

}    // namespace

PictureHeader gif_header(Bytes bytes, const std::string& origin) { return {Reader(bytes, origin).size, 1}; }

Image decode_gif(Bytes bytes, const std::string& origin) {
    Reader reader(bytes, origin);
    Image image = blank_image(reader.size);
    const auto palette = reader.palette();
    std::uint8_t* pixel = image.pixels_HWC.data();
    for (const std::uint8_t index : reader.indices()) pixel = std::copy_n(palette[index].data(), 3, pixel);
    return image;
}

}    // namespace blip
