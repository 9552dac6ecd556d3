#include "lib/protocol/line_framer.h"

namespace gatehouse {

LineFramer::Result LineFramer::Find(std::string_view bytes) {
  const size_t line_feed = bytes.find('\n', scanned_);
  if (line_feed == std::string_view::npos) {
    scanned_ = bytes.size();
    const bool fits = bytes.size() < longest_bytes_;
    return {fits ? Status::kNeedData : Status::kTooLong, {}, 0};
  }
  scanned_ = 0;
  const size_t size = line_feed + 1;
  if (size > longest_bytes_) return {Status::kTooLong, {}, 0};
  std::string_view line = bytes.substr(0, line_feed);
  const bool ends_in_crlf = line.ends_with('\r');
  if (ends_in_crlf) line.remove_suffix(1);
  const bool sound = ends_in_crlf && line.find('\r') == line.npos &&
                     line.find('\0') == line.npos;
  return {sound ? Status::kLine : Status::kBroken, line, size};
}

}  // namespace gatehouse
