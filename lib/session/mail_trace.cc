// Rules: RFC 5321 §4.4 (trace), §6.3 (loops); RFC 3848 and RFC 6531 §4.3 (the
// words behind "with"); RFC 5322 §2.2.3 (folding).

#include "lib/session/mail_trace.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

// Of a line and of a field so much is looked at: no honest Received: field is
// longer, and a dishonest one isn't worth memory.
constexpr size_t kMostFieldBytes = 4096;

std::string AddressLiteral(const SocketAddress& address) {
  if (!address.is_set()) return "unknown";
  return (address.is_v6() ? "[IPv6:" : "[") + address.AddressText() + "]";
}

std::string ProtocolWord(const MailTrace& trace) {
  if (!trace.esmtp) return "SMTP";
  std::string word = trace.utf8 ? "UTF8SMTP" : "ESMTP";
  if (trace.tls) word += 'S';
  if (trace.authenticated) word += 'A';
  return word;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// The text without its comments (RFC 5322 §3.2.2), in which anybody may claim
// anything about anyone.
std::string WithoutComments(std::string_view text) {
  std::string plain;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && depth > 0) {
      ++i;
    } else if (text[i] == '(') {
      ++depth;
      plain += ' ';
    } else if (text[i] == ')' && depth > 0) {
      --depth;
    } else if (depth == 0) {
      plain += text[i];
    }
  }
  return plain;
}

// The host behind "by"; empty where there is none.
std::string_view ReceivingHost(std::string_view plain) {
  size_t at = 0;
  bool behind_by = false;
  while (at < plain.size()) {
    while (at < plain.size() && IsBlank(plain[at])) ++at;
    const size_t end = std::min(plain.find_first_of(" \t;", at), plain.size());
    const std::string_view word = plain.substr(at, end - at);
    if (behind_by) return word;
    behind_by = absl::EqualsIgnoreCase(ToAbsl(word), "by");
    at = end == plain.size() ? end : end + (plain[end] == ';' ? 1 : 0);
  }
  return {};
}

}  // namespace

std::string FormatReceived(const MailTrace& trace) {
  std::string field = "Received: from " + trace.helo + " (" +
                      AddressLiteral(trace.client) + ")\r\n\tby " +
                      trace.host_name + " with " + ProtocolWord(trace) +
                      " id " + trace.id + ";\r\n\t";
  field += absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", trace.time,
                            absl::UTCTimeZone());
  return field + "\r\n";
}

void HopCounter::Read(std::string_view octets) {
  while (in_header_ && !octets.empty()) {
    const size_t end = octets.find('\n');
    const std::string_view piece = octets.substr(0, end);
    line_ +=
        piece.substr(0, std::min(piece.size(), kMostFieldBytes - line_.size()));
    if (end == std::string_view::npos) return;
    octets.remove_prefix(end + 1);
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    OnLineEnd();
    line_.clear();
  }
}

void HopCounter::OnLineEnd() {
  if (!line_.empty() && IsBlank(line_.front())) {
    field_ += std::string_view(line_).substr(
        0, kMostFieldBytes - std::min(field_.size(), kMostFieldBytes));
    return;
  }
  OnField();
  field_ = line_;
  if (line_.empty()) in_header_ = false;
}

void HopCounter::OnField() {
  const size_t colon = field_.find(':');
  if (colon == std::string::npos) return;
  std::string_view name = std::string_view(field_).substr(0, colon);
  while (!name.empty() && IsBlank(name.back())) name.remove_suffix(1);
  if (!absl::EqualsIgnoreCase(ToAbsl(name), "received")) return;
  ++hops_;
  const std::string plain =
      WithoutComments(std::string_view(field_).substr(colon + 1));
  const std::string_view host = ReceivingHost(plain);
  if (absl::EqualsIgnoreCase(ToAbsl(host), ToAbsl(own_name_))) ++own_hops_;
}

}  // namespace gatehouse
