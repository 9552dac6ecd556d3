#ifndef GATEHOUSE_LIB_DIRECTORY_LOGIN_NAME_H_
#define GATEHOUSE_LIB_DIRECTORY_LOGIN_NAME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gatehouse {

// RFC 5321 §4.5.3.1: 64 octets of local part, "@", 255 of domain. What is
// longer can be nobody's name, and isn't sent to a directory.
inline constexpr size_t kMaxLoginNameBytes = 320;

// A name as the directory is asked for it: normalised, in two parts.
class LoginName {
 public:
  LoginName() = default;
  // `domain`: A-labels in lower case; empty for a bare name.
  LoginName(std::string_view local, std::string_view domain);
  // `whole`: the local part of so many bytes, then nothing, or "@" and domain.
  LoginName(std::string whole, size_t local_bytes)
      : whole_(std::move(whole)), local_bytes_(local_bytes) {}

  std::string_view local() const {
    return std::string_view(whole_).substr(0, local_bytes_);
  }
  std::string_view domain() const {
    if (whole_.size() == local_bytes_) return {};
    return std::string_view(whole_).substr(local_bytes_ + 1);
  }
  // "local@domain", "@domain" or "local".
  const std::string& Whole() const { return whole_; }

  friend bool operator==(const LoginName&, const LoginName&) = default;

 private:
  std::string whole_;
  size_t local_bytes_ = 0;
};

struct LoginNameRules {
  // Put behind a bare login name; empty: bare names stay bare.
  std::string default_domain;
  // Local parts are case-sensitive by RFC 5321 §2.4 and in practice never are;
  // a directory's matching rule usually decides. For maps that match exactly.
  bool lower_case_local = false;
};

enum class NameUse {
  kLogin,    // what a client logs in with
  kAddress,  // an envelope address, or "@domain" for a whole domain
};

// Splits and normalises what a client sent. Nothing where it can't be a name:
//  - empty, longer than kMaxLoginNameBytes, or not UTF-8;
//  - more than one "@", an empty domain, an empty local part (but for "@domain"
//    as kAddress);
//  - a character that RFC 8264's IdentifierClass (§4.2) disallows in the local
//    part: controls, spaces, soft hyphens and other invisible ones, symbols;
//    or one that is allowed in certain surroundings only (CONTEXTJ, CONTEXTO);
//  - "*" in a login: other servers split "user*master" there, so it must not
//    reach an upstream with a replayed login;
//  - a domain that isn't LDH labels after IDNA2008 (UTS 46, non-transitional),
//    or ends in a dot.
// The local part is brought to RFC 8265's UsernameCasePreserved form (§3.4):
// full-width letters become plain ones, then NFC; with lower_case_local to
// UsernameCaseMapped (§3.3). So two spellings of one name ask for one entry.
std::optional<LoginName> ParseLoginName(std::string_view text,
                                        const LoginNameRules& rules,
                                        NameUse use = NameUse::kLogin);

// What stands for a value where values are looked up as a directory compares
// them that ignores case and invisible characters (RFC 4518).
struct LookupKey {
  // The same for all values that may match each other, and for few others; in
  // another process another one.
  uint32_t hash = 0;
  // The value is of visible ASCII characters only: another plain one matches it
  // exactly where they differ in case alone. What one that isn't plain matches
  // is the directory's to say.
  bool plain = true;
};
LookupKey LookupKeyOf(std::string_view value);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LOGIN_NAME_H_
