#ifndef GATEHOUSE_LIB_SESSION_SHORT_TEXT_H_
#define GATEHOUSE_LIB_SESSION_SHORT_TEXT_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace gatehouse {

// A text of at most kMostBytes bytes without NUL, held inside the object: for
// words whose longest is known, in objects of which there are very many. What
// is longer is cut.
template <size_t kMostBytes>
class ShortText {
 public:
  ShortText() = default;
  ShortText& operator=(std::string_view text) {
    text = text.substr(0, kMostBytes);
    std::fill(std::copy(text.begin(), text.end(), bytes_), std::end(bytes_),
              '\0');
    return *this;
  }

  operator std::string_view() const {
    return std::string_view(bytes_, strnlen(bytes_, kMostBytes));
  }
  bool empty() const { return bytes_[0] == '\0'; }

  friend bool operator==(const ShortText& a, std::string_view b) {
    return std::string_view(a) == b;
  }

 private:
  char bytes_[kMostBytes] = {};
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SESSION_SHORT_TEXT_H_
