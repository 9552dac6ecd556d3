#include "lib/session/session.h"

#include <string_view>
#include <utility>

#include "lib/session/client_arrival.h"

namespace gatehouse {
namespace {

std::string_view EndName(SpliceResult::End end) {
  switch (end) {
    case SpliceResult::End::kDownstreamClosed:
      return "client_closed";
    case SpliceResult::End::kUpstreamClosed:
      return "upstream_closed";
    case SpliceResult::End::kDownstreamFailed:
      return "client_failed";
    case SpliceResult::End::kUpstreamFailed:
      return "upstream_failed";
    case SpliceResult::End::kIdle:
      return "idle";
    case SpliceResult::End::kEnded:
      return "ended_by_proxy";
  }
  return "unknown";
}

}  // namespace

Session::Session(Network& network, LogSink& log,
                 std::shared_ptr<const SessionSettings> settings,
                 std::shared_ptr<const ListenerSettings> listener,
                 std::unique_ptr<Stream> downstream, SessionOwner& owner)
    : network_(network),
      log_(log),
      owner_(owner),
      settings_(std::move(settings)),
      listener_(std::move(listener)) {
  record_.id = settings_->ids->Next();
  record_.peer = downstream->peer().Unmapped();
  record_.began = network_.Now();
  login_ = std::make_unique<Login>(
      network_, log_, *settings_, *listener_, record_, std::move(downstream),
      [this](LoginRefusal::Kind kind) { owner_.OnLoginRefused(kind); },
      [this] { owner_.OnClientNamed(*this); },
      [this](Login::Outcome outcome) { OnLogin(std::move(outcome)); });
}

Session::~Session() = default;

void Session::Start() { login_->Start(); }

void Session::OnLogin(Login::Outcome outcome) {
  login_.reset();
  auto* joined = std::get_if<Login::Joined>(&outcome);
  if (joined == nullptr) return Finish();
  joined_ = true;
  splice_ = std::make_unique<Splice>(network_, std::move(joined->downstream),
                                     std::move(joined->upstream),
                                     settings_->joined, *this);
  splice_->Start(joined->to_client, joined->to_store);
  owner_.OnJoined(*this);
}

void Session::EndUnlessJoined(DownstreamMachine::ShutdownReason reason) {
  if (login_ != nullptr) login_->Shutdown(reason);
}

void Session::EndJoined() {
  if (splice_ != nullptr) splice_->EndInPause();
}

void Session::LookAgain() {
  if (login_ != nullptr) login_->LookAgain();
}

std::string_view Session::LastWords() const {
  return settings_->protocol->last_words();
}

AnswerProgress Session::AfterCommand(std::string_view line) const {
  return settings_->protocol->AfterCommand(line);
}

AnswerProgress Session::AfterAnswer(AnswerProgress before,
                                    std::string_view line) const {
  return settings_->protocol->AfterAnswer(before, line);
}

void Session::OnSpliceEnd(const SpliceResult& result) {
  record_.end = EndName(result.end);
  record_.detail = result.detail;
  record_.bytes_from_client = result.bytes_from_downstream;
  record_.bytes_to_client = result.bytes_from_upstream;
  splice_.reset();
  Finish();
}

void Session::Finish() {
  log_.Write(ToLogRecord(record_, settings_->protocol->name(), listener_->name,
                         network_.Now()));
  owner_.OnEnded(*this);
}

}  // namespace gatehouse
