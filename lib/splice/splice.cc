#include "lib/splice/splice.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace gatehouse {
namespace {

// One side has sent its FIN, and the other is silent: nothing sensible follows
// in a mail protocol, and a client that has vanished sends no FIN of its own.
constexpr absl::Duration kHalfClosedLimit = absl::Minutes(2);

// Most sessions are over sooner, and need no keep-alive at their store.
constexpr absl::Duration kKeepAliveAfter = absl::Minutes(1);

// One side has failed: how long the other may need for what came before, and
// how often we look.
constexpr absl::Duration kTakeLimit = absl::Seconds(5);
constexpr absl::Duration kTakePoll = absl::Milliseconds(20);

// EndInPause(): how long the store must have been silent, and how often we look
// whether it has. The longest waits for the answer to a command, so that a
// second is enough for all, and for a message to pass.
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr uint16_t kMostPausesForAnswer = 7;
constexpr uint16_t kMostPauses = 300;
// Where nobody can see whether a message is under way.
constexpr absl::Duration kOpaquePause = absl::Milliseconds(500);

// A client that says more at once sends a message. (uint16_t is enough.)
constexpr uint16_t kLongestCommandBytes = 4096;

// The last whole line, without CRLF; nothing where it began before `bytes`, or
// hasn't ended. `fresh`: they begin a line.
std::optional<std::string_view> LastLine(std::string_view bytes, bool fresh) {
  if (!bytes.ends_with('\n')) return std::nullopt;
  bytes.remove_suffix(1);
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  const size_t before = bytes.rfind('\n');
  if (before != std::string_view::npos) return bytes.substr(before + 1);
  return fresh ? std::optional(bytes) : std::nullopt;
}

}  // namespace

Splice::Splice(Network& network, std::unique_ptr<Stream> downstream,
               std::unique_ptr<Stream> upstream, const SpliceOptions& options,
               SpliceOwner& owner)
    : network_(network),
      owner_(owner),
      options_(options),
      downstream_(*this, std::move(downstream)),
      upstream_(*this, std::move(upstream)) {}

Splice::~Splice() = default;

void Splice::Start(std::string_view to_downstream,
                   std::string_view to_upstream) {
  downstream_.stream_->set_handler(&downstream_);
  upstream_.stream_->set_handler(&upstream_);
  last_activity_ = network_.Now();
  WatchIdleness(std::min(options_.idle_limit, kKeepAliveAfter));
  downstream_.stream_->ResumeReading();
  upstream_.stream_->ResumeReading();
  Forward(upstream_, to_downstream);
  Forward(downstream_, to_upstream);
}

void Splice::Side::OnData(std::string_view bytes) {
  splice_.Forward(*this, bytes);
}
Stream* Splice::Side::BulkSink() { return splice_.Other(*this).stream_.get(); }
void Splice::Side::OnBulkPassed(size_t bytes) {
  // What follows, which is seen, may begin in the middle of a line.
  if (this == &splice_.upstream_) splice_.at_line_end_ = false;
  splice_.Passed(*this, bytes);
}
void Splice::Side::OnEof() { splice_.OnSideEof(*this); }
void Splice::Side::OnDrained() {
  Side& other = splice_.Other(*this);
  if (&other == &splice_.downstream_ && splice_.client_held_) return;
  other.stream_->ResumeReading();
}
void Splice::Side::OnFailure(const Failure& failure) {
  splice_.OnSideFailure(*this, failure);
}

void Splice::Forward(Side& from, std::string_view bytes) {
  if (bytes.empty()) return;
  &from == &downstream_ ? NoteCommand(bytes) : NoteAnswer(bytes);
  if (ending() && between_answers()) HoldClient();
  Stream& to = *Other(from).stream_;
  // A last reply and the end of the conversation make one packet.
  from.stream_->ends() ? to.WriteMore(bytes) : to.Write(bytes);
  Passed(from, bytes.size());
}

// A line that doesn't stand in one burst tells nothing, and what was asked for
// is no command.
void Splice::NoteCommand(std::string_view bytes) {
  answer_owed_ = true;
  if (answer_ == AnswerProgress::kAsks) return;
  if (answer_ == AnswerProgress::kOpaque) return;
  const auto line = LastLine(bytes, true);
  if (line) answer_ = owner_.AfterCommand(*line);
}

void Splice::NoteAnswer(std::string_view bytes) {
  const auto line = LastLine(bytes, at_line_end_);
  answer_owed_ = false;
  spoken_bytes_ = 0;
  at_line_end_ = bytes.ends_with('\n');
  if (!at_line_end_ || answer_ == AnswerProgress::kOpaque) return;
  answer_ =
      line ? owner_.AfterAnswer(answer_, *line) : AnswerProgress::kBetween;
}

void Splice::Passed(Side& from, size_t bytes) {
  last_activity_ = network_.Now();
  if (&from == &downstream_) {
    spoken_bytes_ +=
        std::min<size_t>(bytes, kLongestCommandBytes + 1 - spoken_bytes_);
  }
  from.bytes_read_ += bytes;
  const size_t queued = Other(from).stream_->queued_bytes();
  if (queued > options_.high_watermark_bytes) from.stream_->PauseReading();
}

void Splice::OnSideEof(Side& side) {
  side.eof_ = true;
  Side& other = Other(side);
  if (other.eof_) {
    return Finish(downstream_first_ ? SpliceResult::End::kDownstreamClosed
                                    : SpliceResult::End::kUpstreamClosed,
                  "");
  }
  downstream_first_ = &side == &downstream_;
  other.stream_->ShutdownWrite();
  last_activity_ = network_.Now();
  if (ending()) return;  // that timer is a shorter one
  WatchIdleness(std::min(options_.idle_limit, kHalfClosedLimit));
}

void Splice::OnSideFailure(Side& side, const Failure& failure) {
  // A side that had sent its FIN owes nothing: what it said is whole, and may
  // still be on its way to the other.
  if (side.eof_) {
    return Finish(&side == &downstream_ ? SpliceResult::End::kDownstreamClosed
                                        : SpliceResult::End::kUpstreamClosed,
                  failure.text);
  }
  Side& other = Other(side);
  if (failing_) return FinishFailed(other, failure.text);
  failing_ = true;
  other.stream_->PauseReading();
  AbortWhenTaken(side, 0, network_.Now() + kTakeLimit, failure.text);
}

// What has come from the dead side is good: it goes before the abrupt end.
// `untaken` of it isn't counted yet.
void Splice::AbortWhenTaken(Side& from, size_t untaken, absl::Time deadline,
                            std::string detail) {
  std::unique_ptr<Stream>& to = Other(from).stream_;
  from.bytes_read_ += untaken;
  untaken = std::min<uint64_t>(to->queued_bytes(), from.bytes_read_);
  from.bytes_read_ -= untaken;
  if (untaken == 0 || network_.Now() >= deadline) {
    Stream::AbortAfterFlush(std::move(to));
    return FinishFailed(from, detail);
  }
  timer_ = network_.StartTimer(
      kTakePoll,
      [this, &from, untaken, deadline, detail = std::move(detail)]() mutable {
        AbortWhenTaken(from, untaken, deadline, std::move(detail));
      });
}

void Splice::FinishFailed(const Side& side, std::string_view detail) {
  Finish(&side == &downstream_ ? SpliceResult::End::kDownstreamFailed
                               : SpliceResult::End::kUpstreamFailed,
         detail);
}

// One timer that is late rather than moved at every byte: when it fires it
// looks how long the silence really was.
void Splice::WatchIdleness(absl::Duration delay) {
  timer_ = network_.StartTimer(delay, [this] { OnIdleTimer(); });
}

void Splice::OnIdleTimer() {
  if (!kept_alive_) upstream_.stream_->KeepAlive();
  kept_alive_ = true;
  const bool half_closed = downstream_.eof_ || upstream_.eof_;
  const absl::Duration limit =
      half_closed ? std::min(options_.idle_limit, kHalfClosedLimit)
                  : options_.idle_limit;
  const absl::Duration silence = network_.Now() - last_activity_;
  if (silence < limit) return WatchIdleness(limit - silence);
  if (at_line_end_) SayLastWords();
  Finish(SpliceResult::End::kIdle, "");
}

void Splice::EndInPause() {
  if (!ending() && !failing_) AwaitPause();
}

// The client is in the middle of a message.
bool Splice::uploading() const {
  return answer_owed_ && (answer_ == AnswerProgress::kAsks ||
                          spoken_bytes_ > kLongestCommandBytes);
}

bool Splice::between_answers() const {
  return !answer_owed_ && at_line_end_ && answer_ != AnswerProgress::kInside &&
         answer_ != AnswerProgress::kOpaque;
}

// Its next commands aren't begun: the store falls silent when it has answered.
void Splice::HoldClient() {
  client_held_ = true;
  downstream_.stream_->PauseReading();
}

void Splice::AwaitPause() {
  ++pauses_awaited_;
  timer_ = network_.StartTimer(kPause, [this] { OnPauseTimer(); });
}

void Splice::OnPauseTimer() {
  const bool slow_answer = answer_owed_ && at_line_end_ && !uploading() &&
                           pauses_awaited_ >= kMostPausesForAnswer;
  const bool opaque = answer_ == AnswerProgress::kOpaque;
  const absl::Duration least = opaque ? kOpaquePause : kPause;
  const bool pause = (between_answers() || slow_answer || opaque) &&
                     network_.Now() - last_activity_ >= least &&
                     downstream_.stream_->queued_bytes() == 0;
  if (!pause && pauses_awaited_ < kMostPauses) return AwaitPause();
  if (pause) SayLastWords();
  Finish(SpliceResult::End::kEnded, "");
}

void Splice::SayLastWords() {
  if (upstream_.eof_ || answer_ == AnswerProgress::kOpaque) return;
  downstream_.stream_->Write(owner_.LastWords());
}

void Splice::Finish(SpliceResult::End end, std::string_view detail) {
  timer_.reset();
  for (Side* side : {&downstream_, &upstream_}) {
    if (side->stream_ == nullptr) continue;  // aborted
    Stream::CloseAfterFlush(std::move(side->stream_));
  }
  SpliceResult result;
  result.end = end;
  result.detail = std::string(detail);
  result.bytes_from_downstream = downstream_.bytes_read_;
  result.bytes_from_upstream = upstream_.bytes_read_;
  owner_.OnSpliceEnd(result);
}

}  // namespace gatehouse
