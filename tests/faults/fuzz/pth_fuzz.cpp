// libFuzzer target: PyTorch's .pth on arbitrary bytes. An input whose first byte is even is the pickle alone, so that
// changes get past the zip's CRC; an odd one is a whole zip file. Run by tests/faults/fuzz_readers.sh.
#include "blip/weights/pth_file.h"
#include "src/weights/tensor_view.h"
#include "tests/faults/fuzz/fuzz_support.h"

namespace {

using namespace blip;

// As in the file, with a storage of the size that the pickle promises, if that is small.
void read_pickle(std::span<const std::byte> bytes) {
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const Pickle pickle = Pickle::parse({text, text + bytes.size()}, "input");
    const PickleValue& state = find_state_dict(pickle, "input");
    for (const PickleValue* value : state.items) {
        if (value->kind != PickleKind::tensor) continue;
        const PickledTensor& tensor = pickle.tensor(*value);
        const PickledStorage& storage = pickle.storage(tensor.storage);
        constexpr std::int64_t most = 1 << 16;
        if (storage.count > most) continue;
        TensorView view{tensor.shape, tensor.strides};
        view.element_bytes = element_bytes(tensor.dtype);
        const std::vector<std::byte> part(static_cast<std::size_t>(storage.count) * view.element_bytes);
        if (view.element_bytes == 0 || !place_in_storage(view, tensor.offset, part.size()) || view.count > most)
            continue;
        std::uint64_t given = 0;
        gather(view, std::span(part).subspan(view.begin, view.end - view.begin),
               [&](std::span<const std::byte> piece) { given += piece.size(); });
        fuzz::require(given == view.count * view.element_bytes);
        if (view.contiguous) fuzz::require(given == view.end - view.begin);
    }
}

}    // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    fuzz::read_or_refuse([&] {
        if (data[0] % 2 == 0)
            read_pickle(bytes);
        else
            fuzz::read_all_tensors(*open_pth(bytes, "input"));
    });
    return 0;
}
