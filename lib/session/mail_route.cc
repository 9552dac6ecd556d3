#include "lib/session/mail_route.h"

#include <utility>
#include <vector>

#include "lib/protocol/smtp/smtp_xtext.h"
#include "lib/session/mail_policy.h"
#include "lib/session/upstreams_met.h"

namespace gatehouse {
namespace {

MailUnroutable Unroutable(int code, std::string_view enhanced,
                          std::string_view text) {
  return {MakeSmtpReply(code, enhanced, text), std::nullopt};
}

// Whoever is asked for a recipient: one question after another, with a wait
// where memory doesn't know, then an answer.
class RecipientLocating : public Operation {
 public:
  RecipientLocating(const SessionSettings& settings, const MailSettings& mail,
                    const SmtpRcpt& rcpt,
                    absl::AnyInvocable<void(MailRouteResult)> done)
      : settings_(settings), mail_(mail), rcpt_(rcpt), done_(std::move(done)) {
    SmtpAddress& recipient = rcpt_.recipient;
    if (recipient.domain.empty()) {
      recipient.domain = PostmasterDomain(mail);
    }
    const auto [local_part, domain] = Normalised(recipient);
    local_part_ = local_part;
    questions_.push_back(local_part + "@" + domain);
    const auto plain = WithoutDetail(local_part, mail.recipient_delimiter);
    if (plain) {
      detail_ = local_part.substr(plain->size());
      questions_.push_back(*plain + "@" + domain);
    }
    questions_.push_back("@" + domain);
  }

  // Nothing where Ask() must ask for what isn't known from memory.
  std::optional<MailRouteResult> FromMemory() {
    while (auto known = settings_.directory->LocateNow(questions_[asked_])) {
      if (auto answer = Judge(std::move(*known))) return answer;
    }
    return std::nullopt;
  }

  void Ask() {
    wait_ = settings_.directory->Locate(
        questions_[asked_],
        [this](LocateResult result) { OnLocated(std::move(result)); });
  }

 private:
  void OnLocated(LocateResult result) {
    auto answer = Judge(std::move(result));
    if (!answer) answer = FromMemory();
    if (!answer) return Ask();
    auto done = std::move(done_);
    done(*std::move(answer));
  }

  // Nothing where the next question is to be asked.
  std::optional<MailRouteResult> Judge(LocateResult result) {
    if (auto* failure = std::get_if<Failure>(&result)) {
      MailUnroutable answer =
          Unroutable(451, "4.3.0", "Directory not available, try again later");
      answer.failure = std::move(*failure);
      return answer;
    }
    if (auto* denial = std::get_if<Denial>(&result)) {
      if (*denial != Denial::kNotFound) {
        return Unroutable(550, "5.2.1", "Mailbox disabled");
      }
      if (++asked_ < questions_.size()) return std::nullopt;
      return Route(Location());
    }
    return Route(*std::get<SharedLocation>(result));
  }

  MailRouteResult Route(const Location& location) const {
    if (location.moving) {
      return Unroutable(450, "4.2.1", "Mailbox is being moved");
    }
    const auto target = TargetOf(settings_, location);
    if (!target) return Unroutable(550, "5.1.1", "No such user here");
    MailRoute route;
    route.host = {settings_.protocol, &settings_.upstream, *target, nullptr,
                  mail_.lmtp};
    route.rcpt = rcpt_;
    // To the host as to the directory: it might know the other spelling for
    // another mailbox.
    if (by_own_name()) route.rcpt.recipient.local_part = local_part_;
    if (!location.routing_address.empty()) {
      auto rewritten = Rewritten(location.routing_address);
      if (!rewritten) return BadRoutingAddress(location);
      route.rcpt = std::move(*rewritten);
    }
    return route;
  }

  // And not by its domain's, or nobody's.
  bool by_own_name() const { return asked_ + 1 < questions_.size(); }

  std::optional<SmtpRcpt> Rewritten(std::string_view routing_address) const {
    auto address = ParseSmtpAddress(routing_address);
    if (!address) return std::nullopt;
    if (asked_ > 0 && by_own_name()) address->local_part += detail_;
    SmtpRcpt rewritten = rcpt_;
    rewritten.recipient = std::move(*address);
    if (rewritten.orcpt.empty() && rcpt_.recipient.is_ascii()) {
      rewritten.orcpt = "rfc822;" + EncodeXtext(rcpt_.recipient.ToString());
    }
    return rewritten;
  }

  MailUnroutable BadRoutingAddress(const Location& location) const {
    MailUnroutable answer =
        Unroutable(451, "4.3.5", "Directory entry can't be used");
    answer.failure = Failure{Failure::Side::kDirectory,
                             Failure::Kind::kConfiguration, Failure::Retry::kNo,
                             "not an address: " + location.routing_address};
    return answer;
  }

  const SessionSettings& settings_;
  const MailSettings& mail_;
  SmtpRcpt rcpt_;
  absl::AnyInvocable<void(MailRouteResult)> done_;
  std::string local_part_;              // normalised
  std::string detail_;                  // with its delimiter
  std::vector<std::string> questions_;  // the whole domain last
  size_t asked_ = 0;
  std::unique_ptr<Operation> wait_;
};

}  // namespace

std::string MailHost::Name() const {
  if (relay == nullptr) return TargetName(target);
  return relay->user + "@" + TargetName(target);
}

MailHost HostOf(const MailRelay& relay) {
  return {relay.protocol, &relay.upstream,
          UpstreamTarget{relay.endpoint, relay.upstream.tls}, &relay, false};
}

MailRouting LocateRecipient(const SessionSettings& settings,
                            const MailSettings& mail, const SmtpRcpt& rcpt,
                            absl::AnyInvocable<void(MailRouteResult)> done) {
  auto locating = std::make_unique<RecipientLocating>(settings, mail, rcpt,
                                                      std::move(done));
  if (auto known = locating->FromMemory()) return *std::move(known);
  locating->Ask();
  return locating;
}

}  // namespace gatehouse
