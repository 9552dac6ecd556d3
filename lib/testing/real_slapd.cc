#include "lib/testing/real_slapd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "lib/base/check.h"

namespace gatehouse {
namespace {

constexpr char kSlapd[] = "/usr/sbin/slapd";
constexpr char kSlapadd[] = "/usr/sbin/slapadd";
constexpr char kSlapcat[] = "/usr/sbin/slapcat";
constexpr char kLdapmodify[] = "/usr/bin/ldapmodify";

constexpr char kGlobalConfig[] =
    "include /etc/ldap/schema/core.schema\n"
    "include /etc/ldap/schema/cosine.schema\n"
    "include /etc/ldap/schema/inetorgperson.schema\n"
    "include /etc/ldap/schema/misc.schema\n"
    "modulepath /usr/lib/ldap\n"
    "moduleload back_mdb\n"
    "moduleload ppolicy\n"
    "moduleload syncprov\n"
    "threads 8\n";

constexpr char kDatabaseConfig[] =
    "database mdb\n"
    "suffix dc=example,dc=com\n"
    "rootdn cn=admin,dc=example,dc=com\n"
    "rootpw admin\n"
    "dbnosync\n"
    "index objectClass,mailLocalAddress,uid eq\n";

constexpr char kSuffixEntry[] =
    "dn: dc=example,dc=com\n"
    "objectClass: dcObject\n"
    "objectClass: organization\n"
    "dc: example\n"
    "o: Example\n\n"
    "dn: ou=people,dc=example,dc=com\n"
    "objectClass: organizationalUnit\n"
    "ou: people\n\n";

void WriteFile(const std::string& path, std::string_view text) {
  std::ofstream(path) << text;
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

pid_t Spawn(const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int output =
      open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void Run(const std::vector<std::string>& words, const std::string& log) {
  int status = -1;
  waitpid(Spawn(words, log), &status, 0);
  GATEHOUSE_CHECK(status == 0, words.front().c_str());
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

uint16_t FreePort() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  close(descriptor);
  return ntohs(address.sin_port);
}

std::string TlsConfig(const RealSlapd::Options& options) {
  if (options.certificate_file.empty()) return "";
  return "TLSCertificateFile " + options.certificate_file +
         "\nTLSCertificateKeyFile " + options.private_key_file + "\n";
}

}  // namespace

RealSlapd::RealSlapd(const Options& options)
    : extra_urls_(options.extra_urls), log_(options.log) {
  const char* parent = std::getenv("TEST_TMPDIR");
  folder_ = std::string(parent == nullptr ? "/tmp" : parent) + "/slapd.XXXXXX";
  GATEHOUSE_CHECK(mkdtemp(folder_.data()) != nullptr, "no temporary folder");
  WriteFile(folder_ + "/slapd.conf",
            kGlobalConfig + TlsConfig(options) + options.global_config +
                kDatabaseConfig + "directory " + folder_ + "/db\n" +
                options.database_config);
  Restore(SuffixLdif() + options.ldif);
  port_ = FreePort();
  if (!options.certificate_file.empty()) {
    do {
      tls_port_ = FreePort();
    } while (tls_port_ == port_);
    extra_urls_ += " " + tls_url();
  }
  Start();
}

RealSlapd::~RealSlapd() {
  Kill();
  std::filesystem::remove_all(folder_);
}

std::string RealSlapd::url() const {
  return "ldap://127.0.0.1:" + std::to_string(port_);
}

std::string RealSlapd::tls_url() const {
  return "ldaps://127.0.0.1:" + std::to_string(tls_port_);
}

std::string RealSlapd::Log() const { return ReadFile(folder_ + "/slapd.log"); }

void RealSlapd::Start() {
  // "-d" also keeps it in the foreground.
  pid_ = Spawn({kSlapd, "-d", log_ ? "stats" : "none", "-f",
                folder_ + "/slapd.conf", "-h", url() + " " + extra_urls_},
               folder_ + "/slapd.log");
  constexpr int kTries = 2000;
  for (int i = 0; i < kTries; ++i) {
    if (Accepts()) return;
    usleep(5000);
  }
  GATEHOUSE_CHECK(false, Log().c_str());
}

bool RealSlapd::Accepts() const {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port_);
  const int result = connect(
      descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  close(descriptor);
  return result == 0;
}

void RealSlapd::Stop() { End(SIGTERM); }
void RealSlapd::Kill() { End(SIGKILL); }

void RealSlapd::End(int signal) {
  if (pid_ == 0) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RealSlapd::Pause() {
  kill(pid_, SIGSTOP);
  waitpid(pid_, nullptr, WUNTRACED);
}

void RealSlapd::Continue() { kill(pid_, SIGCONT); }

std::string RealSlapd::SuffixLdif() { return kSuffixEntry; }

std::string RealSlapd::Dump() const {
  const std::string file = folder_ + "/dump.ldif";
  Run({kSlapcat, "-f", folder_ + "/slapd.conf", "-l", file},
      folder_ + "/slapcat.log");
  return ReadFile(file);
}

void RealSlapd::Restore(std::string_view ldif) {
  std::filesystem::remove_all(folder_ + "/db");
  std::filesystem::create_directory(folder_ + "/db");
  WriteFile(folder_ + "/start.ldif", ldif);
  Run({kSlapadd, "-f", folder_ + "/slapd.conf", "-l", folder_ + "/start.ldif"},
      folder_ + "/slapadd.log");
}

void RealSlapd::Modify(std::string_view ldif) {
  WriteFile(folder_ + "/change.ldif", ldif);
  Run({kLdapmodify, "-x", "-H", url(), "-D", kAdminDn, "-w", kAdminPassword,
       "-f", folder_ + "/change.ldif"},
      folder_ + "/ldapmodify.log");
}

std::string MailEntry(std::string_view uid, std::string_view address,
                      std::string_view password, std::string_view more) {
  std::ostringstream entry;
  entry << "dn: uid=" << uid << ",ou=people,dc=example,dc=com\n"
        << "objectClass: inetOrgPerson\n"
        << "objectClass: inetLocalMailRecipient\n"
        << "uid: " << uid << "\ncn: " << uid << "\nsn: " << uid << "\n"
        << "mailLocalAddress: " << address << "\n"
        << "userPassword: " << password << "\n"
        << more << "\n";
  return entry.str();
}

}  // namespace gatehouse
