#include "lib/server/local_map_file.h"

#include <sys/stat.h>

#include <utility>

#include "absl/time/time.h"
#include "lib/directory/mail_host.h"
#include "lib/server/json_file.h"
#include "lib/server/json_reader.h"
#include "lib/server/local_map_table.h"

namespace gatehouse {
namespace {

void ReadHost(JsonReader& reader, std::string_view service,
              Location& location) {
  const std::string text = reader.String("host");
  if (text.empty() || ReadMailHost(text, service, location)) return;
  reader.Fault("host", "\"" + text +
                           "\" is not a host (\"name\", \"name:port\", "
                           "\"imaps://name:port\")");
}

// False where the name is there already.
bool ReadEntry(const std::string& name, std::string_view service,
               JsonReader reader, LocalMap& map) {
  const bool whole_domain = name.starts_with('@');
  const std::string_view password = map.Keep(reader.String("password"));
  const std::string_view user =
      map.Keep(reader.String("user", whole_domain ? "" : name));
  Location location;
  ReadHost(reader, service, location);
  location.addresses = reader.Strings("addresses");
  if (location.addresses.empty() && !whole_domain) location.addresses = {name};
  location.routing_address = reader.String("routingAddress");
  if (whole_domain && !password.empty()) {
    reader.Fault("password", "an entry for a whole domain has none");
  }
  reader.Finish();
  return map.Add(map.Keep(name),
                 {user, password, map.Keep(std::move(location))});
}

void ReadPattern(JsonReader reader, std::string_view service, LocalMap& map) {
  const std::string expression = reader.String("match");
  Location location;
  ReadHost(reader, service, location);
  location.routing_address = reader.String("routingAddress");
  reader.Finish();
  if (expression.empty()) return reader.Fault("match", "missing");
  const absl::Status status =
      map.AddPattern(expression, map.Keep(std::move(location)));
  if (!status.ok()) reader.Fault("match", std::string(status.message()));
}

void ReadJsonMap(std::string_view text, std::string_view service, LocalMap& map,
                 FaultList& faults) {
  const auto json = ParseJson(text, faults);
  if (!json) return;
  JsonReader root(*json, "", faults);
  JsonReader users = root.Object("users");
  for (const std::string& name : users.Keys()) {
    if (!ReadEntry(name, service, users.Object(name), map)) {
      users.Fault(name, "stands here twice (case doesn't count)");
    }
  }
  for (JsonReader& pattern : root.Objects("patterns")) {
    ReadPattern(std::move(pattern), service, map);
  }
  root.Finish();
}

bool IsJson(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return false;
  text.remove_prefix(begin);
  return text.starts_with("{") || text.starts_with("//") ||
         text.starts_with("/*");
}

}  // namespace

std::optional<FileVersion> FileVersion::Of(const std::string& file) {
  struct stat status;
  if (stat(file.c_str(), &status) != 0) return std::nullopt;
  FileVersion version;
  version.device = status.st_dev;
  version.inode = status.st_ino;
  version.size = status.st_size;
  version.changed_ns =
      absl::ToUnixNanos(absl::TimeFromTimespec(status.st_mtim));
  return version;
}

LocalMapResult ParseLocalMap(std::string text, std::string_view service,
                             const std::string& file) {
  FaultList faults(file);
  auto map = std::make_shared<LocalMap>();
  if (IsJson(text)) {
    ReadJsonMap(text, service, *map, faults);
  } else {
    ReadLocalMapTable(map->Keep(std::move(text)), service, *map, faults);
  }
  LocalMapResult result;
  result.faults = faults.faults();
  if (result.faults.empty()) result.map = std::move(map);
  return result;
}

LocalMapResult ReadLocalMap(const std::string& file, std::string_view service) {
  // Looked at first: a change while it is read is seen at the next look.
  const auto version = FileVersion::Of(file);
  auto text = ReadFile(file);
  LocalMapResult result;
  if (text) {
    result = ParseLocalMap(std::move(*text), service, file);
  } else {
    result.faults = {file + ": no such file, or not readable"};
  }
  result.version = version.value_or(FileVersion());
  return result;
}

}  // namespace gatehouse
