#include "lib/net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/status/status.h"

namespace gatehouse {
namespace {

// A peer that has vanished without a word is found within ten minutes, and a
// NAT that forgets after some minutes is kept awake.
constexpr int kKeepAliveIdleSeconds = 300;
constexpr int kKeepAliveIntervalSeconds = 60;
constexpr int kKeepAliveProbes = 5;

bool Set(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

int OpenSocket(const SocketAddress& address) {
  return socket(address.raw()->sa_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool BindAndListen(int fd, const SocketAddress& address,
                   const ListenOptions& options) {
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetKeepAlive(fd);
  return Set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
         (!options.reuse_port || Set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
         (!address.is_v6() || Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
         bind(fd, address.raw(), address.raw_size()) == 0 &&
         listen(fd, options.backlog) == 0;
}

bool BindSource(int fd, const SocketAddress& source) {
  // The port is chosen when connecting: then 28,000 connections are possible
  // to each upstream, not to all together.
  return Set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) &&
         bind(fd, source.raw(), source.raw_size()) == 0;
}

template <typename Ask>
SocketAddress AddressOf(int fd, Ask ask) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  if (ask(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return SocketAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&storage));
}

}  // namespace

std::string ErrorText(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

Failure::Kind KindOfError(int error) {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return Failure::Kind::kReset;
    case ETIMEDOUT:
      return Failure::Kind::kTimeout;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAGAIN:
      return Failure::Kind::kExhausted;
    default:
      return Failure::Kind::kUnreachable;
  }
}

int PendingError(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

SocketAddress LocalAddress(int fd) { return AddressOf(fd, getsockname); }
SocketAddress PeerAddress(int fd) { return AddressOf(fd, getpeername); }

void SetKeepAlive(int fd) {
  Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  Set(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

absl::StatusOr<int> OpenListeningSocket(const SocketAddress& address,
                                        const ListenOptions& options) {
  const int fd = OpenSocket(address);
  if (fd >= 0 && BindAndListen(fd, address, options)) return fd;
  const std::string text =
      "listen on " + address.ToString() + ": " + ErrorText(errno);
  if (fd >= 0) close(fd);
  return absl::UnavailableError(text);
}

int OpenConnectingSocket(const SocketAddress& address,
                         const SocketAddress& source) {
  const int fd = OpenSocket(address);
  if (fd < 0) return -errno;
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!source.is_set() || BindSource(fd, source)) return fd;
  const int error = errno;
  close(fd);
  return -error;
}

}  // namespace gatehouse
