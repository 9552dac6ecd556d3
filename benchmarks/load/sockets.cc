#include "benchmarks/load/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gatehouse::load {
namespace {

constexpr int kOn = 1;
// What the kernel allows (net.core.somaxconn): bursts must wait, not fail.
constexpr int kBacklog = 4096;

sockaddr_in Ipv4(const std::string& address, uint16_t port) {
  sockaddr_in result = {};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1) {
    std::fprintf(stderr, "%s is not an IPv4 address\n", address.c_str());
    std::exit(2);
  }
  return result;
}

const sockaddr* Raw(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

int NewSocket() {
  return Require(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                 "socket");
}

}  // namespace

int Require(int result, const char* what) {
  if (result >= 0) return result;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(2);
}

int ListenOn(const std::string& address, uint16_t port) {
  int fd = NewSocket();
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn));
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &kOn, sizeof(kOn));
  sockaddr_in local = Ipv4(address, port);
  Require(bind(fd, Raw(local), sizeof(local)), "bind");
  Require(listen(fd, kBacklog), "listen");
  return fd;
}

uint16_t LocalPort(int fd) {
  sockaddr_in local = {};
  socklen_t size = sizeof(local);
  Require(getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size),
          "getsockname");
  return ntohs(local.sin_port);
}

int AcceptFrom(int listener) {
  int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) Require(fd, "accept");
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
  return fd;
}

int ConnectTo(const std::string& address, uint16_t port,
              const std::string& source) {
  int fd = NewSocket();
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
  if (!source.empty()) {
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &kOn, sizeof(kOn));
    sockaddr_in local = Ipv4(source, 0);
    Require(bind(fd, Raw(local), sizeof(local)), "bind");
  }
  sockaddr_in remote = Ipv4(address, port);
  int result = connect(fd, Raw(remote), sizeof(remote));
  if (result < 0 && errno != EINPROGRESS) Require(result, "connect");
  return fd;
}

}  // namespace gatehouse::load
