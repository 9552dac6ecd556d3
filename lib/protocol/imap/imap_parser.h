#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PARSER_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PARSER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/secret.h"
#include "lib/protocol/line_framer.h"

namespace gatehouse {

// What a client may send before login (RFC 9051 §9, RFC 3501 §9), in place: no
// octet is copied before it is known to be wanted.

// --- Framing -----------------------------------------------------------------

// Finds where a command ends: its lines, and the literals between them
// (RFC 9051 §4.3, RFC 7888). Literals are found before anything is understood,
// so an octet of a literal is never taken for a command.
class ImapCommandFramer {
 public:
  struct Limits {
    size_t line_bytes;     // all lines of one command together
    size_t literal_bytes;  // one literal
  };
  // LOGIN takes two; ID could have more, and nobody sends them.
  static constexpr int kMostLiterals = 4;

  explicit ImapCommandFramer(Limits limits);

  enum class Status {
    kNeedData,
    kCommand,  // complete
    kBroken,   // complete, with a line that isn't one (see LineFramer)
    // The line announces a synchronizing literal: the client waits. Call
    // AcceptLiteral(), or refuse the command and Restart() behind `size`.
    kLiteral,
    kLiteralTooLarge,  // as kLiteral, but must be refused
    // What can't be stepped over: a line without end, or a literal that comes
    // unasked (LITERAL+) and is too large.
    kLineTooLong,
    kUnaskedLiteralTooLarge,
  };
  struct Result {
    Status status = Status::kNeedData;
    size_t size = 0;  // from the command's first octet on
  };

  // `bytes`: everything unread from the command's first octet on.
  Result Find(std::string_view bytes);

  // After kLiteral: it will follow.
  void AcceptLiteral();

  // The next Find() begins a command.
  void Restart();

 private:
  Result OnLine(const LineFramer::Result& found);
  Result OnLiteral(std::string_view line);

  Limits limits_;
  LineFramer line_framer_;
  size_t line_begin_ = 0;  // where the line under way, or its literal, begins
  size_t text_bytes_ = 0;  // of the lines before
  size_t literal_bytes_ = 0;  // between line_begin_ and the next line
  size_t announced_bytes_ = 0;
  int literals_ = 0;
};

// --- Reading -----------------------------------------------------------------

// A string as it stands in the input.
struct ImapString {
  std::string_view octets;
  bool has_quoted_pairs = false;  // `octets` still holds the backslashes

  std::string ToText() const;
  Secret ToSecret() const;
};

// Takes tokens from the front of a command. Each Take gives nothing, and takes
// nothing, where the token isn't there.
class ImapReader {
 public:
  explicit ImapReader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  bool TakeSpace() { return TakeOctet(' '); }
  bool TakeOctet(char octet);
  // Case doesn't matter.
  bool TakeWord(std::string_view word);

  // At most 64 octets: tags come back in our answers.
  std::optional<std::string_view> TakeTag();
  std::optional<std::string_view> TakeAtom();
  // Quoted or literal. Without NUL. A quoted string may hold 8-bit octets: old
  // clients send them, and they mean what they would mean in a literal.
  std::optional<ImapString> TakeString();
  std::optional<ImapString> TakeAstring();
  // Everything up to the next space.
  std::string_view TakeUntilSpace();

 private:
  template <typename Predicate>
  std::optional<std::string_view> TakeWhile(Predicate predicate);
  std::optional<ImapString> TakeQuoted();
  std::optional<ImapString> TakeLiteral();

  std::string_view rest_;
};

// The number in "{123}" or "{123+}" at the end of `line`. A number too large to
// hold is given as the largest.
struct ImapLiteralMark {
  size_t bytes;
  bool synchronizing;
  size_t mark_begin;  // where the brace stands in the line
};
std::optional<ImapLiteralMark> FindLiteralMark(std::string_view line);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_PARSER_H_
