// Rules: RFC 5321 §4.1.1.4 (DATA), RFC 3030 §2 (BDAT), RFC 1870 §6 (a message
// beyond the limit is read to its end, and refused there).

#include "lib/protocol/smtp/smtp_intake.h"

#include <algorithm>
#include <string_view>

namespace gatehouse {

void SmtpIntake::Restart() {
  reader_ = SmtpBodyReader();
  dropping_ = false;
  in_data_ = false;
  ended_ = false;
  chunk_ = {};
  taken_bytes_ = 0;
}

void SmtpIntake::BeginData() { in_data_ = true; }

void SmtpIntake::BeginChunk(const SmtpChunkHeader& header) { chunk_ = header; }

SmtpIntake::Status SmtpIntake::Read(ByteQueue& input, std::string& octets) {
  return in_data_ ? ReadData(input, octets) : ReadChunk(input, octets);
}

bool SmtpIntake::TooBig(uint64_t more_bytes) const {
  return most_bytes_ > 0 && more_bytes > most_bytes_ - taken_bytes_;
}

SmtpIntake::Status SmtpIntake::ReadData(ByteQueue& input, std::string& octets) {
  if (ended_) return Status::kEndOfMessage;
  size_t consumed = 0;
  std::string message;
  const auto status = reader_.ReadStuffed(input.bytes(), consumed, message);
  input.Consume(consumed);
  if (status == SmtpBodyReader::Status::kBroken) return Status::kBroken;
  ended_ = status == SmtpBodyReader::Status::kEnd;
  if (!dropping_ && TooBig(message.size())) {
    dropping_ = true;
    return Status::kTooBig;
  }
  if (!dropping_) {
    taken_bytes_ += message.size();
    octets += message;
  }
  return ended_ ? Status::kEndOfMessage : Status::kNeedData;
}

SmtpIntake::Status SmtpIntake::ReadChunk(ByteQueue& input,
                                         std::string& octets) {
  const std::string_view bytes =
      input.bytes().substr(0, std::min<uint64_t>(chunk_.octets, input.size()));
  if (!dropping_) {
    const auto status = reader_.ReadPlain(bytes, octets);
    if (status == SmtpBodyReader::Status::kBroken) return Status::kBroken;
    taken_bytes_ += bytes.size();
  }
  chunk_.octets -= bytes.size();
  input.Consume(bytes.size());
  if (chunk_.octets > 0) return Status::kNeedData;
  if (dropping_) return Status::kEndOfMessage;
  if (!chunk_.last) return Status::kEndOfChunk;
  return reader_.ends_well() ? Status::kEndOfMessage : Status::kBroken;
}

}  // namespace gatehouse
