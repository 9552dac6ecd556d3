#include "lib/server/directory_stack.h"

#include <utility>

#include "lib/base/check.h"
#include "lib/directory/cached_directory.h"
#include "lib/directory/composed_directory.h"
#include "lib/directory/ldap_directory.h"
#include "lib/directory/static_directory.h"

namespace gatehouse {
namespace {

// Makes each map and connector that is named, once.
class DirectoryBuilder {
 public:
  DirectoryBuilder(const Runtime& runtime, Network& network, LogSink& log)
      : runtime_(runtime), network_(network), log_(log) {}

  // Null where there is none of that name.
  std::shared_ptr<Directory> Map(std::string_view name) {
    const UserMapConfig* map = runtime_.config.FindUserMap(name);
    if (map == nullptr) return nullptr;
    if (map->type == UserMapConfig::Type::kLdapBind) {
      return Connector(map->connector);
    }
    const auto& file = runtime_.local_maps.at(map->name);
    return std::make_shared<StaticDirectory>(
        network_, std::shared_ptr<CurrentLocalMap>(file, &file->map));
  }

  std::shared_ptr<Directory> Connector(const std::string& name) {
    std::shared_ptr<Directory>& made = connectors_[name];
    if (made != nullptr) return made;
    for (const auto& connector : runtime_.config.ldap_connectors) {
      if (connector->name != name) continue;
      auto created = CreateLdapDirectory(
          network_,
          std::shared_ptr<const LdapOptions>(connector, &connector->options),
          LiveMapOf(name),
          std::make_unique<LdapReplicaLog>(log_, name, runtime_.ldap_outages));
      GATEHOUSE_CHECK(created.ok(), "the options were checked when read");
      made = std::make_shared<CachedDirectory>(
          network_, log_, connector->options.names, std::move(*created),
          runtime_.caches.at(name));
    }
    return made;
  }

 private:
  std::shared_ptr<LiveMap> LiveMapOf(const std::string& connector) const {
    const auto found = runtime_.live_maps.find(connector);
    return found == runtime_.live_maps.end() ? nullptr : found->second;
  }

  const Runtime& runtime_;
  Network& network_;
  LogSink& log_;
  std::map<std::string, std::shared_ptr<Directory>> connectors_;
};

}  // namespace

std::shared_ptr<Directory> MakeDirectory(const Runtime& runtime,
                                         Network& network, LogSink& log) {
  const Config& config = runtime.config;
  DirectoryBuilder builder(runtime, network, log);
  const auto where = builder.Map(config.mapping_user_map);
  if (!config.authenticate_on_proxy) {
    return std::make_shared<ComposedDirectory>(network, nullptr, where);
  }
  const std::string& name = config.userdb_connector_name;
  const bool local =
      config.userdb_connector_type == UserMapConfig::Type::kLocalFile;
  const bool same = local && (name.empty() || name == config.mapping_user_map);
  const auto who = same    ? where
                   : local ? builder.Map(name)
                           : builder.Connector(name);
  // One directory that answers both questions is asked once for both.
  if (who == where && who != nullptr) return who;
  return std::make_shared<ComposedDirectory>(network, who, where);
}

}  // namespace gatehouse
