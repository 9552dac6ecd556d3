#ifndef GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_UPSTREAM_H_
#define GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_UPSTREAM_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/buffered_machine.h"
#include "lib/protocol/imap/imap_response.h"
#include "lib/protocol/line_framer.h"

namespace gatehouse {

// Logs in to an IMAP store (RFC 3501, RFC 9051): greeting, STARTTLS where asked
// for, CAPABILITY where the greeting didn't tell, ID with the client's address
// where wanted and offered, then AUTHENTICATE (with its initial response on the
// line where the store has SASL-IR), or LOGIN where the store has no
// AUTH=PLAIN.
//
// One command at a time. What the store says before it was asked is no answer:
// a tagged line or a continuation out of place, or anything behind STARTTLS's
// OK, is a protocol failure (CVE-2021-38371). So is a PREAUTH greeting, which
// means somebody else's authorization.
//
// `UpstreamReady::capabilities` is the store's own list, after login (for a
// probe: before). What else it says untagged until then is nobody's: it could
// only be taken for our own words.
//
// The store's words are for the operator's log only, and only those of a NO:
// a BAD may repeat what we had sent.
class ImapUpstream final : public BufferedMachine<UpstreamMachine> {
 public:
  explicit ImapUpstream(UpstreamOptions options);
  ~ImapUpstream() override;

  bool input_wanted() const override;
  std::string_view StateName() const override;
  UpstreamEvent Next() override;
  void TlsEstablished() override;

 private:
  enum class State {
    kAwaitGreeting,
    kAwaitStartTls,
    kAwaitTls,
    kAwaitCapability,
    kAwaitId,
    kAwaitLogin,
    kAwaitFinalCapability,
    kReady,
    kFailed,
  };
  using Outcome = std::optional<UpstreamEvent>;  // nothing: read on

  Outcome OnLine(std::string_view line);
  Outcome OnGreeting(const ImapResponse& response);
  Outcome BeginStartTls();
  Outcome OnStartTls(const ImapResponse& response);
  Outcome AfterCapability();
  std::string IdCommand() const;

  bool logged_in() const override { return state_ == State::kReady; }
  bool deaf() const override {
    return state_ == State::kFailed || state_ == State::kAwaitTls;
  }

  Outcome BeginLogin();
  Outcome BeginAuthenticate();
  Outcome BeginLoginCommand();
  std::string& BeginPieces(size_t bytes);
  void AppendString(std::string_view value, size_t& piece);
  Outcome SendLogin();
  Outcome SendPiece();
  bool AllSent() const;
  Outcome OnContinuation(const ImapResponse& response);
  Outcome OnLoginAnswer(const ImapResponse& response);
  Outcome Ready();

  Outcome OnUntagged(const ImapResponse& response, std::string_view line,
                     bool early);
  Outcome OnTagged(const ImapResponse& response);
  Outcome Ask(std::string_view command, State next);
  std::string NextTag();
  void LearnCapabilities(std::string_view text);
  bool Offers(std::string_view capability) const;

  Outcome Refused(const ImapResponse& response);
  Outcome SaidBye();
  Outcome Misconfigured(std::string text);
  Outcome Unlike(std::string_view expected);
  Outcome Fail(LoginRefusal::Kind refusal, Failure::Kind kind,
               std::string text);

  UpstreamOptions options_;
  State state_ = State::kAwaitGreeting;
  LineFramer line_framer_;
  // Counted from the first octet: how far we have read, and up to where the
  // store had spoken when it was last asked something.
  size_t consumed_bytes_ = 0;
  size_t early_until_ = 0;
  std::string tag_;  // of the command under way
  int tags_ = 0;
  bool capabilities_known_ = false;
  std::vector<std::string> capabilities_;
  // The login in the pieces between which the store must say "+".
  std::array<std::string, 3> pieces_;
  size_t pieces_sent_ = 0;
  std::string sasl_challenge_;
  size_t untagged_bytes_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_IMAP_IMAP_UPSTREAM_H_
