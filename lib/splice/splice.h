#ifndef GATEHOUSE_LIB_SPLICE_SPLICE_H_
#define GATEHOUSE_LIB_SPLICE_SPLICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "lib/base/answer_progress.h"
#include "lib/net/network.h"
#include "lib/net/stream.h"

namespace gatehouse {

struct SpliceOptions {
  // No byte either way for so long: the session ends.
  absl::Duration idle_limit = absl::Minutes(31);
  // What is queued for a side that doesn't read: beyond, the other side isn't
  // read either. A session holds at most this and one read more, each way.
  size_t high_watermark_bytes = 128 * 1024;
};

struct SpliceResult {
  enum class End {
    kDownstreamClosed,  // whoever sent its FIN first, both having sent one
    kUpstreamClosed,
    kDownstreamFailed,
    kUpstreamFailed,
    kIdle,
    kEnded,  // EndInPause()
  };
  End end = End::kDownstreamClosed;
  std::string detail;  // of a failure
  // What the other side's kernel has taken, where a side failed.
  uint64_t bytes_from_downstream = 0;
  uint64_t bytes_from_upstream = 0;
};

// Whose the splice is.
class SpliceOwner {
 public:
  // The protocol's good-bye to a client whom we leave.
  virtual std::string_view LastWords() const = 0;
  // As Protocol's of the same names: by the last line of a burst.
  virtual AnswerProgress AfterCommand(std::string_view line) const {
    return AnswerProgress::kBetween;
  }
  virtual AnswerProgress AfterAnswer(AnswerProgress before,
                                     std::string_view line) const {
    return AnswerProgress::kBetween;
  }
  // Once, after both streams are closed. May destroy the splice.
  virtual void OnSpliceEnd(const SpliceResult& result) = 0;

 protected:
  ~SpliceOwner() = default;
};

// Joins two streams until both have ended. Bytes pass through the worker's read
// buffer; memory is held only for what a side hasn't taken yet. A FIN is handed
// on as a FIN, and the other direction goes on; an abrupt end (reset, TLS
// truncation) is handed on as an abrupt end, so that nobody takes half a
// message for a whole one, behind all that came before it.
//
// Used on its network's thread. Destroying it cuts both connections.
class Splice {
 public:
  // `options` and `owner` must outlive the splice.
  Splice(Network& network, std::unique_ptr<Stream> downstream,
         std::unique_ptr<Stream> upstream, const SpliceOptions& options,
         SpliceOwner& owner);
  ~Splice();

  // Begins, with what had been read behind the login on either side.
  void Start(std::string_view to_downstream, std::string_view to_upstream);

  // Ends the session in a pause of the store's output: waits until the store
  // has been silent behind an answer, says the last words to the client, and
  // closes both. That takes less than a second: no command is begun any more
  // once the store has answered one, and a slow answer isn't awaited for
  // longer. Only a message on its way, either way, is let pass first, for half
  // a minute, however often its sender stops for a while. Without a pause by
  // then the words are left out: they would stand in the middle of a message.
  // So they are where they couldn't be read, and the pause is a longer one.
  void EndInPause();

 private:
  // One stream and the direction that begins at it.
  class Side final : public StreamHandler {
   public:
    Side(Splice& splice, std::unique_ptr<Stream> stream)
        : splice_(splice), stream_(std::move(stream)) {}
    void OnData(std::string_view bytes) override;
    Stream* BulkSink() override;
    void OnBulkPassed(size_t bytes) override;
    void OnEof() override;
    void OnDrained() override;
    void OnFailure(const Failure& failure) override;

    Splice& splice_;
    std::unique_ptr<Stream> stream_;
    uint64_t bytes_read_ : 63 = 0;
    bool eof_ : 1 = false;
  };

  Side& Other(const Side& side) {
    return &side == &downstream_ ? upstream_ : downstream_;
  }
  void Forward(Side& from, std::string_view bytes);
  void NoteCommand(std::string_view bytes);
  void NoteAnswer(std::string_view bytes);
  void Passed(Side& from, size_t bytes);
  void OnSideEof(Side& side);
  void OnSideFailure(Side& side, const Failure& failure);
  void AbortWhenTaken(Side& from, size_t untaken, absl::Time deadline,
                      std::string detail);
  void FinishFailed(const Side& side, std::string_view detail);
  void WatchIdleness(absl::Duration delay);
  void OnIdleTimer();
  bool ending() const { return pauses_awaited_ > 0; }
  bool uploading() const;
  bool between_answers() const;
  void SayLastWords();
  void HoldClient();
  void AwaitPause();
  void OnPauseTimer();
  void Finish(SpliceResult::End end, std::string_view detail);

  // Every idle session has one of these.
  Network& network_;
  SpliceOwner& owner_;
  const SpliceOptions& options_;
  Side downstream_;
  Side upstream_;
  absl::Time last_activity_;
  std::unique_ptr<Operation> timer_;
  bool downstream_first_ : 1 = false;  // to send its FIN
  bool at_line_end_ : 1 = true;        // of what the client was sent
  bool answer_owed_ : 1 = false;       // the client was the last to speak
  bool client_held_ : 1 = false;       // not read from any more
  bool kept_alive_ : 1 = false;        // the upstream connection
  bool failing_ : 1 = false;  // a side is dead, the other takes the rest
  AnswerProgress answer_ : 2 = AnswerProgress::kBetween;
  uint16_t pauses_awaited_ = 0;  // since EndInPause()
  uint16_t spoken_bytes_ = 0;    // by the client since the store last spoke
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SPLICE_SPLICE_H_
