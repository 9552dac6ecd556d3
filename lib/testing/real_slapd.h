#ifndef GATEHOUSE_LIB_TESTING_REAL_SLAPD_H_
#define GATEHOUSE_LIB_TESTING_REAL_SLAPD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse {

// A slapd of the machine's own on a loopback port, with its database in a
// folder of the test's: suffix dc=example,dc=com with that entry in it,
// administrator cn=admin,dc=example,dc=com with the password "admin", schemas
// core, cosine, inetorgperson and misc. Ends with this object; a failure to
// start ends the test.
class RealSlapd {
 public:
  struct Options {
    std::string ldif;           // loaded before the start
    std::string global_config;  // slapd.conf lines before the database
    std::string database_config;
    std::string extra_urls;  // listened on besides the loopback port
    // PEM; where given, it takes StartTLS, and TLS on a port of its own.
    std::string certificate_file;
    std::string private_key_file;
    bool log = true;  // false: Log() stays empty, and slapd is quicker
  };

  explicit RealSlapd(const Options& options);
  RealSlapd(const RealSlapd&) = delete;
  RealSlapd& operator=(const RealSlapd&) = delete;
  ~RealSlapd();

  static constexpr char kAdminDn[] = "cn=admin,dc=example,dc=com";
  static constexpr char kAdminPassword[] = "admin";

  std::string url() const;
  std::string tls_url() const;  // with a certificate only
  const std::string& folder() const { return folder_; }
  // What it logged of connections, operations and results.
  std::string Log() const;

  void Start();  // on the same port; returns when it accepts
  void Stop();   // orderly
  void Kill();
  void Pause();  // SIGSTOP: connections are accepted, and nothing is answered
  void Continue();

  // The entry of the suffix, and ou=people below it.
  static std::string SuffixLdif();
  // The entries as LDIF with their operational attributes; while it is stopped.
  std::string Dump() const;
  // Puts them in place of all that there is; while it is stopped.
  void Restore(std::string_view ldif);

  // Changes entries, written as for ldapmodify(1).
  void Modify(std::string_view ldif);

 private:
  void End(int signal);
  bool Accepts() const;

  std::string folder_;
  std::string extra_urls_;
  bool log_ = true;
  uint16_t port_ = 0;
  uint16_t tls_port_ = 0;
  pid_t pid_ = 0;
};

// An LDIF entry as the LASER rules want it, below ou=people.
std::string MailEntry(std::string_view uid, std::string_view address,
                      std::string_view password, std::string_view more);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_REAL_SLAPD_H_
