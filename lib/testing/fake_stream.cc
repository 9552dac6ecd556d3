#include "lib/testing/fake_stream.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"

namespace gatehouse {

// --- FakePeer ----------------------------------------------------------------

void FakePeer::Deliver(std::string_view bytes) {
  events_.push_back({.kind = Event::Kind::kData, .bytes = std::string(bytes)});
  Schedule();
}

void FakePeer::DeliverEof() {
  events_.push_back({.kind = Event::Kind::kEof});
  Schedule();
}

void FakePeer::DeliverFailure(Failure failure) {
  events_.push_back(
      {.kind = Event::Kind::kFailure, .failure = std::move(failure)});
  Schedule();
}

void FakePeer::set_send_capacity(size_t bytes) {
  capacity_ = bytes;
  const bool was_queued = !queued_.empty();
  TakeFromQueue();
  if (was_queued && queued_.empty()) {
    events_.push_front({.kind = Event::Kind::kDrained});
    Schedule();
  }
}

void FakePeer::TakeFromQueue() {
  const size_t taken = std::min(capacity_, queued_.size());
  sent_.append(queued_, 0, taken);
  queued_.erase(0, taken);
  capacity_ -= taken;
  if (queued_.empty() && shutdown_wanted_) write_shut_down_ = true;
}

void FakePeer::FinishTls(TlsScript script) {
  tls_script_ = script;
  if (!tls_started_ || tls_established_) return;
  if (script == TlsScript::kSucceed) {
    events_.push_front({.kind = Event::Kind::kTls});
  } else if (script == TlsScript::kFail) {
    events_.push_front({.kind = Event::Kind::kFailure,
                        .failure = {.kind = Failure::Kind::kTls,
                                    .text = "TLS handshake failed"}});
  }
  Schedule();
}

bool FakePeer::reading() const {
  return stream_ != nullptr && !stream_->paused_ && !stream_->dead_;
}

void FakePeer::Schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  network_->Enqueue([self = shared_from_this()] {
    self->scheduled_ = false;
    self->Pump();
  });
}

bool FakePeer::IsAllowed(const Event& event) const {
  switch (event.kind) {
    case Event::Kind::kData:
    case Event::Kind::kEof:
      return reading() && (!tls_started_ || tls_established_);
    default:
      return true;
  }
}

void FakePeer::Pump() {
  if (events_.empty() || stream_ == nullptr || stream_->dead_) return;
  // What isn't allowed yet (data while paused) keeps its place.
  const auto next =
      std::find_if(events_.begin(), events_.end(),
                   [this](const Event& event) { return IsAllowed(event); });
  if (next == events_.end()) return;
  const Event event = std::move(*next);
  events_.erase(next);
  if (!events_.empty()) Schedule();
  Dispatch(event);
}

void FakePeer::Dispatch(const Event& event) {
  StreamHandler* handler = stream_->handler_;
  GATEHOUSE_CHECK(handler != nullptr, "an event, but no handler to hear it");
  switch (event.kind) {
    case Event::Kind::kData:
      return handler->OnData(event.bytes);
    case Event::Kind::kEof:
      return handler->OnEof();
    case Event::Kind::kFailure:
      stream_->dead_ = true;
      return handler->OnFailure(event.failure);
    case Event::Kind::kTls:
      tls_established_ = true;
      Schedule();
      return handler->OnTlsEstablished();
    case Event::Kind::kDrained:
      return handler->OnDrained();
  }
}

// --- FakeStream --------------------------------------------------------------

FakeStream::FakeStream(std::shared_ptr<FakePeer> peer)
    : peer_(std::move(peer)) {
  peer_->stream_ = this;
}

FakeStream::~FakeStream() {
  Leave(FakePeer::End::kDropped);
  peer_->stream_ = nullptr;
}

void FakeStream::Leave(FakePeer::End end) {
  dead_ = true;
  if (peer_->end_ == FakePeer::End::kOpen) peer_->end_ = end;
}

void FakeStream::ResumeReading() {
  paused_ = false;
  peer_->Schedule();
}

void FakeStream::Unread(std::string_view bytes) {
  peer_->events_.push_front(
      {.kind = FakePeer::Event::Kind::kData, .bytes = std::string(bytes)});
  peer_->Schedule();
}

void FakeStream::Write(std::string_view bytes) {
  if (dead_) return;
  GATEHOUSE_CHECK(!peer_->shutdown_wanted_, "written after ShutdownWrite()");
  peer_->queued_.append(bytes);
  peer_->TakeFromQueue();
}

void FakeStream::WriteMore(std::string_view bytes) {
  Write(bytes);
  peer_->more_promised_ = true;
}

bool FakeStream::ends() const {
  return !peer_->tls_started_ && peer_->events_.size() == 1 &&
         peer_->events_.front().kind == FakePeer::Event::Kind::kEof;
}

void FakeStream::ShutdownWrite() {
  peer_->shutdown_wanted_ = true;
  peer_->TakeFromQueue();
}

void FakeStream::FinishAndDelete() {
  // What is queued still goes out when the peer reads again.
  if (!dead_) peer_->shutdown_wanted_ = true;
  peer_->TakeFromQueue();
  Leave(FakePeer::End::kFinished);
  delete this;
}

void FakeStream::AbortAndDelete() {
  Leave(FakePeer::End::kAborted);
  delete this;
}

void FakeStream::StartTls() {
  peer_->tls_started_ = true;
  peer_->FinishTls(peer_->tls_script_);
}

void FakeStream::StartServerTls(const TlsServerContext& context) { StartTls(); }

void FakeStream::StartClientTls(const TlsClientContext& context,
                                std::string_view verify_name) {
  peer_->verify_name_ = std::string(verify_name);
  StartTls();
}

std::unique_ptr<TlsSession> FakeStream::tls_session() const {
  if (!peer_->tls_established_) return nullptr;
  return std::make_unique<TlsSession>(peer_->tls_session_);
}

}  // namespace gatehouse
