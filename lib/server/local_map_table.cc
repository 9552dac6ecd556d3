#include "lib/server/local_map_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/directory/mail_host.h"

namespace gatehouse {
namespace {

// A file that isn't a table has a fault on every line; nobody reads more.
constexpr size_t kMostFaults = 20;

constexpr std::string_view kBlanks = " \t\r";

// Takes the next field off `rest`; empty where there is none.
std::string_view TakeField(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  const std::string_view field = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(field.size());
  return field;
}

class TableReader {
 public:
  TableReader(LocalMap& map, FaultList& faults) : map_(map), faults_(faults) {}

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
    LocalMap::Entry entry;
    if (host.empty()) return Fault("a name without a host (\"-\" for none)");
    if (!TakeField(line).empty()) {
      return Fault("more than a name, a host and a password's hash");
    }
    if (host != "-" && !ReadMailHost(host, entry.location)) {
      return Fault("\"" + std::string(host) + "\" is not a host (\"name\", " +
                   "\"name:port\", \"imaps://name:port\")");
    }
    entry.password_hash = std::string(hash);
    Add(name, std::move(entry));
  }

  void Add(std::string_view name, LocalMap::Entry entry) {
    const bool pattern = name.front() == '/';
    if ((pattern || name.front() == '@') && !entry.password_hash.empty()) {
      return Fault("an entry for many names has no password");
    }
    if (pattern) return AddPattern(name, std::move(entry));
    if (name.front() != '@') {
      entry.location.user = std::string(name);
      entry.location.addresses.emplace_back(name);
    }
    if (!map_.Add(name, std::move(entry))) {
      Fault("\"" + std::string(name) + "\" stands here twice");
    }
  }

  void AddPattern(std::string_view name, LocalMap::Entry entry) {
    if (name.size() < 2 || name.back() != '/') {
      return Fault("an expression that doesn't end in a slash");
    }
    const absl::Status status =
        map_.AddPattern(name.substr(1, name.size() - 2), std::move(entry));
    if (!status.ok()) Fault(std::string(status.message()));
  }

  void Fault(std::string_view what) {
    ++fault_count_;
    faults_.Add(
        "", "line " + std::to_string(line_number_) + ": " + std::string(what));
  }

  LocalMap& map_;
  FaultList& faults_;
  size_t line_number_ = 0;
  size_t fault_count_ = 0;
};

}  // namespace

void ReadLocalMapTable(std::string_view text, LocalMap& map,
                       FaultList& faults) {
  TableReader(map, faults).Read(text);
}

}  // namespace gatehouse
