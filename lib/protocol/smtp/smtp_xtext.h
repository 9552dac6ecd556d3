#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XTEXT_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XTEXT_H_

#include <string>
#include <string_view>

namespace gatehouse {

// xtext (RFC 3461 §4): printable ASCII, with "+", "=" and everything else as
// "+" and two hexadecimal digits. What it holds can't end a word or a line.
bool IsXtext(std::string_view text);
std::string EncodeXtext(std::string_view octets);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_XTEXT_H_
