#include "lib/directory/crypt_password.h"

#include <crypt.h>
#include <string.h>
#include <sys/random.h>

#include <array>
#include <string_view>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

constexpr char kSha512[] = "$6$";
constexpr unsigned long kFewestRounds = 1000;

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

// Empty where crypt(3) refuses.
std::string Crypt(const Secret& secret, const char* setting) {
  std::string password(secret.Reveal());
  crypt_data data{};
  const char* result = crypt_r(password.c_str(), setting, &data);
  // What begins with "*" is a failure in disguise.
  std::string hash =
      result == nullptr || *result == '*' ? std::string() : result;
  WipeString(password);
  explicit_bzero(&data, sizeof(data));
  return hash;
}

}  // namespace

bool IsCheckable(const Secret& secret) {
  return !secret.empty() &&
         secret.Reveal().find('\0') == std::string_view::npos;
}

bool MatchesCrypt(const Secret& secret, const std::string& hash) {
  const std::string result = Crypt(secret, hash.c_str());
  return !result.empty() && EqualInConstantTime(result, hash);
}

KeyedCrypt::KeyedCrypt() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, 16> random;
  GATEHOUSE_CHECK(getrandom(random.data(), random.size(), 0) ==
                      static_cast<ssize_t>(random.size()),
                  "the kernel has no random numbers");
  std::string key;
  for (unsigned char octet : random) {
    key += kDigits[octet >> 4];
    key += kDigits[octet & 15];
  }
  key_ = Secret(key);
  WipeString(key);
  explicit_bzero(random.data(), random.size());
}

Secret KeyedCrypt::WithKey(const Secret& secret) const {
  std::string text(key_.Reveal());
  text.reserve(text.size() + secret.Reveal().size());
  text += secret.Reveal();
  Secret joined(text);
  WipeString(text);
  return joined;
}

std::string KeyedCrypt::Hash(const Secret& secret) const {
  const size_t size = key_.Reveal().size() + secret.Reveal().size();
  if (!IsCheckable(secret) || size >= CRYPT_MAX_PASSPHRASE_SIZE) return "";
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn(kSha512, kFewestRounds, nullptr, 0, setting,
                       sizeof(setting)) == nullptr) {
    return "";
  }
  return Crypt(WithKey(secret), setting);
}

bool KeyedCrypt::Matches(const Secret& secret, const std::string& hash) const {
  return IsCheckable(secret) && MatchesCrypt(WithKey(secret), hash);
}

}  // namespace gatehouse
