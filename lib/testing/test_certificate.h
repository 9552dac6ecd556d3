#ifndef GATEHOUSE_LIB_TESTING_TEST_CERTIFICATE_H_
#define GATEHOUSE_LIB_TESTING_TEST_CERTIFICATE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse {

// A certificate and its key as files, made for one test.
struct TestCertificate {
  std::string certificate_file;
  std::string private_key_file;
};

// A certificate authority for one test: keys are ECDSA P-256, files lie in the
// test's own temporary folder.
class TestAuthority {
 public:
  struct Subject {
    std::string common_name = "test";
    std::vector<std::string> dns_names = {};
    std::vector<std::string> addresses = {};
    std::vector<std::string> rfc822_names = {};
    // More of the subject: a name or an OID, and its value.
    std::vector<std::pair<std::string, std::string>> attributes = {};
    bool expired = false;
    bool self_signed = false;
  };

  TestAuthority();
  ~TestAuthority();

  const std::string& ca_file() const { return ca_file_; }
  TestCertificate Issue(const Subject& subject) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::string ca_file_;
};

// A file of the test's own with this content; gives its path.
std::string WriteTestFile(std::string_view content);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TEST_CERTIFICATE_H_
