#ifndef GATEHOUSE_LIB_PROTOCOL_LINE_FRAMER_H_
#define GATEHOUSE_LIB_PROTOCOL_LINE_FRAMER_H_

#include <cstddef>
#include <string_view>

namespace gatehouse {

// Finds the line at the front of a buffer that grows. Each octet is looked at
// once, however the line is chopped.
//
// Strict: a line ends in CRLF. LF alone ends it too, but as a broken one: a
// peer that takes LF for a line's end and one that doesn't would otherwise see
// different commands in the same octets.
class LineFramer {
 public:
  // `longest_bytes`: the most that a line may have, its end included.
  explicit LineFramer(size_t longest_bytes) : longest_bytes_(longest_bytes) {}

  enum class Status {
    kNeedData,
    kLine,
    kBroken,   // ends in LF alone, or holds a CR elsewhere, or a NUL
    kTooLong,  // with or without an end
  };
  struct Result {
    Status status = Status::kNeedData;
    std::string_view line;  // without its end, for kLine and kBroken
    size_t size = 0;        // with its end
  };

  // `bytes` is everything unread from the line's first octet on: after
  // kNeedData the same octets and more, after kLine or kBroken those behind it.
  Result Find(std::string_view bytes);

  // The next Find() begins a line.
  void Restart() { scanned_ = 0; }

 private:
  size_t longest_bytes_;
  size_t scanned_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_LINE_FRAMER_H_
