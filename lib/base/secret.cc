#include "lib/base/secret.h"

#include <string.h>

#include <utility>

namespace gatehouse {

Secret::Secret(std::string_view text) : size_(text.size()) {
  if (text.empty()) return;
  data_.reset(new char[size_]);
  memcpy(data_.get(), text.data(), size_);
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Secret::Wipe() {
  if (data_ != nullptr) explicit_bzero(data_.get(), size_);
  data_.reset();
  size_ = 0;
}

void AppendLine(std::string& text,
                std::initializer_list<std::string_view> parts) {
  constexpr std::string_view kEnd = "\r\n";
  size_t size = text.size() + kEnd.size();
  for (const std::string_view part : parts) size += part.size();
  text.reserve(size);
  for (const std::string_view part : parts) text += part;
  text += kEnd;
}

void WipeString(std::string& text) {
  explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace gatehouse
