#ifndef GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_H_
#define GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"

namespace gatehouse {

// The values of one attribute in their order, as long as their entry stays as
// it is.
class LdapValues {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    explicit Iterator(const char* at) : at_(at) {}

    std::string_view operator*() const {
      return {at_ + sizeof(uint32_t), bytes()};
    }
    Iterator& operator++() {
      at_ += sizeof(uint32_t) + bytes();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    uint32_t bytes() const {
      uint32_t bytes;
      std::memcpy(&bytes, at_, sizeof(bytes));
      return bytes;
    }

    const char* at_ = nullptr;
  };
  using iterator = Iterator;
  using const_iterator = Iterator;
  using value_type = std::string_view;

  LdapValues() = default;
  // `packed`: each behind its length, as an entry keeps them.
  explicit LdapValues(std::string_view packed) : packed_(packed) {}

  Iterator begin() const { return Iterator(packed_.data()); }
  Iterator end() const { return Iterator(packed_.data() + packed_.size()); }
  bool empty() const { return packed_.empty(); }
  std::string_view front() const { return *begin(); }
  size_t size() const {
    return static_cast<size_t>(std::distance(begin(), end()));
  }
  // The first one that is `wanted`, without regard to the case of ASCII
  // letters, as it is spelt here.
  std::optional<std::string_view> Find(std::string_view wanted) const;

 private:
  std::string_view packed_;
};

// An entry of a directory: what a search has found, or what the live map keeps
// of one. All of it lies in one piece of memory, since nearly every entry is
// made, read once, and forgotten.
class LdapEntry {
 public:
  LdapEntry() = default;
  explicit LdapEntry(std::string dn)
      : text_(std::move(dn)),
        dn_bytes_(text_.size()),
        attribute_(text_.size()) {}

  std::string_view dn() const {
    return std::string_view(text_).substr(0, dn_bytes_);
  }
  // The values of the attribute, whose name is compared without regard to case;
  // none where it is missing or `name` is empty.
  LdapValues Values(std::string_view name) const;
  size_t attribute_count() const { return attribute_count_; }
  void ForEachAttribute(
      absl::FunctionRef<void(std::string_view name, LdapValues values)> visit)
      const;

  // Adds an attribute, none of whose name is there yet.
  void Add(std::string_view name,
           std::initializer_list<std::string_view> values = {});
  // Adds a value, head and tail in one, to the attribute that was added last.
  void AddValue(std::string_view head, std::string_view tail = {});

  // With the same attributes in the same order.
  friend bool operator==(const LdapEntry&, const LdapEntry&) = default;

 private:
  //   text      = dn *attribute
  //   attribute = bytes-of-values bytes-of-name name *value
  //   value     = bytes octets        ; all lengths are of 32 bits
  std::string text_;
  size_t dn_bytes_ = 0;
  size_t attribute_ = 0;  // where the last one begins
  size_t attribute_count_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LDAP_ENTRY_H_
