// See event_file.h.
#include "blip/report/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

namespace {

static_assert(std::endian::native == std::endian::little, "records and messages are little-endian");

template <class T>
std::string_view bytes_of(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

// A message in protobuf's wire format: fields one after the other, each behind its number and the kind of its value.
class Message {
  public:
    Message& number(unsigned field, std::uint64_t value) {
        key(field, 0);
        varint(value);
        return *this;
    }
    Message& real(unsigned field, double value) { return fixed(field, 1, bytes_of(value)); }
    Message& small_real(unsigned field, float value) { return fixed(field, 5, bytes_of(value)); }
    Message& text(unsigned field, std::string_view value) {
        key(field, 2);
        varint(value.size());
        bytes_ += value;
        return *this;
    }
    Message& message(unsigned field, const Message& value) { return text(field, value.bytes_); }
    const std::string& bytes() const { return bytes_; }

  private:
    Message& fixed(unsigned field, unsigned kind, std::string_view value) {
        key(field, kind);
        bytes_ += value;
        return *this;
    }
    void key(unsigned field, unsigned kind) { varint(field << 3 | kind); }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
        bytes_ += static_cast<char>(value);
    }
    std::string bytes_;
};

// CRC-32C, rotated and moved as TensorFlow does it, so that checksums of checksums differ from them.
std::uint32_t masked_crc(std::string_view bytes) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xA282EAD8U;
}

Message plugin(std::string_view name, std::string_view content = {}) {
    Message data;
    data.text(1, name);
    if (!content.empty()) data.text(2, content);
    return Message().message(1, data);
}

Message any_value(const nlohmann::json& value) {    // google.protobuf.Value
    if (value.is_number()) return Message().real(2, value.get<double>());
    if (value.is_boolean()) return Message().number(4, value.get<bool>() ? 1 : 0);
    return Message().text(3, value.is_string() ? value.get<std::string>() : value.dump());
}

constexpr unsigned summary_of_event = 5, session_log_of_event = 7, value_of_summary = 1;

}    // namespace

EventFile::EventFile(const std::filesystem::path& folder) {
    make_folders(folder);
    constexpr std::string_view prefix = "events.out.tfevents.";
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().filename().string().starts_with(prefix)) std::filesystem::remove(entry.path());
    const std::time_t now = std::time(nullptr);
    path_ = folder / fmt::format("{}{:010d}.{}.{}", prefix, now, host_name(), ::getpid());
    fd_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
    if (!fd_) throw_io("create", path_, errno);
    add_event(0, static_cast<double>(now), 3, "brain.Event:2");
}

void EventFile::add_event(std::int64_t step, double time, unsigned field, std::string_view content) {
    Message event;
    event.real(1, time).number(2, static_cast<std::uint64_t>(step)).text(field, content);
    const auto length = static_cast<std::uint64_t>(event.bytes().size());
    waiting_ += bytes_of(length);
    waiting_ += bytes_of(masked_crc(bytes_of(length)));
    waiting_ += event.bytes();
    waiting_ += bytes_of(masked_crc(event.bytes()));
    if (waiting_.size() > (1U << 20)) flush();
}

void EventFile::flush() {
    if (!write_all(fd_.get(), waiting_)) throw_io("write", path_, errno);
    waiting_.clear();
}

void EventFile::forget_from(std::int64_t step, double time) {
    constexpr std::uint64_t start = 1;
    add_event(step, time, session_log_of_event, Message().number(1, start).bytes());
}

void EventFile::scalars(std::int64_t step, double time, const std::map<std::string, double>& values) {
    Message summary;
    for (const auto& [tag, value] : values)
        summary.message(value_of_summary, Message().text(1, tag).small_real(2, static_cast<float>(value)));
    add_event(step, time, summary_of_event, summary.bytes());
}

void EventFile::text(std::int64_t step, double time, std::string_view tag, std::string_view text) {
    constexpr std::uint64_t texts = 7;    // DT_STRING
    const Message value =
        Message().text(1, tag).message(8, Message().number(1, texts).text(8, text)).message(9, plugin("text"));
    add_event(step, time, summary_of_event, Message().message(value_of_summary, value).bytes());
}

void EventFile::picture(std::int64_t step, double time, std::string_view tag, int height, int width,
                        std::string_view encoded) {
    constexpr std::uint64_t rgb = 3;
    const Message image = Message()
                              .number(1, static_cast<std::uint64_t>(height))
                              .number(2, static_cast<std::uint64_t>(width))
                              .number(3, rgb)
                              .text(4, encoded);
    const Message value = Message().text(1, tag).message(4, image);
    add_event(step, time, summary_of_event, Message().message(value_of_summary, value).bytes());
}

void EventFile::hyperparameters(double time, const nlohmann::json& values) {
    Message info;
    for (const auto& [name, value] : values.items())
        info.message(1, Message().text(1, name).message(2, any_value(value)));
    info.real(5, time);
    const Message value = Message()
                              .text(1, "_hparams_/session_start_info")
                              .message(9, plugin("hparams", Message().message(3, info).bytes()));
    add_event(0, time, summary_of_event, Message().message(value_of_summary, value).bytes());
}

}    // namespace blip
