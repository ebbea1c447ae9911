// Which scene a number stands for, and its captions. Two pictures in three hundred and fifty thousand are alike in
// words at most by chance; no caption fits more than a few of them, so a caption that ignores the picture scores badly.
// No words for left and right: training flips pictures.
#include "data_prep/make_sample/scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blip/base/random.h"

namespace blip {

const std::array<NamedColour, 6> shape_colours = {{
    {"red", {215, 35, 35}},
    {"green", {40, 160, 60}},
    {"blue", {40, 70, 215}},
    {"yellow", {230, 205, 30}},
    {"purple", {140, 45, 170}},
    {"orange", {245, 135, 25}},
}};

// All lighter than any shape, so that a small network learns in minutes where there is a shape and where not.
const std::array<NamedColour, 5> background_colours = {{
    {"white", {240, 240, 240}},
    {"gray", {190, 190, 190}},
    {"pink", {250, 195, 215}},
    {"tan", {225, 200, 160}},
    {"mint", {185, 235, 200}},
}};

namespace {

constexpr std::array<const char*, 4> shape_names = {"ball", "bar", "post", "ring"};
constexpr std::array<const char*, 4> shape_plurals = {"balls", "bars", "posts", "rings"};
// from the centre to the foot, in radii
constexpr std::array<double, 4> shape_feet = {1.0, 0.4, 1.25, 1.0};
constexpr std::array<const char*, 5> number_words = {"zero", "one", "two", "three", "four"};

// What a stream of random numbers is for.
enum Part : std::uint64_t { layout_part = 1, caption_part = 2 };

RandomStream stream(std::uint64_t seed, std::uint64_t number, Part part) {
    return RandomStream(random_key(seed, RandomPurpose::sample_drawing, {number, part}));
}

SceneShape any_shape(RandomStream& random) {
    SceneShape shape;
    shape.kind = static_cast<ShapeKind>(random.below(shape_names.size()));
    shape.colour = random.below(shape_colours.size());
    shape.turn = random.uniform(-0.15, 0.15);
    return shape;
}

// All within the middle of the picture, so that the crops of training seldom cut one off.
void place_several(Scene& scene, RandomStream& random) {
    static constexpr std::array<std::array<double, 2>, 2> pair = {{{-0.24, 0}, {0.24, 0}}};
    static constexpr std::array<std::array<double, 2>, 3> triple = {{{-0.22, 0.19}, {0.22, 0.19}, {0, -0.21}}};
    static constexpr std::array<std::array<double, 2>, 4> quadruple = {
        {{-0.21, -0.21}, {0.21, -0.21}, {-0.21, 0.21}, {0.21, 0.21}}};
    const std::size_t count = 2 + random.below(3);
    const SceneShape model = any_shape(random);
    const double tilt = random.uniform(-0.2, 0.2);
    const double radius = random.uniform(0.14, 0.16);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& [x, y] = count == 2 ? pair[i] : count == 3 ? triple[i] : quadruple[i];
        SceneShape shape = model;
        shape.x = x * std::cos(tilt) - y * std::sin(tilt) + random.uniform(-0.02, 0.02);
        shape.y = x * std::sin(tilt) + y * std::cos(tilt) + random.uniform(-0.02, 0.02);
        shape.radius = radius * random.uniform(0.95, 1.05);
        scene.shapes.push_back(shape);
    }
}

void place_two(Scene& scene, RandomStream& random) {
    SceneShape top = any_shape(random), bottom = any_shape(random);
    // different colours, so that a caption names each for certain
    bottom.colour = (top.colour + 1 + random.below(shape_colours.size() - 1)) % shape_colours.size();
    top.radius = random.uniform(0.15, 0.17);
    bottom.radius = random.uniform(0.15, 0.17);
    const double x = random.uniform(-0.08, 0.08);
    top.x = x + random.uniform(-0.03, 0.03);
    bottom.x = x;
    if (scene.kind == SceneKind::above) {
        top.y = -0.24;
        bottom.y = 0.24;
    } else {
        // upright and touching, the pair in the middle
        top.turn = bottom.turn = 0;
        const double top_foot = shape_feet[static_cast<std::size_t>(top.kind)] * top.radius;
        const double bottom_foot = shape_feet[static_cast<std::size_t>(bottom.kind)] * bottom.radius;
        top.y = -bottom_foot;
        bottom.y = top_foot;
    }
    scene.shapes = {top, bottom};
}

}    // namespace

Scene make_scene(std::uint64_t seed, std::uint64_t number, const std::vector<ImageSize>& sizes) {
    RandomStream random = stream(seed, number, layout_part);
    Scene scene;
    const ImageSize size = sizes[random.below(sizes.size())];
    scene.width = size.width;
    scene.height = size.height;
    scene.background = random.below(background_colours.size());
    const double kind = random.uniform();
    if (kind < 0.35) {
        scene.kind = SceneKind::one;
        scene.large = random.below(2) == 1;
        SceneShape shape = any_shape(random);
        shape.radius = scene.large ? random.uniform(0.33, 0.37) : random.uniform(0.13, 0.16);
        const double room = scene.large ? 0.04 : 0.15;
        shape.x = random.uniform(-room, room);
        shape.y = random.uniform(-room, room);
        scene.shapes = {shape};
    } else if (kind < 0.65) {
        scene.kind = SceneKind::several;
        place_several(scene, random);
    } else {
        scene.kind = kind < 0.85 ? SceneKind::above : SceneKind::on_top;
        place_two(scene, random);
    }
    return scene;
}

namespace {

std::string with_article(const std::string& words) { return (words[0] == 'o' ? "an " : "a ") + words; }

// The wordings of each kind of scene; the first group is the plainest. A caption takes one of each group, so that the
// five of a picture differ.
std::vector<std::vector<std::string>> wordings(const Scene& scene) {
    using fmt::format;
    const auto named = [](const SceneShape& shape, const std::array<const char*, 4>& names) {
        return format("{} {}", shape_colours[shape.colour].name, names[static_cast<std::size_t>(shape.kind)]);
    };
    const SceneShape &first = scene.shapes.front(), &last = scene.shapes.back();
    const std::string bare_upper = named(first, shape_names);
    const std::string thing = format("{} {}", scene.large ? "large" : "small", bare_upper);
    const std::string things = format("{} {}", number_words[std::min(scene.shapes.size(), number_words.size() - 1)],
                                      named(first, shape_plurals));
    const std::string upper = with_article(bare_upper), lower = with_article(named(last, shape_names));
    const std::string ground = format("a {} background", background_colours[scene.background].name);
    switch (scene.kind) {
        case SceneKind::one:
            return {{format("a {} on {}", thing, ground)},
                    {format("there is a {} on {}", thing, ground), format("one {} on {}", thing, ground)},
                    {format("a {} on {} and nothing else", thing, ground), format("a {} alone on {}", thing, ground)},
                    {format("{} with a {} on it", ground, thing), format("{} and a {} on it", ground, thing)},
                    {format("the {} is on {}", thing, ground), format("just a {} on {}", thing, ground)}};
        case SceneKind::several:
            return {{format("{} on {}", things, ground)},
                    {format("there are {} on {}", things, ground), format("a group of {} on {}", things, ground)},
                    {format("{} together on {}", things, ground), format("{} near each other on {}", things, ground)},
                    {format("{} with {} on it", ground, things), format("{} and {} on it", ground, things)},
                    {format("the {} are on {}", things, ground), format("just {} on {}", things, ground)}};
        case SceneKind::above:
            return {{format("{} above {}", upper, lower)},
                    {format("there is {} above {}", upper, lower), format("the {} is above {}", bare_upper, lower)},
                    {format("{} above {} on {}", upper, lower, ground)},
                    {format("{} below {}", lower, upper), format("there is {} below {}", lower, upper)},
                    {format("{} with {} above it", lower, upper), format("{} and {} above it", lower, upper)}};
        case SceneKind::on_top:
            return {{format("{} on top of {}", upper, lower)},
                    {format("there is {} on top of {}", upper, lower), format("{} sits on top of {}", upper, lower)},
                    {format("{} on top of {} on {}", upper, lower, ground)},
                    {format("{} under {}", lower, upper), format("there is {} under {}", lower, upper)},
                    {format("{} with {} on top of it", lower, upper), format("{} and {} on top of it", lower, upper)}};
    }
    return {};
}

}    // namespace

std::array<std::string, 5> scene_captions(const Scene& scene, std::uint64_t seed, std::uint64_t number) {
    RandomStream random = stream(seed, number, caption_part);
    const auto groups = wordings(scene);
    std::array<std::string, 5> captions;
    for (std::size_t k = 0; k < captions.size(); ++k) captions[k] = groups[k][random.below(groups[k].size())];
    for (std::size_t k = captions.size(); k > 1; --k) std::swap(captions[k - 1], captions[random.below(k)]);
    // as people write them: some are sentences
    for (auto& caption : captions)
        if (random.below(2) == 0) {
            caption[0] = static_cast<char>(caption[0] - 'a' + 'A');
            caption += '.';
        }
    return captions;
}

}    // namespace blip
