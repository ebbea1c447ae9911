// The one RAII template for C handles (HDF5 ids, file descriptors, MPI objects, later NCCL and CUDA).
#pragma once

#include <utility>

namespace blip {

// Traits: `using value_type`, `static value_type invalid()`, `static void close(value_type) noexcept`.
// Move-only. The destructor closes and ignores failures; where a failed close matters, call the C function on
// release().
template <class Traits>
class Handle {
  public:
    using value_type = typename Traits::value_type;

    Handle() = default;
    explicit Handle(value_type value) : value_(value) {}
    Handle(Handle&& other) noexcept : value_(other.release()) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            reset();
            value_ = other.release();
        }
        return *this;
    }
    ~Handle() { reset(); }

    value_type get() const { return value_; }
    explicit operator bool() const { return value_ != Traits::invalid(); }
    value_type release() { return std::exchange(value_, Traits::invalid()); }
    void reset() noexcept {
        if (value_ != Traits::invalid()) Traits::close(release());
    }

  private:
    value_type value_ = Traits::invalid();
};

}    // namespace blip
