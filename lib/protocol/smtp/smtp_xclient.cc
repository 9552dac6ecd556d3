#include "lib/protocol/smtp/smtp_xclient.h"

#include "lib/protocol/smtp/smtp_xtext.h"

namespace gatehouse {
namespace {

// A name of RFC 1035 isn't longer; and the command stays far below the 512
// octets that a line may have (RFC 5321 §4.5.3.1.4).
constexpr size_t kLongestHeloBytes = 255;

std::string AddressAttribute(const SocketAddress& address) {
  return (address.is_v6() ? "IPV6:" : "") + address.AddressText();
}

}  // namespace

std::string SmtpXclient(const ClientFacts& client, std::string_view login,
                        const SmtpKeywordLines& offered) {
  constexpr std::string_view kUnavailable = "[UNAVAILABLE]";
  std::string command = "XCLIENT";
  const auto add = [&](std::string_view attribute, std::string_view value) {
    if (!HasSmtpParameter(offered, "XCLIENT", attribute)) return;
    command.append(" ").append(attribute).append("=").append(value);
  };
  add("NAME", kUnavailable);
  if (client.client.is_set()) {
    const SocketAddress address = client.client.Unmapped();
    add("ADDR", AddressAttribute(address));
    add("PORT", std::to_string(address.port()));
  } else {
    add("ADDR", kUnavailable);
  }
  add("PROTO", client.esmtp ? "ESMTP" : "SMTP");
  const bool has_helo =
      !client.helo.empty() && client.helo.size() <= kLongestHeloBytes;
  add("HELO", has_helo ? EncodeXtext(client.helo) : std::string(kUnavailable));
  if (!login.empty()) add("LOGIN", EncodeXtext(login));
  return command;
}

}  // namespace gatehouse
