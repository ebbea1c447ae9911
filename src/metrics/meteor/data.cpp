// Where METEOR's tables are, and the compiled ones. See meteor.h.
#include <cstdlib>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/metrics/meteor.h"
#include "src/metrics/meteor/cache.h"
#include "src/metrics/meteor/index.h"
#include "src/metrics/meteor/tables.h"

namespace blip {

namespace fs = std::filesystem;

fs::path default_meteor_dir() {
    const char *deps = std::getenv("BLIP_DEPS"), *home = std::getenv("HOME");
    if (deps != nullptr && *deps != '\0') return fs::path(deps) / "meteor-1.5";
    // env/setup.sh knows nothing of XDG_CACHE_HOME
    return fs::path(home != nullptr ? home : "") / ".cache" / "blip_mpi" / "meteor-1.5";
}

namespace {

MeteorCache cache_of(const fs::path& dir) {
    std::vector<fs::path> tables;
    for (const char* name : meteor_table_names) tables.push_back(dir / name);
    return MeteorCache(tables);
}

}    // namespace

void require_meteor_tables(const fs::path& dir) { cache_of(dir); }

MeteorTables find_meteor(const fs::path& dir) {
    MeteorTables found;
    try {
        found.data = MeteorData::open(dir);
    } catch (const Error& error) {
        found.problem = error.what();
    }
    return found;
}

MeteorData MeteorData::open(const fs::path& given) {
    const fs::path dir = given.empty() ? default_meteor_dir() : given;
    MeteorCache cache = cache_of(dir);
    std::optional<MeteorIndex> index = cache.open();
    if (!index) {
        log_info("compiling METEOR's tables in {} (once)", dir.string());
        auto image = std::make_shared<const IndexImage>(compile_meteor_tables(dir));
        cache.store(*image);
        index = MeteorIndex::over(*image, image);
        if (!index) throw Error(ExitCode::internal, "the compiled METEOR tables do not fit together");
    }
    return MeteorData(std::make_shared<const MeteorIndex>(*std::move(index)));
}

}    // namespace blip
