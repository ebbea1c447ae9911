// See spread_weights.h. Each message is a header and, where it announces some, bytes: values, or an error's text.
#include "src/checkpoint/init/spread_weights.h"

#include <exception>
#include <string>
#include <vector>

#include "blip/base/error.h"

namespace blip {
namespace {

constexpr const char* kWhat = "weights from the host's first rank";

struct Header {
    enum class Kind : std::int64_t { values, end, failure };
    Kind kind = Kind::end;
    std::int64_t begin = 0;    // values: the arena's first element; failure: exit code
    std::int64_t count = 0;    // values, or characters of the message
};

void send(HostMessages& communicator, Header header, std::span<const std::byte> bytes) {
    communicator.node_broadcast(std::as_writable_bytes(std::span(&header, 1)), kWhat);
    // the sender's bytes are only read
    if (!bytes.empty()) communicator.node_broadcast({const_cast<std::byte*>(bytes.data()), bytes.size()}, kWhat);
}

void send_failure(HostMessages& communicator, ExitCode code, const std::string& message) {
    send(communicator,
         {Header::Kind::failure, static_cast<std::int64_t>(code), static_cast<std::int64_t>(message.size())},
         std::as_bytes(std::span(message)));
}

void read_and_send(HostMessages& communicator, const std::function<void(const WeightSink&)>& read,
                   const WeightSink& sink) {
    bool sending = false;    // what fails meanwhile cannot be told to the others
    try {
        read([&](std::int64_t begin, std::span<const float> values) {
            sink(begin, values);
            sending = true;
            send(communicator, {Header::Kind::values, begin, static_cast<std::int64_t>(values.size())},
                 std::as_bytes(values));
            sending = false;
        });
    } catch (const Error& error) {
        if (!sending) send_failure(communicator, error.code(), error.what());
        throw;
    } catch (const std::exception& error) {
        if (!sending) send_failure(communicator, ExitCode::internal, error.what());
        throw;
    }
    send(communicator, {}, {});
}

void receive(HostMessages& communicator, const WeightSink& sink) {
    std::exception_ptr failed;
    std::vector<float> values;
    for (;;) {
        Header header;
        communicator.node_broadcast(std::as_writable_bytes(std::span(&header, 1)), kWhat);
        if (header.kind == Header::Kind::end) break;
        if (header.kind == Header::Kind::failure) {
            std::string message(static_cast<std::size_t>(header.count), ' ');
            if (!message.empty()) communicator.node_broadcast(std::as_writable_bytes(std::span(message)), kWhat);
            throw Error(static_cast<ExitCode>(header.begin), message);
        }
        values.resize(static_cast<std::size_t>(header.count));
        if (values.empty()) continue;
        communicator.node_broadcast(std::as_writable_bytes(std::span(values)), kWhat);
        if (failed) continue;    // the others still count on this rank's part in the broadcasts
        try {
            sink(header.begin, values);
        } catch (...) {
            failed = std::current_exception();
        }
    }
    if (failed) std::rethrow_exception(failed);
}

}    // namespace

void read_once_per_host(HostMessages& communicator, const std::function<void(const WeightSink&)>& read,
                        const WeightSink& sink) {
    if (communicator.node_size() == 1)
        read(sink);
    else if (communicator.node_rank() == 0)
        read_and_send(communicator, read, sink);
    else
        receive(communicator, sink);
}

}    // namespace blip
