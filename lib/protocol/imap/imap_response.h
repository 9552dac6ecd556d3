#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_RESPONSE_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_RESPONSE_H_

#include <string>
#include <string_view>

#include "lib/protocol/events.h"

namespace gatehouse {

// One response line of a mail store (RFC 9051 §7), in place.
struct ImapResponse {
  enum class Kind {
    kTagged,
    kUntagged,
    kContinuation,
    kOther,  // none of them: nothing else is set
  };
  enum class Status { kOk, kNo, kBad, kBye, kPreauth, kNone };

  Kind kind = Kind::kOther;
  std::string_view tag;  // kTagged
  Status status = Status::kNone;
  std::string_view code;       // "CAPABILITY" of "[CAPABILITY IMAP4rev1 …]"
  std::string_view code_text;  // "IMAP4rev1 …"
  // Behind status and code; for untagged data everything behind "* ", for a
  // continuation everything behind "+ ".
  std::string_view text;
};

// `line` without its CRLF; the response points into it.
ImapResponse ParseImapResponse(std::string_view line);

// What a store's tagged NO means (RFC 5530 §3). A NO without a code that we
// know is a wrong password: that is all that old stores have.
LoginRefusal::Kind RefusalOfCode(std::string_view code);

// `value` as a quoted string; only for values where IsQuotable().
void AppendQuoted(std::string_view value, std::string& out);
// Printable ASCII only: a quoted string takes no other octets (RFC 3501 §9),
// and can't then break a line.
bool IsQuotable(std::string_view value);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_RESPONSE_H_
