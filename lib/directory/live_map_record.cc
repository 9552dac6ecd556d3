#include "lib/directory/live_map_record.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"

namespace gatehouse {
namespace {

// Of most attributes an entry has no value, one or two.
constexpr size_t kManyValues = 3;
constexpr size_t kCountsInOctet = 4;

size_t CountsBytes(const LiveMapAttributes& attributes) {
  return (attributes.size() + kCountsInOctet - 1) / kCountsInOctet;
}

class Writer {
 public:
  explicit Writer(LiveMapArena& arena) : arena_(arena) {}

  void Dn(std::string_view dn) {
    const size_t head = dn.find('=') + 1;  // 0 where there is none
    const uint32_t word = arena_.Intern(dn.substr(0, head));
    if (word == LiveMapArena::kNoWord) {
      AppendNumber(text_, 0);
      return Value(dn, dn.size());
    }
    AppendNumber(text_, word);
    dn.remove_prefix(head);
    Value(dn, std::min(dn.find(','), dn.size()));
  }

  void Counts(const LdapEntry& entry, const LiveMapAttributes& attributes) {
    text_.assign(CountsBytes(attributes), '\0');
    for (size_t i = 0; i < attributes.size(); ++i) {
      const size_t count =
          std::min(entry.Values(attributes[i].name).size(), kManyValues);
      text_[i / kCountsInOctet] |=
          static_cast<char>(count << (2 * (i % kCountsInOctet)));
    }
  }

  void Values(const LdapValues& values, bool is_word) {
    const size_t count = values.size();
    if (count >= kManyValues) {
      AppendNumber(text_, static_cast<uint32_t>(count));
    }
    for (const std::string_view value : values) {
      Value(value, is_word ? 0 : std::min(value.rfind('@'), value.size()));
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  // What is behind `split` is likely to be shared.
  void Value(std::string_view value, size_t split) {
    uint32_t word = arena_.Intern(value.substr(split));
    if (word == LiveMapArena::kNoWord) {
      split = value.size();
      word = 0;
    }
    Prefix(value.substr(0, split));
    AppendNumber(text_, word);
  }

  void Prefix(std::string_view prefix) {
    const auto known = std::find(prefixes_.begin(), prefixes_.end(), prefix);
    if (!prefix.empty() && known != prefixes_.end()) {
      const auto number = static_cast<uint32_t>(known - prefixes_.begin());
      return AppendNumber(text_, 2 * number + 1);
    }
    AppendNumber(text_, static_cast<uint32_t>(2 * prefix.size()));
    text_ += prefix;
    if (!prefix.empty() && prefixes_.size() < kMostPrefixes) {
      prefixes_.push_back(prefix);
    }
  }

  // An entry of thousands of addresses isn't searched through for each.
  static constexpr size_t kMostPrefixes = 32;

  LiveMapArena& arena_;
  std::string text_;
  std::vector<std::string_view> prefixes_;
};

class Reader {
 public:
  Reader(std::string_view record, const LiveMapArena& arena)
      : rest_(record), arena_(arena) {}

  LdapEntry EntryOfDn() {
    std::string dn;
    dn.reserve(kUsualEntryBytes);
    dn += Word();
    const Value value = TakeValue();
    dn.append(value.prefix).append(value.word);
    return LdapEntry(std::move(dn));
  }

  std::string_view Octets(size_t count) {
    const std::string_view octets = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return octets;
  }

  void AddValues(size_t count, LdapEntry& entry) {
    if (count == kManyValues) count = TakeNumber(rest_);
    for (; count > 0; --count) {
      const Value value = TakeValue();
      entry.AddValue(value.prefix, value.word);
    }
  }

 private:
  struct Value {
    std::string_view prefix;
    std::string_view word;
  };

  Value TakeValue() {
    const std::string_view prefix = Prefix();
    return {prefix, Word()};
  }

  std::string_view Word() { return arena_.Word(TakeNumber(rest_)); }

  std::string_view Prefix() {
    const uint32_t code = TakeNumber(rest_);
    if (code % 2 != 0) return prefixes_[code / 2];
    const std::string_view prefix = rest_.substr(0, code / 2);
    rest_.remove_prefix(prefix.size());
    if (!prefix.empty()) prefixes_.push_back(prefix);
    return prefix;
  }

  // So that the entry of nearly every account needs one allocation.
  static constexpr size_t kUsualEntryBytes = 384;

  std::string_view rest_;
  const LiveMapArena& arena_;
  absl::InlinedVector<std::string_view, 8> prefixes_;
};

}  // namespace

void AppendNumber(std::string& text, uint32_t number) {
  while (number >= 0x80) {
    text += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  text += static_cast<char>(number);
}

uint32_t TakeNumber(std::string_view& bytes) {
  uint32_t number = 0;
  for (int shift = 0;; shift += 7) {
    const auto octet = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= uint32_t{octet & 0x7fu} << shift;
    if (octet < 0x80) return number;
  }
}

bool HoldsOnly(const LdapEntry& entry, const LiveMapAttributes& attributes) {
  size_t known = 0;
  for (const LiveMapAttribute& attribute : attributes) {
    known += !entry.Values(attribute.name).empty();
  }
  return known == entry.attribute_count();
}

std::optional<std::string> EncodeRecord(const LdapEntry& entry,
                                        const LiveMapAttributes& attributes,
                                        LiveMapArena& arena) {
  if (!HoldsOnly(entry, attributes)) return std::nullopt;
  Writer writer(arena);
  writer.Counts(entry, attributes);
  writer.Dn(entry.dn());
  for (const LiveMapAttribute& attribute : attributes) {
    writer.Values(entry.Values(attribute.name), attribute.is_word);
  }
  return writer.Take();
}

LdapEntry DecodeRecord(std::string_view record,
                       const LiveMapAttributes& attributes,
                       const LiveMapArena& arena) {
  Reader reader(record, arena);
  const std::string_view counts = reader.Octets(CountsBytes(attributes));
  LdapEntry entry = reader.EntryOfDn();
  for (size_t i = 0; i < attributes.size(); ++i) {
    const auto octet = static_cast<unsigned char>(counts[i / kCountsInOctet]);
    const size_t count = octet >> (2 * (i % kCountsInOctet)) & kManyValues;
    if (count == 0) continue;
    entry.Add(attributes[i].name);
    reader.AddValues(count, entry);
  }
  return entry;
}

}  // namespace gatehouse
