#ifndef GATEHOUSE_LIB_SESSION_FAULTY_MAIL_HOST_H_
#define GATEHOUSE_LIB_SESSION_FAULTY_MAIL_HOST_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/testing/fake_network.h"

namespace gatehouse {

// The places of a host's work where something may go wrong, in their order.
enum class MailStep {
  kConnect,
  kGreeting,
  kEhlo,
  kStartTls,
  kHandshake,
  kEhloInTls,
  kXclient,
  kEhloAfterXclient,
  kAuth,
  kMail,
  kRcpt,
  kData,
  kBody,        // its first octets have come
  kDot,         // the message is whole, and not yet accepted
  kNextAnswer,  // LMTP: one recipient has been answered, the next not
  kAnswer,      // accepted, but not yet answered
  kAfter,       // answered
};
inline constexpr MailStep kAllMailSteps[] = {
    MailStep::kConnect,    MailStep::kGreeting,
    MailStep::kEhlo,       MailStep::kStartTls,
    MailStep::kHandshake,  MailStep::kEhloInTls,
    MailStep::kXclient,    MailStep::kEhloAfterXclient,
    MailStep::kAuth,       MailStep::kMail,
    MailStep::kRcpt,       MailStep::kData,
    MailStep::kBody,       MailStep::kDot,
    MailStep::kNextAnswer, MailStep::kAnswer,
    MailStep::kAfter};

enum class MailFault { kStall, kCut, kRefuse, kGoodBye /* 421 */ };
inline constexpr MailFault kAllMailFaults[] = {
    MailFault::kStall, MailFault::kCut, MailFault::kRefuse,
    MailFault::kGoodBye};

// Whether the fault can be had at this step: who has accepted can't refuse.
bool CanHappen(MailStep step, MailFault fault);

// An SMTP or LMTP server on a FakeNetwork that does all it should but for the
// faults that it is told to have, and counts what it has accepted: a message is
// in its hands whether or not anybody has heard so.
class FaultyMailHost {
 public:
  struct Options {
    bool lmtp = false;
    bool start_tls = false;
    bool xclient = false;
    bool auth = false;
  };
  struct Injection {
    MailStep step;
    MailFault fault;
    int turn;  // the how manieth time it gets to the step; kEachTime: always
  };
  static constexpr int kEachTime = -1;

  FaultyMailHost(FakeNetwork& network, const SocketAddress& address,
                 const Options& options);
  FaultyMailHost(const FaultyMailHost&) = delete;
  FaultyMailHost& operator=(const FaultyMailHost&) = delete;

  void Inject(const Injection& injection);

  // Answers what its peers have said; whether they had said anything.
  bool Serve();

  // How often it has accepted these octets for the recipient.
  int Copies(std::string_view recipient, std::string_view octets) const;
  size_t deliveries() const { return delivered_.size(); }

 private:
  struct Conversation {
    std::shared_ptr<FakePeer> peer;
    std::string unread;
    bool deaf = false;
    bool tls = false;
    bool xclient = false;
    bool in_body = false;
    bool body_met = false;
    std::vector<std::string> recipients;
  };
  struct Delivery {
    std::string recipient;
    std::string octets;
  };

  void ScriptConnect();
  std::optional<MailFault> Meet(MailStep step);
  // Says the answer, if nothing goes wrong here.
  bool Pass(Conversation& with, MailStep step, std::string_view answer,
            std::string_view refusal);
  void Break(Conversation& with, MailFault fault, std::string_view refusal);
  void OnLine(Conversation& with, const std::string& line);
  void OnEhlo(Conversation& with);
  void OnStartTls(Conversation& with);
  void OnData(Conversation& with);
  void OnBody(Conversation& with);
  void OnMessage(Conversation& with, const std::string& octets);
  bool Accept(Conversation& with, const std::vector<std::string>& recipients,
              const std::string& octets);

  FakeNetwork& network_;
  const SocketAddress address_;
  const Options options_;
  std::vector<Injection> injections_;
  std::map<MailStep, int> turns_;
  std::vector<Conversation> conversations_;
  std::vector<Delivery> delivered_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_FAULTY_MAIL_HOST_H_
