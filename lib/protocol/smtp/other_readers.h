#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_OTHER_READERS_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_OTHER_READERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// What other servers make of the octets behind DATA, written apart from
// SmtpBodyReader so that tests can compare: wherever they would see something
// else in what we took or wrote, one message could be smuggled inside of
// another.
struct WireMessage {
  std::string octets;  // without stuffed dots
  size_t size = 0;     // on the wire, with the end

  bool operator==(const WireMessage&) const = default;
};

// By the letter of RFC 5321 §4.1.1.4: up to the first CRLF.CRLF. Nothing where
// there is no end.
std::optional<WireMessage> ReadStrictly(std::string_view wire);

// By the habits of all servers that were ever smuggled through together: CRLF,
// LF, CR, and CRs before an LF end a line, each may stand around the dot, and
// NULs count nothing. In `octets` every line ends in CRLF.
std::optional<WireMessage> ReadLeniently(std::string_view wire);

// Commands and messages as a server takes them that ends every line as
// ReadLeniently() does, or at CRLF only: MAIL and RCPT lines as they stand,
// then the message's octets. Nothing where anything else comes, or it ends
// midway.
struct WireTransaction {
  std::vector<std::string> commands;
  std::string octets;

  bool operator==(const WireTransaction&) const = default;
};
using WireTransactions = std::vector<WireTransaction>;
std::optional<WireTransactions> ReadTransactionsStrictly(std::string_view wire);
std::optional<WireTransactions> ReadTransactionsLeniently(
    std::string_view wire);

// Dots doubled at the start of lines that CRLF ended, and the end added.
std::string StuffStrictly(std::string_view message);

// No CR without its LF, no LF without its CR, no NUL.
bool IsSoundMessage(std::string_view message);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_OTHER_READERS_H_
