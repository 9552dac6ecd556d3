#ifndef GATEHOUSE_LIB_SESSION_RARE_TEXT_H_
#define GATEHOUSE_LIB_SESSION_RARE_TEXT_H_

#include <memory>
#include <string>
#include <string_view>

namespace gatehouse {

// A text that is nearly always empty, held out of line: for objects of which
// there are very many.
class RareText {
 public:
  RareText() = default;
  RareText& operator=(std::string_view text) {
    text_ = text.empty() ? nullptr : std::make_unique<std::string>(text);
    return *this;
  }

  operator std::string_view() const {
    return text_ == nullptr ? std::string_view() : std::string_view(*text_);
  }
  bool empty() const { return text_ == nullptr; }

 private:
  std::unique_ptr<const std::string> text_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_RARE_TEXT_H_
