// A small scene: what is in the picture and what people would say about it. Used by make_sample: draw_scene (pixels),
// scene_captions (texts). Everything is keyed by (seed, number of the picture).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "blip/image/image.h"
#include "blip/image/jpeg.h"

namespace blip {

enum class ShapeKind { ball, bar, post, ring };    // a bar lies, a post stands
enum class SceneKind {
    one,        // a single shape, small or large
    several,    // two to four equal shapes
    above,      // two shapes, one above the other with a gap
    on_top      // two shapes that touch
};

// A named colour with the RGB values it varies around.
struct NamedColour {
    const char* name;
    std::array<double, 3> rgb;
};

// In fractions of the picture's shorter side; the centre from the picture's centre, y downward.
struct SceneShape {
    ShapeKind kind = ShapeKind::ball;
    std::size_t colour = 0;    // into shape_colours
    double x = 0, y = 0;
    double radius = 0.1;
    double turn = 0;    // radians
};

struct Scene {
    SceneKind kind = SceneKind::one;
    bool large = false;                // of a single shape
    std::size_t background = 0;        // into background_colours
    std::vector<SceneShape> shapes;    // top one first in scenes of two
    int width = 0, height = 0;         // of the picture, pixels
};

extern const std::array<NamedColour, 6> shape_colours;
extern const std::array<NamedColour, 5> background_colours;

// sizes: pictures' widths and heights, one is drawn for each.
Scene make_scene(std::uint64_t seed, std::uint64_t number, const std::vector<ImageSize>& sizes);
// Antialiased shapes over a shaded, grainy background.
Image draw_scene(const Scene& scene, std::uint64_t seed, std::uint64_t number);
// Five different captions, each correct.
std::array<std::string, 5> scene_captions(const Scene& scene, std::uint64_t seed, std::uint64_t number);

}    // namespace blip
