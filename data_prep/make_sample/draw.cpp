// Pixels of a scene: signed distances give antialiased edges; gradient, grain and colour variation keep it from being
// flat.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "blip/base/random.h"
#include "data_prep/make_sample/scene.h"

namespace blip {

namespace {

// Signed distance from (x, y) to a shape of radius 1 around the origin, negative inside, y downward. Distances outside
// of corners are bounds, which is enough within a pixel of the edge.
double distance(ShapeKind kind, double x, double y) {
    switch (kind) {
        case ShapeKind::ball:
            return std::sqrt(x * x + y * y) - 1.0;
        case ShapeKind::ring:
            return std::abs(std::sqrt(x * x + y * y) - 0.76) - 0.24;
        case ShapeKind::bar:
            return std::max(std::abs(x) - 1.25, std::abs(y) - 0.4);
        case ShapeKind::post:
            return std::max(std::abs(x) - 0.4, std::abs(y) - 1.25);
    }
    return 1.0;
}

std::array<double, 3> vary(const NamedColour& colour, double spread, RandomStream& random) {
    std::array<double, 3> rgb = colour.rgb;
    for (auto& value : rgb) value = std::clamp(value + random.uniform(-spread, spread), 0.0, 255.0);
    return rgb;
}

}    // namespace

Image draw_scene(const Scene& scene, std::uint64_t seed, std::uint64_t number) {
    RandomStream random(random_key(seed, RandomPurpose::sample_drawing, {number, 3}));
    const std::array<double, 3> ground = vary(background_colours[scene.background], 10, random);
    std::vector<std::array<double, 3>> colours;
    for (const auto& shape : scene.shapes) colours.push_back(vary(shape_colours[shape.colour], 15, random));
    const double direction = random.uniform(0, 2 * std::numbers::pi), slope = random.uniform(0, 24);
    const double unit = std::min(scene.width, scene.height);

    Image image{scene.height, scene.width, {}};
    image.pixels_HWC.reserve(static_cast<std::size_t>(scene.height) * static_cast<std::size_t>(scene.width) * 3);
    for (int row = 0; row < scene.height; ++row) {
        for (int column = 0; column < scene.width; ++column) {
            const double x = (column + 0.5 - scene.width / 2.0) / unit, y = (row + 0.5 - scene.height / 2.0) / unit;
            std::array<double, 3> rgb = ground;
            for (auto& value : rgb) value += slope * (x * std::cos(direction) + y * std::sin(direction));
            for (std::size_t s = 0; s < scene.shapes.size(); ++s) {
                const SceneShape& shape = scene.shapes[s];
                const double dx = (x - shape.x) / shape.radius, dy = (y - shape.y) / shape.radius;
                const double u = dx * std::cos(shape.turn) + dy * std::sin(shape.turn);
                const double v = dy * std::cos(shape.turn) - dx * std::sin(shape.turn);
                const double pixels_outside = distance(shape.kind, u, v) * shape.radius * unit;
                const double cover = std::clamp(0.5 - pixels_outside, 0.0, 1.0);
                for (std::size_t c = 0; c < 3; ++c)
                    rgb[c] += cover * (colours[s][c] - 14 * v - rgb[c]);    // lit from above
            }
            // one draw for the pixel's grain: a byte for each channel
            const std::uint32_t grain = random.next_u32();
            for (std::size_t c = 0; c < 3; ++c) {
                const double noise = static_cast<double>((grain >> (8 * c)) & 255U) / 255.0 * 16.0 - 8.0;
                image.pixels_HWC.push_back(static_cast<std::uint8_t>(std::clamp(rgb[c] + noise + 0.5, 0.0, 255.0)));
            }
        }
    }
    return image;
}

}    // namespace blip
