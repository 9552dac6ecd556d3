#ifndef GATEHOUSE_LIB_PROTOCOL_HTTP_REQUEST_H_
#define GATEHOUSE_LIB_PROTOCOL_HTTP_REQUEST_H_

#include <string_view>

namespace gatehouse {

// Whether a first line is a web browser's: one that an attacker's page sends
// here so that a form's text is read as commands (ALPACA and older). The only
// safe answer is to close at once.
constexpr bool IsHttpRequest(std::string_view line) {
  for (const std::string_view method :
       {"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "CONNECT ", "DELETE ",
        "PATCH ", "TRACE ", "Host: "}) {
    if (line.starts_with(method)) return true;
  }
  return false;
}

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_HTTP_REQUEST_H_
