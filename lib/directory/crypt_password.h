#ifndef GATEHOUSE_LIB_DIRECTORY_CRYPT_PASSWORD_H_
#define GATEHOUSE_LIB_DIRECTORY_CRYPT_PASSWORD_H_

#include <string>

#include "lib/base/secret.h"

namespace gatehouse {

// False for an empty password and one with NUL in it: an LDAP server takes the
// first for an anonymous bind (RFC 4513 §5.1.2), and C strings cut the second.
// Such a password never reaches a check.
bool IsCheckable(const Secret& secret);

// Whether `secret`, which is checkable, belongs to the crypt(3) hash; compared
// in constant time. Takes milliseconds: not for a loop.
bool MatchesCrypt(const Secret& secret, const std::string& hash);

// Hashes for passwords that are kept in memory only: salted each, and keyed by
// a random key that was never anywhere else. Immutable, so safe for any number
// of threads.
//
// The hash is SHA-512 crypt with its fewest rounds, about half a millisecond.
// Whoever reads the memory of this process sees the key too, and the passwords
// of the logins under way; the rounds only make him pay for each guess at a
// password that isn't. A dearer hash (yescrypt takes 3 ms at the least) would
// cost more than the bind that it saves.
class KeyedCrypt {
 public:
  KeyedCrypt();

  // Empty where the secret isn't checkable, or longer than crypt(3) takes.
  // Not for a loop.
  std::string Hash(const Secret& secret) const;
  // Not for a loop.
  bool Matches(const Secret& secret, const std::string& hash) const;

 private:
  Secret WithKey(const Secret& secret) const;

  Secret key_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_CRYPT_PASSWORD_H_
