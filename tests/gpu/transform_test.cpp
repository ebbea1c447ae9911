// The batch transform on a GPU against apply_plan: every byte.
#include "blip/base/cuda.h"
#include "blip/image/device_transform.h"
#include "tests/support/transform_cases.h"

namespace blip::test {
namespace {

// Device memory with the host's bytes in it, or filled with a value that must not matter.
class DeviceBytes {
  public:
    DeviceBytes(const void* host, std::size_t bytes) : DeviceBytes(bytes) {
        if (bytes > 0) cuda_check(cudaMemcpy(data_, host, bytes, cudaMemcpyHostToDevice), "copy to the device");
    }
    explicit DeviceBytes(std::size_t bytes) {
        cuda_check(cudaMalloc(&data_, bytes + 1), "allocate");
        cuda_check(cudaMemset(data_, 0xA5, bytes + 1), "fill");
    }
    ~DeviceBytes() { cudaFree(data_); }
    DeviceBytes(const DeviceBytes&) = delete;
    DeviceBytes& operator=(const DeviceBytes&) = delete;

    std::byte* bytes() const { return static_cast<std::byte*>(data_); }
    std::uint8_t* levels() const { return static_cast<std::uint8_t*>(data_); }

  private:
    void* data_ = nullptr;
};

std::vector<std::uint8_t> on_device(const TransformTable& table, const std::vector<std::uint8_t>& pixels) {
    const CudaStream stream = make_side_stream(false);
    const DeviceBytes device_table(table.bytes.data(), table.bytes.size());
    const DeviceBytes device_pixels(pixels.data(), pixels.size());
    const DeviceBytes workspace(table.workspace_bytes), output(table.output_bytes());
    cuda_check(cudaDeviceSynchronize(), "wait for the copies");
    queue_transform(table, device_table.bytes(), device_pixels.levels(), workspace.bytes(), output.levels(),
                    stream.get());
    cuda_check(cudaStreamSynchronize(stream.get()), "wait for the transform");
    std::vector<std::uint8_t> result(table.output_bytes());
    if (!result.empty())
        cuda_check(cudaMemcpy(result.data(), output.levels(), result.size(), cudaMemcpyDeviceToHost), "copy back");
    return result;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(transform)

BOOST_AUTO_TEST_CASE(sizes_and_crops) { check_sizes_and_crops(on_device); }
BOOST_AUTO_TEST_CASE(every_operator_and_every_chain_of_two) { check_operators(on_device); }
BOOST_AUTO_TEST_CASE(drawn_plans) { check_drawn_plans(on_device); }
BOOST_AUTO_TEST_CASE(real_pictures, *boost::unit_test::precondition(has_coco)) { check_real_pictures(on_device); }
BOOST_AUTO_TEST_CASE(an_empty_batch_is_no_work) { check_batch({}, 16, on_device); }

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test
