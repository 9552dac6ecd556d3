#ifndef GATEHOUSE_BENCHMARKS_LOAD_STORE_PROTOCOL_H_
#define GATEHOUSE_BENCHMARKS_LOAD_STORE_PROTOCOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::load {

// What the store has seen, over all threads.
struct StoreCounts {
  std::atomic<uint64_t> connections = 0;
  std::atomic<uint64_t> logins = 0;
  std::atomic<uint64_t> messages = 0;
  std::atomic<uint64_t> damaged = 0;  // messages or bulk that came in changed
  std::atomic<uint64_t> bytes_in = 0;
  std::atomic<uint64_t> bytes_out = 0;

  std::string ToJson() const;
};

// What is said next: text, then a stretch of the bulk stream, then text.
struct StoreReply {
  std::string text;
  uint64_t bulk_bytes = 0;
  std::string tail;
  bool close = false;  // after all that
};

// The store's side of one connection, just enough of a protocol that a proxy
// can log in. Passwords are not looked at.
class StoreProtocol {
 public:
  virtual ~StoreProtocol() = default;

  virtual std::string_view Greeting() const = 0;

  // Takes one command off the front of `input` and returns its size; 0 where
  // it isn't whole yet. May ask for the rest of it by a reply all the same.
  virtual size_t Take(std::string_view input, StoreReply& reply) = 0;
};

// The next word of `line`, in capitals, taken off with the space behind it.
std::string TakeVerb(std::string_view& line);

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_STORE_PROTOCOL_H_
