#ifndef GATEHOUSE_LIB_DIRECTORY_LRU_MAP_H_
#define GATEHOUSE_LIB_DIRECTORY_LRU_MAP_H_

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {

// A map of bounded size that forgets what was used longest ago. Not for
// several threads.
template <typename Value>
class LruMap {
 public:
  // Of keys and values together, with what the map itself takes.
  explicit LruMap(size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  // Null where it isn't there. What is found counts as used. Valid until the
  // next Put() or Erase().
  Value* Find(std::string_view key) {
    const auto found = places_.find(ToAbsl(key));
    if (found == places_.end()) return nullptr;
    nodes_.splice(nodes_.begin(), nodes_, found->second);
    return &found->second->value;
  }

  // `value_bytes` is what the value takes, its own object included.
  void Put(std::string_view key, Value value, size_t value_bytes) {
    Erase(key);
    const size_t bytes = kNodeBytes + key.size() + value_bytes;
    if (bytes > capacity_bytes_) return;
    nodes_.push_front(Node{std::string(key), std::move(value), bytes});
    places_.emplace(ToAbsl(nodes_.front().key), nodes_.begin());
    bytes_ += bytes;
    while (bytes_ > capacity_bytes_) Erase(nodes_.back().key);
  }

  void Erase(std::string_view key) {
    const auto found = places_.find(ToAbsl(key));
    if (found == places_.end()) return;
    const auto node = found->second;
    bytes_ -= node->bytes;
    places_.erase(found);  // before the key that it points to
    nodes_.erase(node);
  }

  size_t size() const { return places_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Node {
    std::string key;
    Value value;
    size_t bytes;
  };
  using Nodes = std::list<Node>;
  using Places =
      absl::flat_hash_map<absl::string_view, typename Nodes::iterator>;
  // A list's links and what malloc adds to them, and a slot of the table, which
  // is on average two thirds full.
  static constexpr size_t kNodeBytes =
      sizeof(Node) - sizeof(Value) + 2 * sizeof(void*) + 16 +
      3 * (sizeof(typename Places::value_type) + 1) / 2;

  const size_t capacity_bytes_;
  size_t bytes_ = 0;
  Nodes nodes_;  // the latest used first
  Places places_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_DIRECTORY_LRU_MAP_H_
