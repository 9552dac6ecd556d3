#ifndef GATEHOUSE_LIB_BASE_SECRET_H_
#define GATEHOUSE_LIB_BASE_SECRET_H_

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace gatehouse {

// A password or token. It is wiped when it goes, cannot be copied by accident
// or printed, and only Reveal() shows it: searching for that word finds every
// place where a secret leaves its box.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Wipe(); }

  // The secret's octets; valid while this object lives and isn't moved from.
  std::string_view Reveal() const { return {data_.get(), size_}; }
  bool empty() const { return size_ == 0; }

  // A second copy, for a second reader (the directory and the upstream login).
  Secret Clone() const { return Secret(Reveal()); }

  void Wipe();

 private:
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
};

// Appends all parts and CRLF to `text`, which grows once: no copy of a secret
// among them stays behind in memory.
void AppendLine(std::string& text,
                std::initializer_list<std::string_view> parts);

// Empties `text` and overwrites what it held, for output that carried a secret.
void WipeString(std::string& text);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_SECRET_H_
