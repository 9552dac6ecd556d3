#include "lib/splice/splice.h"

#include <algorithm>
#include <utility>

namespace gatehouse {
namespace {

// One side has sent its FIN, and the other is silent: nothing sensible follows
// in a mail protocol, and a client that has vanished sends no FIN of its own.
constexpr absl::Duration kHalfClosedLimit = absl::Minutes(2);

// EndWith(): how long the store must have been silent, and how long we wait
// for that.
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestWaitForPause = absl::Seconds(2);

}  // namespace

Splice::Splice(Network& network, std::unique_ptr<Stream> downstream,
               std::unique_ptr<Stream> upstream, const SpliceOptions& options,
               DoneCallback done)
    : network_(network),
      options_(options),
      done_(std::move(done)),
      downstream_(*this, std::move(downstream)),
      upstream_(*this, std::move(upstream)) {}

Splice::~Splice() = default;

void Splice::Start(std::string_view to_downstream,
                   std::string_view to_upstream) {
  downstream_.stream_->set_handler(&downstream_);
  upstream_.stream_->set_handler(&upstream_);
  downstream_.stream_->set_bulk_sink(upstream_.stream_.get());
  upstream_.stream_->set_bulk_sink(downstream_.stream_.get());
  last_activity_ = network_.Now();
  WatchIdleness(options_.idle_limit);
  downstream_.stream_->ResumeReading();
  upstream_.stream_->ResumeReading();
  Forward(upstream_, to_downstream);
  Forward(downstream_, to_upstream);
}

void Splice::Side::OnData(std::string_view bytes) {
  splice_.Forward(*this, bytes);
}
void Splice::Side::OnBulkPassed(size_t bytes) { splice_.Passed(*this, bytes); }
void Splice::Side::OnEof() { splice_.OnSideEof(*this); }
void Splice::Side::OnDrained() {
  splice_.Other(*this).stream_->ResumeReading();
}
void Splice::Side::OnFailure(const Failure& failure) {
  splice_.OnSideFailure(*this, failure);
}

void Splice::Forward(Side& from, std::string_view bytes) {
  if (bytes.empty()) return;
  if (&from == &upstream_) at_line_end_ = bytes.ends_with('\n');
  Other(from).stream_->Write(bytes);
  Passed(from, bytes.size());
}

void Splice::Passed(Side& from, size_t bytes) {
  last_activity_ = network_.Now();
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
  Other(side).stream_->Abort();
  Finish(&side == &downstream_ ? SpliceResult::End::kDownstreamFailed
                               : SpliceResult::End::kUpstreamFailed,
         failure.text);
}

// One timer that is late rather than moved at every byte: when it fires it
// looks how long the silence really was.
void Splice::WatchIdleness(absl::Duration delay) {
  timer_ = network_.StartTimer(delay, [this] { OnIdleTimer(); });
}

void Splice::OnIdleTimer() {
  const bool half_closed = downstream_.eof_ || upstream_.eof_;
  const absl::Duration limit =
      half_closed ? std::min(options_.idle_limit, kHalfClosedLimit)
                  : options_.idle_limit;
  const absl::Duration silence = network_.Now() - last_activity_;
  if (silence < limit) return WatchIdleness(limit - silence);
  if (at_line_end_ && !upstream_.eof_) {
    downstream_.stream_->Write(options_.last_words);
  }
  Finish(SpliceResult::End::kIdle, "");
}

void Splice::EndWith(std::string_view words) {
  words_ = words;
  end_deadline_ = network_.Now() + kLongestWaitForPause;
  AwaitPause();
}

void Splice::AwaitPause() {
  timer_ = network_.StartTimer(kPause, [this] { OnPauseTimer(); });
}

void Splice::OnPauseTimer() {
  const absl::Time now = network_.Now();
  const bool pause = at_line_end_ && now - last_activity_ >= kPause &&
                     downstream_.stream_->queued_bytes() == 0;
  if (!pause && now < end_deadline_) return AwaitPause();
  if (pause && !upstream_.eof_) downstream_.stream_->Write(words_);
  Finish(SpliceResult::End::kEnded, "");
}

void Splice::Finish(SpliceResult::End end, std::string_view detail) {
  timer_.reset();
  Stream::CloseAfterFlush(std::move(downstream_.stream_));
  Stream::CloseAfterFlush(std::move(upstream_.stream_));
  SpliceResult result;
  result.end = end;
  result.detail = std::string(detail);
  result.bytes_from_downstream = downstream_.bytes_read_;
  result.bytes_from_upstream = upstream_.bytes_read_;
  auto done = std::move(done_);
  done(result);
}

}  // namespace gatehouse
