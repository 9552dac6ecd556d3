#ifndef GATEHOUSE_LIB_NET_PIPE_POOL_H_
#define GATEHOUSE_LIB_NET_PIPE_POOL_H_

#include <cstddef>
#include <memory>
#include <vector>

namespace gatehouse {

// A pipe, through which splice(2) moves bytes from one socket to another
// without copying them.
class Pipe {
 public:
  // Null where the kernel has none to give.
  static std::unique_ptr<Pipe> Open();
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // From a socket, up to `limit` bytes; to a socket, all it takes. As for
  // splice(2): less than 0 with errno, 0 at the end of input.
  ssize_t Fill(int socket, size_t limit);
  ssize_t Empty(int socket);
  size_t held_bytes() const { return held_bytes_; }

 private:
  Pipe(int read_fd, int write_fd) : read_fd_(read_fd), write_fd_(write_fd) {}

  int read_fd_;
  int write_fd_;
  size_t held_bytes_ = 0;
};

// The pipes of one loop. A session has one only while it holds bytes that the
// other side hasn't taken.
class PipePool {
 public:
  // Null where there are enough already: then bytes are copied.
  std::unique_ptr<Pipe> Take();
  // One that still holds bytes is closed.
  void GiveBack(std::unique_ptr<Pipe> pipe);

 private:
  std::vector<std::unique_ptr<Pipe>> idle_;
  int lent_ = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_PIPE_POOL_H_
