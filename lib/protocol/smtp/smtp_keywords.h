#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_KEYWORDS_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_KEYWORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// Lines of an EHLO answer (RFC 5321 §4.1.1.1), without their code: a keyword
// and its parameters.
using SmtpKeywordLines = std::vector<std::string>;

// The line of `keyword`, in whatever case; null where there is none.
const std::string* FindSmtpKeyword(const SmtpKeywordLines& lines,
                                   std::string_view keyword);

// Whether `parameter` stands behind `keyword`: a mechanism of AUTH, an
// attribute of XCLIENT.
bool HasSmtpParameter(const SmtpKeywordLines& lines, std::string_view keyword,
                      std::string_view parameter);

// The mechanisms of AUTH.
std::vector<std::string> SmtpMechanisms(const SmtpKeywordLines& lines);

// The extensions that change what MAIL and RCPT may say.
struct SmtpExtensions {
  bool pipelining = false;       // RFC 2920
  bool eight_bit_mime = false;   // RFC 6152
  bool utf8 = false;             // RFC 6531
  bool dsn = false;              // RFC 3461
  bool prdr = false;             // draft-hall-prdr
  bool auth = false;             // RFC 4954
  std::optional<uint64_t> size;  // RFC 1870; 0: without a limit
};
SmtpExtensions ReadSmtpExtensions(const SmtpKeywordLines& lines);

// What both of two servers promise: SIZE with the smaller limit, AUTH with the
// mechanisms of both, others where both have them.
SmtpKeywordLines CommonSmtpKeywords(const SmtpKeywordLines& a,
                                    const SmtpKeywordLines& b);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_KEYWORDS_H_
