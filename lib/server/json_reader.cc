#include "lib/server/json_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/ascii.h"
#include "lib/base/endpoint.h"

namespace gatehouse {
namespace {

constexpr absl::Duration kLongest = absl::Hours(365 * 24);

const nlohmann::json& EmptyObject() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

std::string_view TypeName(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "true or false";
  if (value.is_number()) return "a number";
  return "null";
}

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view unit =
      text.substr(static_cast<size_t>(end - text.data()));
  if (unit == "ms") return absl::Milliseconds(count);
  if (unit == "s") return absl::Seconds(count);
  if (unit == "m") return absl::Minutes(count);
  if (unit == "h") return absl::Hours(count);
  return std::nullopt;
}

}  // namespace

void FaultList::Add(std::string_view path, std::string_view what) {
  faults_.push_back(Line(path, what));
}

void FaultList::Warn(std::string_view path, std::string_view what) {
  warnings_.push_back(Line(path, what));
}

std::string FaultList::Line(std::string_view path,
                            std::string_view what) const {
  std::string line = file_ + ": ";
  if (!path.empty()) line.append(path).append(": ");
  return line.append(what);
}

JsonReader::JsonReader(const nlohmann::json& value, std::string path,
                       FaultList& faults)
    : value_(&value),
      path_(std::move(path)),
      faults_(&faults),
      is_object_(value.is_object()) {
  if (is_object_) return;
  faults.Add(path_.empty() ? "/" : path_,
             std::string(TypeName(value)) + " (should be an object)");
  value_ = &EmptyObject();
}

std::string JsonReader::PathOf(std::string_view key) const {
  return path_ + "/" + std::string(key);
}

void JsonReader::Fault(std::string_view key, std::string_view what) {
  if (is_object_ && !misread_.contains(key)) faults_->Add(PathOf(key), what);
}

void JsonReader::Warn(std::string_view key, std::string_view what) {
  if (is_object_ && !misread_.contains(key)) faults_->Warn(PathOf(key), what);
}

void JsonReader::Misread(std::string_view key, std::string_view what,
                         std::string_view item) {
  faults_->Add(PathOf(key) + std::string(item), what);
  misread_.emplace(key);
}

bool JsonReader::Has(std::string_view key) const {
  return value_->find(std::string(key)) != value_->end();
}

const nlohmann::json* JsonReader::Find(std::string_view key) {
  known_.emplace(key);
  const auto found = value_->find(std::string(key));
  return found == value_->end() ? nullptr : &*found;
}

void JsonReader::WrongType(std::string_view key, const nlohmann::json& value,
                           std::string_view wanted, std::string_view item) {
  Misread(
      key,
      std::string(TypeName(value)) + " (should be " + std::string(wanted) + ")",
      item);
}

std::string JsonReader::String(std::string_view key,
                               std::string_view otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return std::string(otherwise);
  return CheckedString(key, *value, otherwise);
}

std::string JsonReader::CheckedString(std::string_view key,
                                      const nlohmann::json& value,
                                      std::string_view otherwise,
                                      std::string_view item) {
  if (!value.is_string()) {
    WrongType(key, value, "a string", item);
    return std::string(otherwise);
  }
  const std::string& text = value.get_ref<const std::string&>();
  if (std::any_of(text.begin(), text.end(), absl::ascii_iscntrl)) {
    Misread(key, value.dump() + " holds a control character", item);
    return std::string(otherwise);
  }
  return text;
}

std::string JsonReader::FreeString(std::string_view key) {
  const nlohmann::json* value = Find(key);
  if (value != nullptr && value->is_string()) return *value;
  if (value != nullptr) WrongType(key, *value, "a string");
  return "";
}

bool JsonReader::Bool(std::string_view key, bool otherwise) {
  const nlohmann::json* value = Find(key);
  if (value != nullptr && value->is_boolean()) return *value;
  if (value != nullptr) WrongType(key, *value, "true or false");
  return otherwise;
}

int64_t JsonReader::Integer(std::string_view key, int64_t otherwise,
                            int64_t least, int64_t most) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer()) {
    WrongType(key, *value, "a whole number");
    return otherwise;
  }
  const bool too_large = value->is_number_unsigned() &&
                         value->get<uint64_t>() > static_cast<uint64_t>(most);
  if (too_large || value->get<int64_t>() < least ||
      value->get<int64_t>() > most) {
    Misread(key, value->dump() + " is out of range (" + std::to_string(least) +
                     " to " + std::to_string(most) + ")");
    return otherwise;
  }
  return value->get<int64_t>();
}

uint16_t JsonReader::Port(std::string_view key, uint16_t otherwise) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer()) {
    WrongType(key, *value, "a port, 1 to 65535");
    return otherwise;
  }
  const auto port = ParsePort(value->dump());
  if (!port) Misread(key, value->dump() + " is not a port (1 to 65535)");
  return port.value_or(otherwise);
}

absl::Duration JsonReader::Duration(std::string_view key,
                                    absl::Duration otherwise,
                                    absl::Duration least) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return otherwise;
  const auto duration = value->is_string()
                            ? ParseDuration(value->get<std::string>())
                            : std::nullopt;
  if (!duration) {
    Misread(key, value->dump() +
                     " is not a duration (\"250ms\", \"30s\", \"10m\", "
                     "\"24h\")");
    return otherwise;
  }
  if (*duration < least) {
    Misread(key, value->dump() + " is too short (at least \"" +
                     absl::FormatDuration(least) + "\")");
    return otherwise;
  }
  if (*duration > kLongest) {
    Misread(key, value->dump() + " is too long (at most \"" +
                     absl::FormatDuration(kLongest) + "\")");
    return otherwise;
  }
  return *duration;
}

std::vector<std::string> JsonReader::Strings(std::string_view key) {
  std::vector<std::string> result;
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return result;
  if (!value->is_array()) {
    WrongType(key, *value, "an array of strings");
    return result;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    result.push_back(
        CheckedString(key, (*value)[i], "", "/" + std::to_string(i)));
  }
  return result;
}

std::vector<uint16_t> JsonReader::Ports(std::string_view key) {
  std::vector<uint16_t> result;
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return result;
  if (!value->is_array()) {
    WrongType(key, *value, "an array of ports");
    return result;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    const auto port = ParsePort((*value)[i].dump());
    if (port) {
      result.push_back(*port);
    } else {
      Misread(key, (*value)[i].dump() + " is not a port (1 to 65535)",
              "/" + std::to_string(i));
    }
  }
  return result;
}

std::vector<std::string> JsonReader::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : value_->items()) keys.push_back(key);
  return keys;
}

JsonReader JsonReader::Object(std::string_view key) {
  const nlohmann::json* value = Find(key);
  return JsonReader(value == nullptr ? EmptyObject() : *value, PathOf(key),
                    *faults_);
}

std::vector<JsonReader> JsonReader::Objects(std::string_view key) {
  std::vector<JsonReader> result;
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return result;
  if (!value->is_array()) {
    WrongType(key, *value, "an array of objects");
    return result;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    result.emplace_back((*value)[i], PathOf(key) + "/" + std::to_string(i),
                        *faults_);
  }
  return result;
}

void JsonReader::Finish() {
  for (const auto& [key, value] : value_->items()) {
    if (!known_.contains(key)) Fault(key, "unknown key");
  }
}

}  // namespace gatehouse
