#ifndef GATEHOUSE_BENCHMARKS_LOAD_SCRIPT_H_
#define GATEHOUSE_BENCHMARKS_LOAD_SCRIPT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::load {

// Say something, then wait for the line that answers it.
struct Step {
  std::string say;
  uint64_t bulk_out_bytes = 0;  // of the bulk stream, behind `say`
  uint64_t bulk_in_bytes = 0;   // of the bulk stream, before the answer
  std::string answer;           // how the answer begins
};

// Whether `line` only leads up to the answer: an untagged IMAP reply, or one of
// several lines of an SMTP reply.
bool LeadsUpTo(std::string_view line, const Step& step);

// What a session says, in three parts; a session may be held between the first
// and the second, and the second is repeated.
struct Script {
  std::vector<Step> login;
  std::vector<Step> work;
  std::vector<Step> logout;
};

// "%" in the login steps' `say` stands for the user's number.
Script ImapScript();
Script ImapBulkScript(uint64_t bytes);    // from the store
Script ImapUploadScript(uint64_t bytes);  // to the store
Script Pop3Script();
// One message of 10 KiB. `authenticate`: by AUTH PLAIN first.
Script SmtpScript(bool authenticate);

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_SCRIPT_H_
