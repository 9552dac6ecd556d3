#include "lib/server/local_map_file.h"

#include <utility>

#include "lib/server/json_file.h"
#include "lib/server/json_reader.h"

namespace gatehouse {
namespace {

// "host", "host:port", or a URI that also says whether TLS is implicit there.
void ReadHost(JsonReader& reader, Location& location) {
  std::string text = reader.String("host");
  if (text.empty()) return;
  const std::string whole = text;
  const size_t scheme = text.find("://");
  if (scheme != std::string::npos) {
    const std::string name = text.substr(0, scheme);
    const bool implicit = name == "imaps" || name == "pop3s" || name == "smtps";
    if (!implicit && name != "imap" && name != "pop3" && name != "smtp" &&
        name != "lmtp" && name != "sieve") {
      return reader.Fault("host", "\"" + whole + "\": unknown scheme");
    }
    location.implicit_tls = implicit;
    text = text.substr(scheme + 3);
  }
  location.host = Endpoint::Parse(text);
  if (!location.host) {
    reader.Fault("host", "\"" + whole +
                             "\" is not a host (\"name\", \"name:port\", "
                             "\"imaps://name:port\")");
  }
}

LocalMap::Entry ReadEntry(const std::string& name, JsonReader reader) {
  LocalMap::Entry entry;
  const bool whole_domain = name.starts_with('@');
  entry.password_hash = reader.String("password");
  Location& location = entry.location;
  location.user = reader.String("user", whole_domain ? "" : name);
  ReadHost(reader, location);
  location.addresses = reader.Strings("addresses");
  if (location.addresses.empty() && !whole_domain) location.addresses = {name};
  location.routing_address = reader.String("routingAddress");
  if (whole_domain && !entry.password_hash.empty()) {
    reader.Fault("password", "an entry for a whole domain has none");
  }
  reader.Finish();
  return entry;
}

}  // namespace

LocalMapResult ParseLocalMap(std::string_view text, const std::string& file) {
  FaultList faults(file);
  const auto json = ParseJson(text, faults);
  if (!json) return {nullptr, faults.faults()};
  JsonReader root(*json, "", faults);
  const auto map = std::make_shared<LocalMap>();
  JsonReader users = root.Object("users");
  for (const std::string& name : users.Keys()) {
    if (!map->Add(name, ReadEntry(name, users.Object(name)))) {
      users.Fault(name, "stands here twice (case doesn't count)");
    }
  }
  root.Finish();
  if (!faults.faults().empty()) return {nullptr, faults.faults()};
  return {map, {}};
}

LocalMapResult ReadLocalMap(const std::string& file) {
  const auto text = ReadFile(file);
  if (!text) return {nullptr, {file + ": no such file, or not readable"}};
  return ParseLocalMap(*text, file);
}

}  // namespace gatehouse
