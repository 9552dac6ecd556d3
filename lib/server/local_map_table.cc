#include "lib/server/local_map_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lib/base/string_bridge.h"
#include "lib/directory/mail_host.h"

namespace gatehouse {
namespace {

// A file that isn't a table has a fault on every line; nobody reads more.
constexpr size_t kMostFaults = 20;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Takes the next field off `rest`; empty where there is none.
std::string_view TakeField(std::string_view& rest) {
  const auto begin = std::find_if_not(rest.begin(), rest.end(), IsBlank);
  const auto end = std::find_if(begin, rest.end(), IsBlank);
  rest = std::string_view(end, rest.end());
  return {begin, end};
}

class TableReader {
 public:
  TableReader(std::string_view service, LocalMap& map, FaultList& faults)
      : service_(service), map_(map), faults_(faults) {}

  void Read(std::string_view text) {
    map_.Reserve(
        static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
    while (!text.empty() && fault_count_ < kMostFaults) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      ++line_number_;
      ReadLine(line);
    }
    if (fault_count_ == kMostFaults) {
      faults_.Add("", "too many faults to look further");
    } else if (fault_count_ == 0 && map_.size() == 0) {
      // Somebody is writing it, or it was cut: not a site without users.
      faults_.Add("", "no entries");
    }
  }

 private:
  void ReadLine(std::string_view line) {
    const std::string_view name = TakeField(line);
    if (name.empty() || name.front() == '#') return;
    const std::string_view host = TakeField(line);
    const std::string_view hash = TakeField(line);
    if (host.empty()) return Fault("a name without a host (\"-\" for none)");
    if (!TakeField(line).empty()) {
      return Fault("more than a name, a host and a password's hash");
    }
    const Location* location = LocationAt(host);
    if (location == nullptr) {
      return Fault("\"" + std::string(host) + "\" is not a host (\"name\", " +
                   "\"name:port\", \"imaps://name:port\")");
    }
    Add(name, hash, location);
  }

  // Null where the text is no host. A table names the same few again and again.
  const Location* LocationAt(std::string_view host) {
    const auto [found, is_new] = hosts_.try_emplace(ToAbsl(host), nullptr);
    Location location;
    if (is_new && (host == "-" || ReadMailHost(host, service_, location))) {
      found->second = map_.Keep(std::move(location));
    }
    return found->second;
  }

  void Add(std::string_view name, std::string_view hash,
           const Location* location) {
    const bool pattern = name.front() == '/';
    const bool whole_domain = name.front() == '@';
    if ((pattern || whole_domain) && !hash.empty()) {
      return Fault("an entry for many names has no password");
    }
    if (pattern) return AddPattern(name, location);
    if (!map_.Add(name, {whole_domain ? "" : name, hash, location})) {
      Fault("\"" + std::string(name) + "\" stands here twice");
    }
  }

  void AddPattern(std::string_view name, const Location* location) {
    if (name.size() < 2 || name.back() != '/') {
      return Fault("an expression that doesn't end in a slash");
    }
    const absl::Status status =
        map_.AddPattern(name.substr(1, name.size() - 2), location);
    if (!status.ok()) Fault(std::string(status.message()));
  }

  void Fault(std::string_view what) {
    ++fault_count_;
    faults_.Add(
        "", "line " + std::to_string(line_number_) + ": " + std::string(what));
  }

  const std::string_view service_;
  LocalMap& map_;
  FaultList& faults_;
  // By their text, which is the table's.
  absl::flat_hash_map<absl::string_view, const Location*> hosts_;
  size_t line_number_ = 0;
  size_t fault_count_ = 0;
};

}  // namespace

void ReadLocalMapTable(std::string_view text, std::string_view service,
                       LocalMap& map, FaultList& faults) {
  TableReader(service, map, faults).Read(text);
}

}  // namespace gatehouse
