#include "benchmarks/load/imap_store.h"

#include <algorithm>
#include <charconv>

#include "benchmarks/load/sample_data.h"

namespace gatehouse::load {
namespace {

#define STORE_CAPABILITIES \
  "CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID ENABLE LITERAL+ IDLE"

uint64_t NumberIn(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Whether the line announces a literal (RFC 3501 §4.3, RFC 7888).
bool EndsInLiteral(std::string_view line, size_t& length, bool& awaits_answer) {
  size_t open = line.rfind('{');
  if (line.empty() || line.back() != '}' || open == line.npos) return false;
  length = NumberIn(line.substr(open + 1));
  awaits_answer = line[line.size() - 2] != '+';
  return true;
}

}  // namespace

std::string_view ImapStore::Greeting() const {
  return "* OK [" STORE_CAPABILITIES "] store ready\r\n";
}

size_t ImapStore::Take(std::string_view input, StoreReply& reply) {
  if (bulk_seen_ < bulk_expected_) return TakeBulk(input, reply);
  size_t size = CommandSize(input, reply);
  if (size == 0) return 0;
  if (waiting_tag_.empty()) {
    Answer(input.substr(0, size - 2), reply);
  } else {
    AnswerSasl(reply);
  }
  return size;
}

size_t ImapStore::CommandSize(std::string_view input, StoreReply& reply) {
  size_t at = 0;
  for (int literals = 0;; ++literals) {
    size_t line_end = input.find("\r\n", at);
    if (line_end == input.npos) return 0;
    size_t length = 0;
    bool awaits_answer = false;
    if (!EndsInLiteral(input.substr(at, line_end - at), length,
                       awaits_answer)) {
      literals_answered_ = 0;
      return line_end + 2;
    }
    if (literals == literals_answered_) {
      ++literals_answered_;
      if (awaits_answer) reply.text += "+ OK\r\n";
    }
    at = line_end + 2 + length;
    if (at > input.size()) return 0;
  }
}

size_t ImapStore::TakeBulk(std::string_view input, StoreReply& reply) {
  input = input.substr(0, bulk_expected_ - bulk_seen_);
  if (!IsBulkAt(bulk_seen_, input)) bulk_damaged_ = true;
  bulk_seen_ += input.size();
  if (bulk_seen_ == bulk_expected_) {
    if (bulk_damaged_) ++counts_.damaged;
    reply.text = waiting_tag_ + (bulk_damaged_ ? " NO damaged" : " OK taken");
    reply.text += "\r\n";
    waiting_tag_.clear();
  }
  return input.size();
}

void ImapStore::Answer(std::string_view line, StoreReply& reply) {
  size_t space = std::min(line.find(' '), line.size());
  std::string tag(line.substr(0, space));
  line.remove_prefix(std::min(space + 1, line.size()));
  std::string verb = TakeVerb(line);
  if (verb == "XSEND") {
    reply.bulk_bytes = NumberIn(line);
    reply.tail = tag + " OK sent\r\n";
    return;
  }
  if (verb == "XTAKE") {
    bulk_expected_ = NumberIn(line);
    bulk_seen_ = 0;
    bulk_damaged_ = false;
    waiting_tag_ = tag;
    return;
  }
  if (verb == "AUTHENTICATE" && line.find(' ') == line.npos) {
    waiting_tag_ = tag;
    reply.text += "+ \r\n";
    return;
  }
  if (verb == "LOGIN" || verb == "AUTHENTICATE") {
    ++counts_.logins;
    reply.text += tag + " OK [" STORE_CAPABILITIES "] logged in\r\n";
    return;
  }
  if (verb == "CAPABILITY") reply.text += "* " STORE_CAPABILITIES "\r\n";
  if (verb == "ID") reply.text += "* ID NIL\r\n";
  if (verb == "LOGOUT") reply.text += "* BYE logging out\r\n";
  reply.close = verb == "LOGOUT";
  reply.text += tag + " OK done\r\n";
}

void ImapStore::AnswerSasl(StoreReply& reply) {
  ++counts_.logins;
  reply.text += waiting_tag_ + " OK [" STORE_CAPABILITIES "] logged in\r\n";
  waiting_tag_.clear();
}

}  // namespace gatehouse::load
