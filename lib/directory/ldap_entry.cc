#include "lib/directory/ldap_entry.h"

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

constexpr size_t kLengthBytes = sizeof(uint32_t);

uint32_t LengthAt(const char* at) {
  uint32_t length;
  std::memcpy(&length, at, kLengthBytes);
  return length;
}

void SetLength(char* at, size_t length) {
  const auto written = static_cast<uint32_t>(length);
  std::memcpy(at, &written, kLengthBytes);
}

// Most that are equal are so octet by octet, which takes a tenth of the time.
bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         (a == b || absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b)));
}

struct Attribute {
  std::string_view name;
  std::string_view values;
};

// Takes the first one from `rest`.
Attribute TakeAttribute(std::string_view& rest) {
  const size_t values_bytes = LengthAt(rest.data());
  const size_t name_bytes = LengthAt(rest.data() + kLengthBytes);
  rest.remove_prefix(2 * kLengthBytes);
  const Attribute taken = {rest.substr(0, name_bytes),
                           rest.substr(name_bytes, values_bytes)};
  rest.remove_prefix(name_bytes + values_bytes);
  return taken;
}

}  // namespace

std::optional<std::string_view> LdapValues::Find(
    std::string_view wanted) const {
  for (const std::string_view value : *this) {
    if (EqualsIgnoringCase(value, wanted)) return value;
  }
  return std::nullopt;
}

LdapValues LdapEntry::Values(std::string_view name) const {
  if (name.empty()) return {};
  std::string_view rest = std::string_view(text_).substr(dn_bytes_);
  while (!rest.empty()) {
    const Attribute attribute = TakeAttribute(rest);
    if (EqualsIgnoringCase(attribute.name, name)) {
      return LdapValues(attribute.values);
    }
  }
  return {};
}

void LdapEntry::ForEachAttribute(
    absl::FunctionRef<void(std::string_view name, LdapValues values)> visit)
    const {
  std::string_view rest = std::string_view(text_).substr(dn_bytes_);
  while (!rest.empty()) {
    const Attribute attribute = TakeAttribute(rest);
    visit(attribute.name, LdapValues(attribute.values));
  }
}

void LdapEntry::Add(std::string_view name,
                    std::initializer_list<std::string_view> values) {
  attribute_ = text_.size();
  text_.append(2 * kLengthBytes, '\0');
  SetLength(text_.data() + attribute_ + kLengthBytes, name.size());
  text_ += name;
  ++attribute_count_;
  for (const std::string_view value : values) AddValue(value);
}

void LdapEntry::AddValue(std::string_view head, std::string_view tail) {
  const size_t bytes = head.size() + tail.size();
  const size_t begin = text_.size();
  text_.append(kLengthBytes, '\0').append(head).append(tail);
  SetLength(text_.data() + begin, bytes);
  char* const of_values = text_.data() + attribute_;
  SetLength(of_values, LengthAt(of_values) + kLengthBytes + bytes);
}

}  // namespace gatehouse
