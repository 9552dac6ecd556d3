#include "lib/net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace gatehouse {
namespace {

// Pages of a pipe are the user's quota (64 MiB without privileges), and two
// descriptors each are taken from the sessions.
constexpr int kMostPipes = 64;
constexpr size_t kMostIdlePipes = 4;
constexpr int kPipeBytes = 512 * 1024;

constexpr unsigned kFlags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;

}  // namespace

std::unique_ptr<Pipe> Pipe::Open() {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  // Where the quota is used up, the kernel's own size has to do.
  fcntl(fds[1], F_SETPIPE_SZ, kPipeBytes);
  return std::unique_ptr<Pipe>(new Pipe(fds[0], fds[1]));
}

Pipe::~Pipe() {
  close(read_fd_);
  close(write_fd_);
}

ssize_t Pipe::Fill(int socket, size_t limit) {
  const ssize_t count =
      splice(socket, nullptr, write_fd_, nullptr, limit, kFlags);
  if (count > 0) held_bytes_ += count;
  return count;
}

ssize_t Pipe::Empty(int socket) {
  const ssize_t count =
      splice(read_fd_, nullptr, socket, nullptr, held_bytes_, kFlags);
  if (count > 0) held_bytes_ -= count;
  return count;
}

std::unique_ptr<Pipe> PipePool::Take() {
  std::unique_ptr<Pipe> pipe;
  if (!idle_.empty()) {
    pipe = std::move(idle_.back());
    idle_.pop_back();
  } else if (lent_ < kMostPipes) {
    pipe = Pipe::Open();
  }
  if (pipe != nullptr) ++lent_;
  return pipe;
}

void PipePool::GiveBack(std::unique_ptr<Pipe> pipe) {
  --lent_;
  if (pipe->held_bytes() == 0 && idle_.size() < kMostIdlePipes) {
    idle_.push_back(std::move(pipe));
  }
}

}  // namespace gatehouse
