#include "lib/session/mail_login.h"

#include <utility>

#include "lib/session/login_refusal.h"

namespace gatehouse {

MailLogin::MailLogin(Network& network, LogSink& log,
                     const SessionSettings& settings, SessionRecord& record,
                     LoginAttempt attempt,
                     absl::AnyInvocable<void(Verdict)> done)
    : network_(network),
      log_(log),
      settings_(settings),
      record_(record),
      attempt_(std::move(attempt)),
      done_(std::move(done)),
      began_(network.Now()) {}

void MailLogin::Start() {
  record_.mechanism = attempt_.mechanism;
  record_.user.clear();
  record_.master = "";
  if (HasFailedTooOften(settings_, record_, began_)) {
    return Refuse(LoginRefusal::Kind::kLimit);
  }
  auto identified = IdentifyLogin(attempt_, settings_.names, settings_.masters);
  if (auto* refused = std::get_if<LoginRefusal::Kind>(&identified)) {
    return Refuse(*refused);
  }
  identity_ = std::move(std::get<LoginIdentity>(identified));
  record_.master = identity_.master;
  if (attempt_.credentials == Credentials::kExternal)
    return Locate(identity_.user);
  wait_ = settings_.directory->Authenticate(
      identity_.password_owner(), attempt_.secret,
      [this](AuthenticateResult result) {
        OnAuthenticated(std::move(result));
      });
}

void MailLogin::Locate(std::string_view user) {
  wait_ = settings_.directory->Locate(
      user, [this](LocateResult result) { OnLocated(std::move(result)); });
}

void MailLogin::OnAuthenticated(AuthenticateResult result) {
  attempt_.secret.Wipe();
  record_.directory = network_.Now() - began_;
  if (auto* denial = std::get_if<Denial>(&result)) {
    // It says nothing of a user whose master it is about.
    return OnDenied(*denial, identity_.master.empty() ? identity_.user : "");
  }
  if (auto* failure = std::get_if<Failure>(&result)) return OnFailure(*failure);
  Account& account = std::get<Account>(result);
  if (!identity_.master.empty()) {
    record_.master = account.user;
    return Locate(identity_.user);
  }
  record_.user = account.user;
  if (account.location) return done_(*account.location);
  Locate(record_.user);
}

void MailLogin::OnLocated(LocateResult result) {
  record_.directory = network_.Now() - began_;
  if (auto* failure = std::get_if<Failure>(&result)) return OnFailure(*failure);
  if (auto* denial = std::get_if<Denial>(&result)) {
    // But neither a master nor a certificate speaks for who isn't known.
    const bool own_password = attempt_.credentials == Credentials::kPassword &&
                              identity_.master.empty();
    if (*denial != Denial::kNotFound || !own_password) {
      return OnDenied(*denial, identity_.user);
    }
    Location unknown;  // somebody who has no mailbox here may still send
    unknown.user = record_.user;
    return done_(std::move(unknown));
  }
  const Location& location = *std::get<SharedLocation>(result);
  record_.user = location.user;
  done_(location);
}

void MailLogin::OnDenied(Denial denial, std::string_view name) {
  Refuse(NoteDenial(denial, name, record_));
}

void MailLogin::OnFailure(const Failure& failure) {
  log_.Write(LogRecord("directory_failure", LogRecord::Level::kWarning)
                 .Text("service", "smtp")
                 .Text("session", record_.id)
                 .Text("user", record_.user)
                 .Text("side", SideName(failure.side))
                 .Text("kind", KindName(failure.kind))
                 .Text("detail", failure.text));
  Refuse(LoginRefusal::Kind::kUnavailable);
}

void MailLogin::Refuse(LoginRefusal::Kind kind) {
  attempt_.secret.Wipe();
  wait_ = AnswerRefusal(network_, settings_, record_, kind,
                        identity_.password_owner(), began_, [this, kind] {
                          LoginRefusal refusal;
                          refusal.kind = kind;
                          done_(std::move(refusal));
                        });
}

}  // namespace gatehouse
