#include "lib/session/mail_policy.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/directory/login_name.h"

namespace gatehouse {
namespace {

bool IsRouted(std::string_view local_part) {
  return local_part.find_first_of("%!@") != std::string_view::npos;
}

bool Owns(const MailSettings& settings, const std::string& owned,
          const SmtpAddress& sender) {
  if (!owned.empty() && owned.front() == '@') {
    return absl::EqualsIgnoreCase(ToAbsl(std::string_view(owned).substr(1)),
                                  ToAbsl(sender.domain));
  }
  if (absl::EqualsIgnoreCase(owned, sender.ToString())) return true;
  const auto plain =
      WithoutDetail(sender.local_part, settings.recipient_delimiter);
  return plain && absl::EqualsIgnoreCase(
                      owned, SmtpAddress{*plain, sender.domain}.ToString());
}

}  // namespace

std::string ToAsciiDomain(std::string_view domain) {
  const bool ascii = std::all_of(domain.begin(), domain.end(),
                                 [](unsigned char c) { return c < 0x80; });
  if (ascii) return std::string(domain);
  const auto name =
      ParseLoginName("@" + std::string(domain), {}, NameUse::kAddress);
  return std::string(name ? name->domain() : std::string_view());
}

SmtpAddress Normalised(const SmtpAddress& address) {
  const std::string domain = ToAsciiDomain(address.domain);
  const auto name =
      ParseLoginName(address.local_part + "@" + domain, {}, NameUse::kAddress);
  return name ? SmtpAddress{std::string(name->local()),
                            std::string(name->domain())}
              : SmtpAddress{address.local_part, domain};
}

bool IsLocalDomain(const MailSettings& settings, std::string_view domain) {
  const std::string ascii = ToAsciiDomain(domain);
  return std::any_of(
      settings.local_domains.begin(), settings.local_domains.end(),
      [&](const std::string& local) {
        if (local.empty() || local.front() != '.') return local == ascii;
        return ascii.size() > local.size() && absl::EndsWith(ascii, local);
      });
}

std::string PostmasterDomain(const MailSettings& settings) {
  const auto& domains = settings.local_domains;
  const auto found = std::find_if(
      domains.begin(), domains.end(),
      [](const auto& domain) { return !absl::StartsWith(domain, "."); });
  return found != domains.end() ? *found : domains.front().substr(1);
}

std::optional<std::string> WithoutDetail(std::string_view local_part,
                                         std::string_view delimiter) {
  if (delimiter.empty()) return std::nullopt;
  const size_t at = local_part.find(delimiter);
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return std::string(local_part.substr(0, at));
}

bool MaySendAs(const MailSettings& settings, const MailParty& party,
               const std::optional<SmtpAddress>& sender) {
  if (party.role == MailRole::kInbound) return true;
  if (settings.sender_check == SenderCheck::kOff || !sender) return true;
  const SmtpAddress named = Normalised(*sender);
  return std::any_of(
      party.addresses.begin(), party.addresses.end(),
      [&](const std::string& own) { return Owns(settings, own, named); });
}

MailVerdict JudgeMail(const MailSettings& settings, const MailParty& party,
                      const std::optional<SmtpAddress>& sender,
                      const SmtpAddress& recipient) {
  const bool submission = party.role == MailRole::kSubmission;
  if (submission && !party.authenticated) return MailVerdict::kLoginFirst;
  if (!MaySendAs(settings, party, sender)) return MailVerdict::kSenderNotOwned;
  if (recipient.domain.empty()) {
    return settings.local_domains.empty() ? MailVerdict::kRelayDenied
                                          : MailVerdict::kLocal;
  }
  if (IsLocalDomain(settings, recipient.domain)) {
    return IsRouted(recipient.local_part) ? MailVerdict::kRelayDenied
                                          : MailVerdict::kLocal;
  }
  return submission && settings.relay_host != nullptr
             ? MailVerdict::kRelay
             : MailVerdict::kRelayDenied;
}

SmtpReply ReplyTo(MailVerdict verdict) {
  switch (verdict) {
    case MailVerdict::kLoginFirst:
      return MakeSmtpReply(530, "5.7.0", "Authentication required");
    case MailVerdict::kSenderNotOwned:
      return MakeSmtpReply(553, "5.7.1", "Not an address of this account");
    case MailVerdict::kLocal:
    case MailVerdict::kRelay:
    case MailVerdict::kRelayDenied:
      break;
  }
  return MakeSmtpReply(554, "5.7.1", "Relay access denied");
}

}  // namespace gatehouse
