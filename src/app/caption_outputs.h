// Where the caption verb puts its captions: standard output, a text file for each picture, or one table.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "blip/options/options.h"
#include "blip/tasks/caption/caption_images.h"
#include "src/app/caption_inputs.h"

namespace blip {

struct CaptionedPicture {
    std::filesystem::path file;
    std::vector<Caption> captions;
    std::string problem;    // why there are none, naming the file
};

class CaptionOutput {
  public:
    virtual ~CaptionOutput() = default;
    // Removes the pictures that have their captions from an earlier run.
    virtual void leave_out_done(std::vector<ListedPicture>&) {}
    // The next ones in order. What has been written stays, whatever happens to the run.
    virtual void write(const std::vector<CaptionedPicture>& pictures) = 0;
    // What was interrupted goes on by the same command and this.
    virtual std::string to_go_on() const { return ""; }
};

// By options.write. pictures: all of the run. Errors, before anything is written: usage where two pictures would have
// one file, or files are there that nothing was said of; bad_data where the table holds something else; io.
std::unique_ptr<CaptionOutput> open_caption_output(const Options& options, const std::vector<ListedPicture>& pictures);

}    // namespace blip
