// Rules: RFC 9051 §7 and §9 (response), RFC 5530 §3 (response codes).

#include "lib/protocol/imap/imap_response.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

struct StatusWord {
  std::string_view word;
  ImapResponse::Status status;
};
constexpr StatusWord kStatusWords[] = {
    {"OK", ImapResponse::Status::kOk},
    {"NO", ImapResponse::Status::kNo},
    {"BAD", ImapResponse::Status::kBad},
    {"BYE", ImapResponse::Status::kBye},
    {"PREAUTH", ImapResponse::Status::kPreauth},
};

struct RefusalCode {
  std::string_view code;
  LoginRefusal::Kind kind;
};
constexpr RefusalCode kRefusalCodes[] = {
    {"AUTHENTICATIONFAILED", LoginRefusal::Kind::kCredentials},
    {"AUTHORIZATIONFAILED", LoginRefusal::Kind::kAuthorization},
    {"NOPERM", LoginRefusal::Kind::kAuthorization},
    {"EXPIRED", LoginRefusal::Kind::kExpired},
    {"UNAVAILABLE", LoginRefusal::Kind::kUnavailable},
    {"INUSE", LoginRefusal::Kind::kInUse},
    {"LIMIT", LoginRefusal::Kind::kLimit},
    {"OVERQUOTA", LoginRefusal::Kind::kOverQuota},
    {"CONTACTADMIN", LoginRefusal::Kind::kContactAdmin},
    {"PRIVACYREQUIRED", LoginRefusal::Kind::kContactAdmin},
    {"CANNOT", LoginRefusal::Kind::kContactAdmin},
    {"SERVERBUG", LoginRefusal::Kind::kUnavailable},
    {"CLIENTBUG", LoginRefusal::Kind::kUnavailable},
    {"CORRUPTION", LoginRefusal::Kind::kContactAdmin},
};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::string_view TakeWord(std::string_view& text) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

ImapResponse::Status StatusOf(std::string_view word) {
  for (const StatusWord& known : kStatusWords) {
    if (EqualsIgnoringCase(known.word, word)) return known.status;
  }
  return ImapResponse::Status::kNone;
}

// "[CODE text] …": takes the code from the front of the response's text.
void TakeCode(ImapResponse& response) {
  const size_t close = response.text.find(']');
  if (!response.text.starts_with('[') || close == std::string_view::npos) {
    return;
  }
  response.code_text = response.text.substr(1, close - 1);
  response.code = TakeWord(response.code_text);
  response.text.remove_prefix(close + 1);
  if (response.text.starts_with(' ')) response.text.remove_prefix(1);
}

}  // namespace

ImapResponse ParseImapResponse(std::string_view line) {
  ImapResponse response;
  // "+" without a space is met in the field.
  if (line == "+" || line.starts_with("+ ")) {
    response.kind = ImapResponse::Kind::kContinuation;
    response.text = line.substr(std::min<size_t>(line.size(), 2));
    return response;
  }
  const std::string_view tag = TakeWord(line);
  if (tag.empty() || line.empty()) return response;
  response.kind =
      tag == "*" ? ImapResponse::Kind::kUntagged : ImapResponse::Kind::kTagged;
  response.tag = tag;
  response.text = line;
  std::string_view rest = line;
  response.status = StatusOf(TakeWord(rest));
  if (response.status == ImapResponse::Status::kNone) return response;
  response.text = rest;
  TakeCode(response);
  return response;
}

LoginRefusal::Kind RefusalOfCode(std::string_view code) {
  for (const RefusalCode& known : kRefusalCodes) {
    if (EqualsIgnoringCase(known.code, code)) return known.kind;
  }
  return LoginRefusal::Kind::kCredentials;
}

bool IsQuotable(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c < 0x7f; });
}

void AppendQuoted(std::string_view value, std::string& out) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace gatehouse
