// One item ahead of whom it is for: the next is made before it is asked for, if what it is made of is there. Used by
// batch_feed.cpp.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace blip {

template <class Item>
class OneAhead {
  public:
    // make: the next item, nullopt after the last; may wait. ready: whether it would make one without waiting.
    OneAhead(std::function<bool()> ready, std::function<std::optional<Item>()> make)
        : ready_(std::move(ready)), make_(std::move(make)) {}

    // The next item, made now if it was not before. What make threw is thrown in the item's place, from then on.
    std::optional<Item> take() {
        if (!ahead_) make_one();
        if (!ahead_ && failure_) std::rethrow_exception(failure_);
        return std::exchange(ahead_, std::nullopt);
    }
    // Makes the next item if that is not done and takes no waiting.
    void look_ahead() {
        if (!ahead_ && !failure_ && !ended_ && ready_()) make_one();
    }

  private:
    void make_one() {
        if (failure_ || ended_) return;
        try {
            ahead_ = make_();
            ended_ = !ahead_;
        } catch (...) {
            failure_ = std::current_exception();
        }
    }

    std::function<bool()> ready_;
    std::function<std::optional<Item>()> make_;
    std::optional<Item> ahead_;
    bool ended_ = false;
    std::exception_ptr failure_;
};

}    // namespace blip
