#include "benchmarks/load/script.h"

#include "benchmarks/load/sample_data.h"

namespace gatehouse::load {
namespace {

Step Plain(std::string say, std::string answer) {
  return Step{.say = std::move(say), .answer = std::move(answer)};
}

}  // namespace

bool LeadsUpTo(std::string_view line, const Step& step) {
  if (line.starts_with("* ")) return !step.answer.starts_with("* ");
  return line.size() > 3 && line[3] == '-' &&
         step.answer.starts_with(line.substr(0, 3));
}

Script ImapScript() {
  Script script;
  script.login = {Plain("", "* OK"),
                  Plain("a LOGIN user%@example.com secret\r\n", "a OK")};
  script.work = {Plain("b NOOP\r\n", "b OK")};
  script.logout = {Plain("c LOGOUT\r\n", "c OK")};
  return script;
}

Script ImapBulkScript(uint64_t bytes) {
  Script script = ImapScript();
  script.work = {Step{.say = "b XSEND " + std::to_string(bytes) + "\r\n",
                      .bulk_in_bytes = bytes,
                      .answer = "b OK sent"}};
  return script;
}

Script ImapUploadScript(uint64_t bytes) {
  Script script = ImapScript();
  script.work = {Step{.say = "b XTAKE " + std::to_string(bytes) + "\r\n",
                      .bulk_out_bytes = bytes,
                      .answer = "b OK taken"}};
  return script;
}

Script Pop3Script() {
  Script script;
  script.login = {Plain("", "+OK"), Plain("USER user%@example.com\r\n", "+OK"),
                  Plain("PASS secret\r\n", "+OK")};
  script.work = {Plain("NOOP\r\n", "+OK")};
  script.logout = {Plain("QUIT\r\n", "+OK")};
  return script;
}

Script SmtpScript(bool authenticate) {
  Script script;
  script.login = {Plain("", "220"),
                  Plain("EHLO client.example.com\r\n", "250")};
  if (authenticate) {
    // NUL user1@example.com NUL secret
    script.login.push_back(
        Plain("AUTH PLAIN AHVzZXIxQGV4YW1wbGUuY29tAHNlY3JldA==\r\n", "235"));
  }
  script.work = {Plain("MAIL FROM:<sender@example.com>\r\n", "250"),
                 Plain("RCPT TO:<user1@example.com>\r\n", "250"),
                 Plain("DATA\r\n", "354"),
                 Plain(std::string(SampleMessage()) + ".\r\n", "250")};
  script.logout = {Plain("QUIT\r\n", "221")};
  return script;
}

}  // namespace gatehouse::load
