#ifndef GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PARSER_H_
#define GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PARSER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/byte_queue.h"
#include "lib/base/secret.h"

namespace gatehouse {

// A piece of a ManageSieve line (RFC 5804 §4).
struct SieveWord {
  enum class Kind {
    kAtom,    // AUTHENTICATE, OK, 120, QUOTA/MAXSIZE
    kString,  // quoted or literal, decoded
    kOpen,    // "(" and ")" around a response code
    kClose,
  };
  Kind kind = Kind::kAtom;
  Secret text;  // may be a password in base64

  bool IsString() const { return kind == Kind::kString; }
  // An atom that says `name`, in whatever case.
  bool Is(std::string_view name) const;
};

// Cuts ManageSieve lines, with the literals that continue them, from a queue
// of octets and splits them into words: for both sides of the conversation.
//
// Literals are "{n+}" from clients and "{n}" from servers; both are taken from
// both, since neither asks the other side to go on (RFC 5804 §1.2).
class SieveParser {
 public:
  // One line with all its literals may have `line_bytes`, of which one literal
  // may have `literal_bytes`.
  SieveParser(size_t line_bytes, size_t literal_bytes)
      : line_bytes_(line_bytes), literal_bytes_(literal_bytes) {}

  enum class Status {
    kNeedData,
    kLine,     // consumed, `words` hold it (an empty line has none)
    kBadLine,  // consumed: not this grammar
    kTooLong,  // a limit; nothing sensible can follow
  };
  // Looks at each octet once, however often it is called.
  Status Next(ByteQueue& input, std::vector<SieveWord>& words);

  // Forgets a half-read line, after the queue was emptied.
  void Reset();

 private:
  bool FindEnd(std::string_view bytes);
  bool StepOverLiteral(std::string_view physical_line);

  const size_t line_bytes_;
  const size_t literal_bytes_;
  size_t scanned_ = 0;     // octets of the queue's front that were looked at
  size_t line_start_ = 0;  // of the physical line being scanned
  bool in_quotes_ = false;
  bool escaped_ = false;
  bool too_long_ = false;
};

// `text` as a string: quoted where it may be, else a literal ("{n}", or "{n+}"
// from a client).
enum class SieveSender { kClient, kServer };
void AppendSieveString(std::string_view text, SieveSender sender,
                       std::string& out);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SIEVE_SIEVE_PARSER_H_
