// The reference's configuration file: accepted as it is published, its keys as options of ours, bad lines named.
#include <boost/test/unit_test.hpp>

#include "tests/unit/options/parse_support.h"

using namespace blip;
using namespace blip::test;

namespace {

// As published, up to the comments' wording.
constexpr const char* published = R"(image_root: '/export/share/datasets/vision/coco/images/'
ann_root: 'annotation'
coco_gt_root: 'annotation/coco_gt'

# a file path or an url
pretrained: 'https://example.org/models/model_base_caption_capfilt_large.pth'

# size of vit model; base or large
vit: 'base'
vit_grad_ckpt: False
vit_ckpt_layer: 0
batch_size: 32
init_lr: 1e-5

# vit: 'large'
# vit_grad_ckpt: True
# vit_ckpt_layer: 5

image_size: 384

# generation configs
max_length: 20
min_length: 5
num_beams: 3
prompt: 'a picture of '

# optimizer
weight_decay: 0.05
min_lr: 0
max_epoch: 5
)";

struct YamlFile {
    explicit YamlFile(const std::string& text, const char* a_name = "run.yaml") : name(a_name) {
        write_bytes(directory / name, text);
    }
    std::string path() const { return (directory / name).string(); }
    TempDir directory;
    std::string name;
};

void refused(const std::string& text, Words named, Words more = {}) {
    const YamlFile file(text);
    more.insert(more.begin(), {"--config", file.path()});
    check_refused(train(more), named);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(yaml_config)

BOOST_AUTO_TEST_CASE(the_published_file_is_the_default_run) {
    const YamlFile file(published);
    const ParsedCommandLine parsed = parse_command_line(train({"--config", file.path(), "--init", "base.pth"}));
    Options wanted = parse(train({"--init", "base.pth"}));
    wanted.explicit_model_options = {"model", "image-size"};
    BOOST_TEST((parsed.options == wanted));
    BOOST_REQUIRE(parsed.notes.size() == 2);
    BOOST_TEST(parsed.notes[0].find("batch_size 32") != std::string::npos);
    BOOST_TEST(parsed.notes[0].find("global-batch 256") != std::string::npos);
    BOOST_TEST(parsed.notes[1].find("image_root, ann_root, coco_gt_root without effect") != std::string::npos);
    // the same file evaluates
    const Options scored = parse({"evaluate", "--config", file.path(), "--data", "a.h5", "--init", "best"});
    BOOST_TEST(scored.generate.prompt == "a picture of ");
}

BOOST_AUTO_TEST_CASE(every_key_sets_its_option) {
    const YamlFile file(
        "pretrained: weights.pth\nvit: large\nvit_grad_ckpt: true\nvit_ckpt_layer: 5\nbatch_size: 16\n"
        "init_lr: 2e-6\nimage_size: 480\nmax_length: 30\nmin_length: 8\nnum_beams: 4\nprompt: 'a photo of '\n"
        "weight_decay: .1\nmin_lr: 1E-7\nmax_epoch: 6\n",
        "large.yml");
    const Options run = parse(train({"--config", file.path()}));
    BOOST_TEST(run.init == "weights.pth");
    BOOST_TEST(run.model.vision_depth == 24);
    BOOST_TEST(run.loss.drop_path == 0.1);    // the preset's
    BOOST_TEST(run.train.recomputed_blocks() == 5);
    BOOST_TEST(run.train.micro_batch == 16);
    BOOST_TEST(run.train.global_batch == 128);
    BOOST_TEST(run.optim.init_lr == 2e-6);
    BOOST_TEST(run.model.image_size == 480);
    BOOST_TEST(run.generate.max_length == 30);
    BOOST_TEST(run.generate.min_length == 8);
    BOOST_TEST(run.generate.num_beams == 4);
    BOOST_TEST(run.optim.weight_decay == 0.1);
    BOOST_TEST(run.optim.min_lr == 1e-7);
    BOOST_TEST(run.train.epochs == 6);
    BOOST_TEST(parse({"evaluate", "--config", file.path(), "--data", "a.h5"}).generate.prompt == "a photo of ");
    // flags win, and a printed configuration is the same run
    const Words flags = {"--config", file.path(), "--micro-batch", "4", "--init", "other.pth", "--epochs", "2"};
    const Options flagged = parse(train(flags));
    BOOST_TEST(flagged.train.micro_batch == 4);
    BOOST_TEST(flagged.train.global_batch == 128);
    BOOST_TEST(flagged.init == "other.pth");
    const ConfigFile printed(print_config(flagged));
    BOOST_TEST((parse({"train", "--config", printed.path()}) == flagged));
}

BOOST_AUTO_TEST_CASE(weights_to_be_downloaded_are_asked_for) {
    refused(published, {"run.yaml:6: pretrained is https://example.org/models/model_base_caption_capfilt_large.pth",
                        "download it", "--init PATH"});
    const YamlFile file(published);
    const ParsedCommandLine looked = parse_command_line(train({"--config", file.path(), "--dry-run"}));
    BOOST_TEST(looked.notes.back().find("download it") != std::string::npos);
    BOOST_TEST(looked.options.init.empty());
    BOOST_TEST(parse(train({"--config", YamlFile("pretrained: ''\n").path()})).init.empty());
    for (const char* none : {"pretrained:\n", "pretrained: null\n", "pretrained: ~\n", "pretrained: Null\n"})
        BOOST_TEST(parse(train({"--config", YamlFile(none).path()})).init.empty(), none);
    BOOST_TEST(parse(train({"--config", YamlFile("init_lr: +2e-05\n").path()})).optim.init_lr == 2e-5);
}

BOOST_AUTO_TEST_CASE(bad_lines_are_named) {
    refused("max_epoch: 3\nbatchsize: 8\n", {"run.yaml:2:", "'batchsize'", "did you mean batch_size?"});
    refused("epochs: 3\n", {"run.yaml:1:", "'epochs'"});
    refused("max_epoch: 3\n\nmax_epoch: 4\n", {"run.yaml:3:", "max_epoch is given twice, first in line 1"});
    refused("vit: base\nbatch_size: abc\n", {"run.yaml:2: batch_size: 'abc' is not a whole number"});
    refused("batch_size: 0\n", {"run.yaml:1: batch_size: 0 is out of range"});
    refused("max_epoch: 5.5\n", {"run.yaml:1: max_epoch: '5.5'"});
    refused("init_lr: fast\n", {"run.yaml:1: init_lr: 'fast' is not a number"});
    refused("vit_grad_ckpt: maybe\n", {"run.yaml:1: vit_grad_ckpt: 'maybe' is neither True nor False"});
    refused("vit: huge\n", {"run.yaml:1: vit: 'huge' is none of base"});
    refused("\nimage_size:\n  train: 384\n", {"run.yaml:2: image_size: one value is expected"});
    refused("image_size: [384]\n", {"run.yaml:1: image_size: one value is expected"});
    refused("max_epoch:\n", {"run.yaml:1: max_epoch: needs a value"});
    refused("vit: base\nprompt: 'a picture of\nmin_lr: 0\n", {"run.yaml:2: prompt: is no YAML: the closing '"});
    refused("prompt: \"a picture of ", {"run.yaml:1:", "is no YAML"});
    refused("vit: {a: b\n", {"run.yaml:", "is no YAML"});
    refused("max_epoch: 3\n  vit: base\n", {"run.yaml:2:", "is no YAML"});
    refused("- vit\n- base\n", {"run.yaml:1:", "`key: value`"});
    refused("max_epoch: 3\n---\nmax_epoch: 3\n", {"run.yaml:3:", "second document"});
    refused("keep = 2\nmin-len{[{[x\ny: 'z'\n", {"run.yaml:"});    // yaml-cpp would never be done with it
    // options at odds: the file's lines
    refused("vit: base\nvit_grad_ckpt: True\nvit_ckpt_layer: 0\n",
            {"recomputes nothing", "run.yaml:2: vit_grad_ckpt", "run.yaml:3: vit_ckpt_layer"});
    refused("vit_grad_ckpt: True\nvit_ckpt_layer: 13\n", {"--vit-ckpt-layer 13", "12 blocks", "run.yaml:2:"});
    check_refused(train({"--vit-grad-ckpt"}), {"--vit-ckpt-layer 0", "12 are all"});
    BOOST_TEST(parse(train({"--config", YamlFile("# nothing\n").path()})).train.epochs == 5);
    try {
        parse(train({"--config", "absent.yaml"}));
        BOOST_ERROR("an absent file was accepted");
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == 66);
    }
}

BOOST_AUTO_TEST_SUITE_END()
