#ifndef GATEHOUSE_LIB_DIRECTORY_NAME_TEMPLATE_H_
#define GATEHOUSE_LIB_DIRECTORY_NAME_TEMPLATE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lib/directory/login_name.h"

namespace gatehouse {

// Text with holes for a name: %e the whole name, %u its local part, %d its
// domain, %% a percent sign. Immutable, so safe for any number of threads.
class NameTemplate {
 public:
  NameTemplate() = default;
  explicit NameTemplate(std::string_view text) : text_(text) {}

  // The error names the position, counted from 1, of an unknown %-letter.
  static absl::Status Check(std::string_view text);

  const std::string& text() const { return text_; }
  // Whether there is a hole of one of these letters.
  bool HasHole(std::string_view letters) const;

  // The holes filled by the name, each value first written as `quote` has it.
  using Quote = std::string (*)(std::string_view value);
  std::string Fill(const LoginName& name, Quote quote) const;

  // The holes filled by the name as it is. Where the text is but one hole, as
  // in nearly all filters, that is a part of the name; `buffer` holds it else.
  std::string_view Fill(const LoginName& name, std::string& buffer) const;

  friend bool operator==(const NameTemplate&, const NameTemplate&) = default;

 private:
  std::string text_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_NAME_TEMPLATE_H_
