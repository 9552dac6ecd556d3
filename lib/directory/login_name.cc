#include "lib/directory/login_name.h"

#include <idn2.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

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
  for (unsigned char c : text) {
    if (c >= 0x80) return false;
  }
  return true;
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

bool IsVisibleAscii(char c) { return c >= 0x21 && c <= 0x7e; }

char LowerAsciiOf(char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

void LowerAscii(std::string& text) {
  std::transform(text.begin(), text.end(), text.begin(), LowerAsciiOf);
}

// Nearly every name: what the other forms do leaves ASCII as it is.
std::optional<std::string> NormaliseAsciiLocal(std::string_view local,
                                               bool lower_case) {
  for (char c : local) {
    if (!IsVisibleAscii(c) || c == '@') return std::nullopt;
  }
  std::string normal(local);
  if (lower_case) LowerAscii(normal);
  return normal;
}

std::optional<std::string> NormaliseLocal(std::string_view local,
                                          bool lower_case) {
  if (IsAscii(local)) return NormaliseAsciiLocal(local, lower_case);
  std::u32string text = MapWidth(DecodeUtf8(local));
  if (lower_case) text = LowerCase(text);
  text = Normalise(UNINORM_NFC, text);
  for (char32_t c : text) {
    // Width mapping may have made an "@" of a full-width one.
    if (!IsIdentifierCharacter(c) || c == '@') return std::nullopt;
  }
  return EncodeUtf8(text);
}

bool IsLdhLabel(std::string_view label) {
  constexpr size_t kMaxLabelBytes = 63;
  if (label.empty() || label.size() > kMaxLabelBytes) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  for (char c : label) {
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!allowed) return false;
  }
  return true;
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

std::optional<std::string> NormaliseDomain(std::string_view domain) {
  std::string ascii(domain);
  if (!IsAscii(domain)) {
    char* encoded = nullptr;
    const int result =
        idn2_to_ascii_8z(ascii.c_str(), &encoded, IDN2_NONTRANSITIONAL);
    FromMalloc<char> owner(encoded);
    if (result != IDN2_OK) return std::nullopt;
    ascii = encoded;
  }
  LowerAscii(ascii);
  if (!IsHostName(ascii)) return std::nullopt;
  return ascii;
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

LookupKey LookupKeyOf(std::string value) {
  LookupKey key;
  for (char c : value) key.plain &= IsVisibleAscii(c);
  key.text = key.plain ? std::move(value) : Fold(value);
  LowerAscii(key.text);
  if (!key.plain) {
    std::erase_if(key.text, [](char c) { return !IsVisibleAscii(c); });
  }
  return key;
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

  const auto normal_local = NormaliseLocal(local, rules.lower_case_local);
  if (!normal_local) return std::nullopt;
  // Width mapping may also have made a "*" of a full-width one.
  if (use == NameUse::kLogin &&
      normal_local->find(kMasterSeparator) != std::string::npos) {
    return std::nullopt;
  }
  if (domain.empty()) return LoginName(*normal_local, {});
  const auto normal_domain = NormaliseDomain(domain);
  if (!normal_domain) return std::nullopt;
  return LoginName(*normal_local, *normal_domain);
}

}  // namespace gatehouse
