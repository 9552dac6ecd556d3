#include "lib/testing/toy_protocol.h"

#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "lib/base/check.h"
#include "lib/protocol/event_names.h"

namespace gatehouse {
namespace {

std::vector<std::string> Words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  if (words.empty()) words.emplace_back();
  return words;
}

// What both sides share: lines in, text out, trailing bytes.
template <typename Base>
class ToyMachine : public Base {
 public:
  void Feed(std::string_view bytes) override {
    GATEHOUSE_CHECK(!handed_over_, "fed after the hand-over");
    input_ += bytes;
  }
  void FeedEof() override { eof_ = true; }
  bool input_wanted() const override { return input_.size() < 1024; }
  std::string TakeOutput() override { return std::exchange(output_, {}); }
  std::string TakeTrailing() override {
    handed_over_ = true;
    return std::exchange(input_, {});
  }
  std::string_view StateName() const override { return "Toy"; }

 protected:
  std::optional<std::string> TakeLine() {
    const size_t end = input_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 1);
    return line;
  }

  std::string input_;
  std::string output_;
  bool eof_ = false;

 private:
  bool handed_over_ = false;
};

class ToyDownstream : public ToyMachine<DownstreamMachine> {
 public:
  explicit ToyDownstream(DownstreamOptions options)
      : options_(std::move(options)) {
    output_ = "HELLO\n";
  }

  DownstreamEvent Next() override {
    for (;;) {
      if (closed_) return Closed{*closed_, "toy"};
      if (paused_ && !eof_) return Paused{};
      if (eof_ && (paused_ || input_.find('\n') == std::string::npos)) {
        return Closed{Closed::Reason::kEof, ""};
      }
      const auto line = TakeLine();
      if (!line) return NeedData{};
      if (auto event = Obey(Words(*line))) return std::move(*event);
    }
  }

  void TlsEstablished(const TlsFacts& facts) override {
    options_.tls_active = true;
    paused_ = false;
  }
  void LoginAccepted(const UpstreamReady& upstream) override {
    output_ += "OK";
    for (const std::string& capability : upstream.capabilities) {
      output_ += " " + capability;
    }
    output_ += "\n";
  }
  void LoginRefused(const LoginRefusal& refusal) override {
    output_ += "NO " + std::string(NameOf(refusal.kind)) + "\n";
    paused_ = false;
    if (BlamesClient(refusal.kind) &&
        ++refusals_ == options_.limits.failed_logins) {
      closed_ = Closed::Reason::kTooManyFailedLogins;
    }
  }
  void Shutdown(ShutdownReason reason) override {
    output_ += reason == ShutdownReason::kTimeout    ? "BYE timeout\n"
               : reason == ShutdownReason::kDraining ? "BYE draining\n"
                                                     : "BYE too many\n";
    closed_ = Closed::Reason::kShutdown;
  }

 private:
  // Nothing: go on with the next line.
  std::optional<DownstreamEvent> Obey(const std::vector<std::string>& words) {
    if (words[0] == "TLS" && options_.start_tls_offered) {
      output_ += "OK\n";
      input_.clear();
      paused_ = true;
      return StartTls{};
    }
    if ((words[0] == "LOGIN" || words[0] == "TOKEN") && words.size() >= 3) {
      if (!options_.tls_active && !options_.plaintext_login_allowed) {
        output_ += "NO privacy\n";
        return std::nullopt;
      }
      paused_ = true;
      LoginAttempt attempt;
      attempt.mechanism = words[0];
      attempt.credentials =
          words[0] == "TOKEN" ? Credentials::kToken : Credentials::kPassword;
      attempt.user = words[1];
      attempt.secret = Secret(words[2]);
      if (words.size() > 3) attempt.authorization_id = words[3];
      return attempt;
    }
    if (words[0] == "QUIT") {
      output_ += "BYE\n";
      return Closed{Closed::Reason::kLogout, ""};
    }
    output_ += "BAD\n";
    return std::nullopt;
  }

  DownstreamOptions options_;
  bool paused_ = false;
  int refusals_ = 0;
  std::optional<Closed::Reason> closed_;
};

class ToyUpstream : public ToyMachine<UpstreamMachine> {
 public:
  explicit ToyUpstream(UpstreamOptions options)
      : options_(std::move(options)) {}

  UpstreamEvent Next() override {
    const auto line = TakeLine();
    if (!line) {
      if (!eof_) return NeedData{};
      return Fail(Failure::Kind::kReset, "closed early");
    }
    const auto words = Words(*line);
    switch (await_) {
      case Await::kGreeting:
        if (words[0] != "HELLO")
          return Fail(Failure::Kind::kProtocol, "greeting");
        return options_.start_tls ? AskTls() : AskLogin();
      case Await::kTls:
        if (words[0] != "OK") return Fail(Failure::Kind::kRefused, "no TLS");
        if (!input_.empty()) return Fail(Failure::Kind::kProtocol, "early");
        return StartTls{};
      case Await::kLogin:
        return OnAnswer(words);
    }
    return NeedData{};
  }

  void TlsEstablished() override { AskLogin(); }

 private:
  enum class Await { kGreeting, kTls, kLogin };

  UpstreamEvent AskTls() {
    output_ += "TLS\n";
    await_ = Await::kTls;
    return NeedData{};
  }

  UpstreamEvent AskLogin() {
    const UpstreamLogin& login = options_.login;
    const std::string secret(login.secret.Reveal());
    await_ = Await::kLogin;
    if (options_.forward_client) {
      output_ += "CLIENT " + options_.client.client.AddressText() + "\n";
    }
    switch (login.method) {
      case UpstreamLogin::Method::kProbe:
        output_ += "QUIT\n";
        return UpstreamReady{{"PROBED"}};
      case UpstreamLogin::Method::kPassword:
        output_ += "LOGIN " + login.user + " " + secret + "\n";
        break;
      case UpstreamLogin::Method::kMasterUser:
        output_ += "MASTER " + login.master_user + " " + login.user + " " +
                   secret + "\n";
        break;
      case UpstreamLogin::Method::kToken:
        output_ +=
            login.token_mechanism + " " + login.user + " " + secret + "\n";
        break;
      case UpstreamLogin::Method::kXclient:
        output_ += "XCLIENT " + login.user + "\n";
        break;
      case UpstreamLogin::Method::kNone:
        return UpstreamReady{{"NONE"}};
    }
    return NeedData{};
  }

  UpstreamEvent OnAnswer(const std::vector<std::string>& words) {
    if (words[0] == "OK") {
      return UpstreamReady{{words.begin() + 1, words.end()}};
    }
    UpstreamFailed failed;
    failed.refusal.kind = LoginRefusalNamed(words.size() > 1 ? words[1] : "")
                              .value_or(LoginRefusal::Kind::kUnavailable);
    failed.failure = {Failure::Side::kUpstream, Failure::Kind::kRefused,
                      Failure::Retry::kNo, "login refused"};
    return failed;
  }

  UpstreamEvent Fail(Failure::Kind kind, std::string text) {
    UpstreamFailed failed;
    failed.refusal.kind = LoginRefusal::Kind::kUnavailable;
    failed.failure = {Failure::Side::kUpstream, kind, Failure::Retry::kNo,
                      std::move(text)};
    return failed;
  }

  UpstreamOptions options_;
  Await await_ = Await::kGreeting;
};

class Toy : public Protocol {
 public:
  std::string_view name() const override { return "toy"; }
  uint16_t port() const override { return 7; }
  uint16_t implicit_tls_port() const override { return 8; }
  int least_idle_seconds() const override { return 60; }
  std::string_view last_words() const override { return "BYE now\n"; }
  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<ToyDownstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<ToyUpstream>(std::move(options));
  }
};

}  // namespace

const Protocol& ToyProtocol() {
  static const Toy toy;
  return toy;
}

}  // namespace gatehouse
