#include "lib/server/directory_stack.h"

#include "lib/directory/composed_directory.h"
#include "lib/directory/static_directory.h"

namespace gatehouse {
namespace {

std::shared_ptr<Directory> MapDirectory(const Runtime& runtime,
                                        Network& network,
                                        std::string_view name) {
  const UserMapConfig* map = runtime.config.FindUserMap(name);
  if (map == nullptr) return nullptr;
  return std::make_shared<StaticDirectory>(network,
                                           runtime.local_maps.at(map->name));
}

}  // namespace

void CheckDirectories(const Runtime& runtime, const std::string& file,
                      std::vector<std::string>& faults) {}

std::shared_ptr<Directory> MakeDirectory(const Runtime& runtime,
                                         Network& network, LogSink& log) {
  const Config& config = runtime.config;
  const std::string& where = config.mapping_user_map;
  const std::string& who = config.userdb_connector_name;
  const auto locating = MapDirectory(runtime, network, where);
  if (!config.authenticate_on_proxy || who.empty() || who == where) {
    if (locating != nullptr) return locating;
  }
  return std::make_shared<ComposedDirectory>(
      network, MapDirectory(runtime, network, who), locating);
}

}  // namespace gatehouse
