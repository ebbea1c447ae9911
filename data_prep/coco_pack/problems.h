// Pictures that cannot be used, collected from any thread and listed in the annotations' order. Used by
// coco_pack_images.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "blip/base/error.h"

namespace blip {

struct PictureProblem {
    std::string message;     // with the file's whole path
    std::string reason;      // without: it is recorded in the packed file
    bool damaged = false;    // else missing or unreadable
};

class PictureProblems {
  public:
    // number: the picture's, over all splits. where: what names it.
    void add(std::size_t number, const Error& error, const std::filesystem::path& path, const std::string& where);
    bool found() const { return found_; }
    // Throws missing_input if any is missing, else bad_data: the list, then the remedy. Nothing if there is none.
    void throw_if_any(const std::string& remedy) const;
    // "2 images are missing or cannot be read:" and a line for each of the first 20, likewise those that are damaged.
    std::string list() const;
    const std::map<std::size_t, PictureProblem>& all() const { return problems_; }

  private:
    void list_kind(bool damaged, const char* kind, std::string& text) const;

    std::mutex mutex_;
    std::atomic<bool> found_{false};
    std::map<std::size_t, PictureProblem> problems_;
};

}    // namespace blip
