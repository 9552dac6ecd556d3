#ifndef GATEHOUSE_LIB_SERVER_JSON_READER_H_
#define GATEHOUSE_LIB_SERVER_JSON_READER_H_

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace gatehouse {

// Collects what is wrong with a file, a line each:
// `FILE: /json/path: what (what would be right)`.
class FaultList {
 public:
  explicit FaultList(std::string file) : file_(std::move(file)) {}
  void Add(std::string_view path, std::string_view what);
  void Warn(std::string_view path, std::string_view what);
  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  std::string Line(std::string_view path, std::string_view what) const;

  std::string file_;
  std::vector<std::string> faults_;
  std::vector<std::string> warnings_;
};

// Reads one JSON object, key by key. Each call names a key and its default,
// reports a value of the wrong type or range, and then gives the default; that
// default is nobody's fault, so Fault() and Warn() say nothing of such a key.
// What no call has named is reported by Finish() as unknown.
class JsonReader {
 public:
  // `value` and `faults` must outlive the reader.
  JsonReader(const nlohmann::json& value, std::string path, FaultList& faults);

  bool Has(std::string_view key) const;
  std::string PathOf(std::string_view key) const;
  // A fault at a key, found by the caller.
  void Fault(std::string_view key, std::string_view what);
  void Warn(std::string_view key, std::string_view what);
  // Of the whole file so far.
  size_t fault_count() const { return faults_->faults().size(); }

  // Without control characters, which could break a line of a protocol.
  std::string String(std::string_view key, std::string_view otherwise = "");
  // With any characters.
  std::string FreeString(std::string_view key);
  bool Bool(std::string_view key, bool otherwise);
  int64_t Integer(std::string_view key, int64_t otherwise, int64_t least,
                  int64_t most);
  // 1 to 65535; `otherwise` may be 0, for "not said".
  uint16_t Port(std::string_view key, uint16_t otherwise);
  // "250ms", "30s", "24h"; a year at most.
  absl::Duration Duration(std::string_view key, absl::Duration otherwise,
                          absl::Duration least = absl::ZeroDuration());
  std::vector<std::string> Strings(std::string_view key);
  std::vector<uint16_t> Ports(std::string_view key);

  template <typename Enum>
  Enum Choice(
      std::string_view key, Enum otherwise,
      std::initializer_list<std::pair<std::string_view, Enum>> choices) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return otherwise;
    std::string names;
    for (const auto& [name, choice] : choices) {
      if (value->is_string() && *value == std::string(name)) return choice;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Fault(key, value->dump() + " is none of " + names);
    return otherwise;
  }

  // The object in one line, its keys sorted.
  std::string Text() const { return value_->dump(); }
  // All keys, for an object that is a map.
  std::vector<std::string> Keys() const;
  // The object at `key`; an empty one where there is none.
  JsonReader Object(std::string_view key);
  // The objects of an array.
  std::vector<JsonReader> Objects(std::string_view key);

  // Reports the keys that nobody asked for.
  void Finish();

 private:
  const nlohmann::json* Find(std::string_view key);
  // `key` gives its default now; `item` is what follows the key in the path.
  void Misread(std::string_view key, std::string_view what,
               std::string_view item = "");
  std::string CheckedString(std::string_view key, const nlohmann::json& value,
                            std::string_view otherwise,
                            std::string_view item = "");
  void WrongType(std::string_view key, const nlohmann::json& value,
                 std::string_view wanted, std::string_view item = "");

  const nlohmann::json* value_;
  std::string path_;
  FaultList* faults_;
  bool is_object_;
  std::set<std::string, std::less<>> known_;
  std::set<std::string, std::less<>> misread_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_JSON_READER_H_
