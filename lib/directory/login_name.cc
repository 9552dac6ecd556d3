#include "lib/directory/login_name.h"

#include <idn2.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/container/fixed_array.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace gatehouse {
namespace {

// What other servers take for the start of a master user's name.
constexpr char kMasterSeparator = '*';
// RFC 1035 §2.3.4, without the final dot.
constexpr size_t kMaxDomainBytes = 253;

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
template <typename T>
using FromMalloc = std::unique_ptr<T, FreeMemory>;

bool IsAscii(std::string_view text) {
  unsigned char bits = 0;
  for (unsigned char c : text) bits |= c;
  return bits < 0x80;
}

std::u32string DecodeUtf8(std::string_view text) {
  size_t length = 0;
  FromMalloc<uint32_t> decoded(
      u8_to_u32(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                nullptr, &length));
  return std::u32string(decoded.get(), decoded.get() + length);
}

std::string EncodeUtf8(const std::u32string& text) {
  size_t length = 0;
  FromMalloc<uint8_t> encoded(
      u32_to_u8(reinterpret_cast<const uint32_t*>(text.data()), text.size(),
                nullptr, &length));
  return std::string(encoded.get(), encoded.get() + length);
}

std::u32string Normalise(uninorm_t form, const std::u32string& text) {
  size_t length = 0;
  FromMalloc<uint32_t> normal(
      u32_normalize(form, reinterpret_cast<const uint32_t*>(text.data()),
                    text.size(), nullptr, &length));
  return std::u32string(normal.get(), normal.get() + length);
}

// RFC 8265 §3.3.1: full- and half-width code points become what they stand
// for.
std::u32string MapWidth(const std::u32string& text) {
  std::u32string mapped;
  for (char32_t c : text) {
    ucs4_t decomposition[UC_DECOMPOSITION_MAX_LENGTH];
    int tag = 0;
    const int length = uc_decomposition(c, &tag, decomposition);
    if (length > 0 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW)) {
      mapped.append(decomposition, decomposition + length);
    } else {
      mapped.push_back(c);
    }
  }
  return mapped;
}

std::u32string LowerCase(const std::u32string& text) {
  size_t length = 0;
  FromMalloc<uint32_t> lower(
      u32_tolower(reinterpret_cast<const uint32_t*>(text.data()), text.size(),
                  nullptr, nullptr, nullptr, &length));
  return std::u32string(lower.get(), lower.get() + length);
}

// RFC 8264 §9.1: Ll, Lu, Lo, Nd, Lm, Mn, Mc.
bool IsLetterOrDigit(char32_t c) {
  return uc_is_general_category_withtable(
      c, UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo |
             UC_CATEGORY_MASK_Nd | UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn |
             UC_CATEGORY_MASK_Mc);
}

// RFC 8264 §8, for the IdentifierClass; what needs a look at its neighbours
// is refused.
bool IsIdentifierCharacter(char32_t c) {
  if (c < 0x80) return c >= 0x21 && c <= 0x7e;
  if (uc_is_property_default_ignorable_code_point(c)) return false;
  if (!IsLetterOrDigit(c)) return false;
  const std::u32string one(1, c);
  return Normalise(UNINORM_NFKC, one) == Normalise(UNINORM_NFC, one);
}

// What the loops over every octet of a name look at.
struct AsciiOctet {
  bool is_visible = false;
  bool is_ldh = false;  // letter in lower case, digit, hyphen
  char lower = 0;
};
constexpr std::array<AsciiOctet, 256> kAscii = [] {
  std::array<AsciiOctet, 256> octets;
  for (int c = 0; c < 256; ++c) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    octets[c].is_visible = c >= 0x21 && c <= 0x7e;
    octets[c].is_ldh =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    octets[c].lower = static_cast<char>(is_upper ? c + ('a' - 'A') : c);
  }
  return octets;
}();

const AsciiOctet& AsciiOf(char c) {
  return kAscii[static_cast<unsigned char>(c)];
}

void LowerAscii(std::string& text, size_t begin) {
  char* const end = text.data() + text.size();
  for (char* c = text.data() + begin; c != end; ++c) *c = AsciiOf(*c).lower;
}

// Gives how many it has written.
size_t CopyVisibleInLowerCase(std::string_view text, char* to) {
  char* end = to;
  for (char c : text) {
    *end = AsciiOf(c).lower;
    end += AsciiOf(c).is_visible;
  }
  return static_cast<size_t>(end - to);
}

uint32_t HashOf(const char* text, size_t bytes) {
  return static_cast<uint32_t>(absl::HashOf(absl::string_view(text, bytes)));
}

// Nearly every name: what the other forms do leaves ASCII as it is.
bool AppendAsciiLocal(std::string_view local, bool lower_case,
                      std::string& whole) {
  const size_t begin = whole.size();
  whole += local;
  if (lower_case) LowerAscii(whole, begin);
  bool all_visible = true;
  for (char c : local) all_visible &= AsciiOf(c).is_visible;
  return all_visible;
}

// Puts it behind `whole` in its normal form; false where it has none.
bool AppendLocal(std::string_view local, bool lower_case, std::string& whole) {
  if (IsAscii(local)) return AppendAsciiLocal(local, lower_case, whole);
  std::u32string text = MapWidth(DecodeUtf8(local));
  if (lower_case) text = LowerCase(text);
  text = Normalise(UNINORM_NFC, text);
  for (char32_t c : text) {
    // Width mapping may have made an "@" of a full-width one.
    if (!IsIdentifierCharacter(c) || c == '@') return false;
  }
  whole += EncodeUtf8(text);
  return true;
}

bool IsLdhLabel(std::string_view label) {
  constexpr size_t kMaxLabelBytes = 63;
  if (label.empty() || label.size() > kMaxLabelBytes) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  bool all_ldh = true;
  for (char c : label) all_ldh &= AsciiOf(c).is_ldh;
  return all_ldh;
}

bool IsHostName(std::string_view domain) {
  if (domain.size() > kMaxDomainBytes) return false;
  while (true) {
    const size_t dot = domain.find('.');
    if (!IsLdhLabel(domain.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

// The same for a domain.
bool AppendDomain(std::string_view domain, std::string& whole) {
  const size_t begin = whole.size();
  FromMalloc<char> encoded;
  if (!IsAscii(domain)) {
    char* raw = nullptr;
    const int result = idn2_to_ascii_8z(std::string(domain).c_str(), &raw,
                                        IDN2_NONTRANSITIONAL);
    encoded.reset(raw);
    if (result != IDN2_OK) return false;
    domain = raw;
  }
  whole += domain;
  LowerAscii(whole, begin);
  return IsHostName(std::string_view(whole).substr(begin));
}

// Case and compatibility folded; as it is where it isn't UTF-8.
std::string Fold(std::string_view text) {
  size_t length = 0;
  FromMalloc<uint8_t> folded(
      u8_casefold(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                  nullptr, UNINORM_NFKC, nullptr, &length));
  if (folded == nullptr) return std::string(text);
  return std::string(reinterpret_cast<char*>(folded.get()), length);
}

bool CanBeName(std::string_view text, NameUse use) {
  if (text.empty() || text.size() > kMaxLoginNameBytes) return false;
  if (text.find('\0') != std::string_view::npos) return false;
  if (use == NameUse::kLogin &&
      text.find(kMasterSeparator) != std::string_view::npos) {
    return false;
  }
  return IsAscii(text) ||
         u8_check(reinterpret_cast<const uint8_t*>(text.data()), text.size()) ==
             nullptr;
}

}  // namespace

LoginName::LoginName(std::string_view local, std::string_view domain)
    : local_bytes_(local.size()) {
  whole_.reserve(local.size() + 1 + domain.size());
  whole_ = local;
  if (!domain.empty()) whole_.append(1, '@').append(domain);
}

LookupKey LookupKeyOf(std::string_view value) {
  // Without an allocation where it can be a name.
  absl::FixedArray<char, kMaxLoginNameBytes> text(value.size());
  const size_t bytes = CopyVisibleInLowerCase(value, text.data());
  if (bytes == value.size()) return {HashOf(text.data(), bytes), true};
  std::string folded = Fold(value);
  folded.resize(CopyVisibleInLowerCase(folded, folded.data()));
  return {HashOf(folded.data(), folded.size()), false};
}

std::optional<LoginName> ParseLoginName(std::string_view text,
                                        const LoginNameRules& rules,
                                        NameUse use) {
  if (!CanBeName(text, use)) return std::nullopt;
  const size_t at = text.find('@');
  std::string_view local = text.substr(0, at);
  std::string_view domain = rules.default_domain;
  if (at != std::string_view::npos) domain = text.substr(at + 1);
  if (at != std::string_view::npos && domain.empty()) return std::nullopt;
  if (local.empty() && use == NameUse::kLogin) return std::nullopt;

  std::string whole;
  whole.reserve(local.size() + 1 + domain.size());
  if (!AppendLocal(local, rules.lower_case_local, whole)) return std::nullopt;
  // Width mapping may also have made a "*" of a full-width one.
  if (use == NameUse::kLogin &&
      whole.find(kMasterSeparator) != std::string::npos) {
    return std::nullopt;
  }
  const size_t local_bytes = whole.size();
  if (domain.empty()) return LoginName(std::move(whole), local_bytes);
  whole += '@';
  if (!AppendDomain(domain, whole)) return std::nullopt;
  return LoginName(std::move(whole), local_bytes);
}

}  // namespace gatehouse
