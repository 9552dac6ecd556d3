#include "lib/protocol/smtp/smtp_reply_reader.h"

#include <algorithm>
#include <utility>

namespace gatehouse {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// 0 where the line doesn't begin with a reply code (RFC 5321 §4.2).
int CodeOf(std::string_view line) {
  if (line.size() < 3) return 0;
  const bool sound =
      line[0] >= '2' && line[0] <= '5' && IsDigit(line[1]) && IsDigit(line[2]);
  if (!sound) return 0;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

// "0", or at most three digits without a leading zero (RFC 3463 §2).
bool IsEnhancedPart(std::string_view part) {
  return !part.empty() && part.size() <= 3 &&
         std::all_of(part.begin(), part.end(), IsDigit) &&
         (part.size() == 1 || part[0] != '0');
}

// The enhanced code (RFC 2034 §4) at the front of a text, of the reply's own
// class; empty where there is none.
std::string_view EnhancedOf(std::string_view text, char reply_class) {
  const std::string_view word = text.substr(0, text.find(' '));
  if (word.size() < 5 || word[0] != reply_class || word[1] != '.') return "";
  const size_t dot = word.find('.', 2);
  const bool sound = reply_class != '3' && dot != word.npos &&
                     IsEnhancedPart(word.substr(2, dot - 2)) &&
                     IsEnhancedPart(word.substr(dot + 1));
  return sound ? word : "";
}

}  // namespace

SmtpReplyReader::Status SmtpReplyReader::Next(SmtpReply& reply) {
  while (!complete_) {
    const LineFramer::Result line = framer_.Find(input_.bytes());
    if (line.status == LineFramer::Status::kNeedData) return Status::kNeedData;
    begun_bytes_ += line.size;
    if (line.status != LineFramer::Status::kLine ||
        begun_bytes_ > most_bytes_ || !AddLine(line.line)) {
      return Status::kBroken;
    }
    input_.Consume(line.size);
  }
  reply = std::exchange(begun_, {});
  begun_bytes_ = 0;
  complete_ = false;
  return Status::kReply;
}

bool SmtpReplyReader::AddLine(std::string_view line) {
  const int code = CodeOf(line);
  const bool first = begun_.lines.empty();
  if (code == 0 || (!first && code != begun_.code)) return false;
  if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return false;
  std::string_view text = line.substr(std::min<size_t>(4, line.size()));
  const std::string_view enhanced = EnhancedOf(text, line[0]);
  if (first) {
    begun_.code = code;
    begun_.enhanced = enhanced;
  }
  if (!enhanced.empty() && enhanced == begun_.enhanced) {
    text.remove_prefix(std::min(enhanced.size() + 1, text.size()));
  }
  begun_.lines.emplace_back(text);
  complete_ = line.size() == 3 || line[3] == ' ';
  return true;
}

std::string SmtpReplyReader::TakeUnread() {
  std::string unread(input_.bytes());
  input_.Clear();
  framer_.Restart();
  return unread;
}

}  // namespace gatehouse
