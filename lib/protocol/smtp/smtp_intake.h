#ifndef GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_INTAKE_H_
#define GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_INTAKE_H_

#include <cstdint>
#include <string>

#include "lib/base/byte_queue.h"
#include "lib/protocol/smtp/smtp_body.h"
#include "lib/protocol/smtp/smtp_command.h"

namespace gatehouse {

// Takes one message from what a client sent, behind DATA or in BDAT chunks:
// finds where it ends and commands begin again, counts its octets, and gives
// them out or drops them. Holds none of it, so a size that a client merely
// claims costs nothing.
class SmtpIntake {
 public:
  // `most_bytes`: the most that a message may have, its CRLFs included and
  // stuffed dots not (RFC 1870 §3); 0: without a limit.
  explicit SmtpIntake(uint64_t most_bytes) : most_bytes_(most_bytes) {}

  // A new message: everything is as at the beginning.
  void Restart();

  void BeginData();
  // The first or a further chunk. Such a chunk belongs to the message begun,
  // if it isn't dropped.
  void BeginChunk(const SmtpChunkHeader& header);
  // The chunk just begun doesn't fit: known before any of it has come.
  bool chunk_too_big() const { return TooBig(chunk_.octets); }
  // What follows, up to the next Restart(), is read and thrown away. Of BDAT
  // not even the lines are looked at then: the count alone frames it.
  void Drop() { dropping_ = true; }
  bool dropping() const { return dropping_; }

  enum class Status {
    kNeedData,
    kEndOfChunk,    // more chunks will follow
    kEndOfMessage,  // also: the end of anything dropped
    kTooBig,        // DATA only, once; it is being dropped from here on
    kBroken,        // a bare CR or LF, or a NUL
  };
  // Appends to `octets` what came of the message, or nothing while dropping.
  // With octets a status of an end is premature: it comes again, without.
  Status Read(ByteQueue& input, std::string& octets);

 private:
  Status ReadData(ByteQueue& input, std::string& octets);
  Status ReadChunk(ByteQueue& input, std::string& octets);
  bool TooBig(uint64_t more_bytes) const;

  const uint64_t most_bytes_;
  SmtpBodyReader reader_;
  bool dropping_ = false;
  bool in_data_ = false;
  bool ended_ = false;     // DATA's end was read
  SmtpChunkHeader chunk_;  // its octets: that are still to come
  uint64_t taken_bytes_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_SMTP_SMTP_INTAKE_H_
