#ifndef GATEHOUSE_BENCHMARKS_LOAD_SOCKETS_H_
#define GATEHOUSE_BENCHMARKS_LOAD_SOCKETS_H_

#include <cstdint>
#include <string>

namespace gatehouse::load {

// Returns `result` of a system call; where it is negative, says what failed
// and ends the program: a load tool has nothing to fall back on.
int Require(int result, const char* what);

// A listening socket on an IPv4 address that other threads may share
// (SO_REUSEPORT). Port 0: the kernel chooses.
int ListenOn(const std::string& address, uint16_t port);
uint16_t LocalPort(int fd);

// The next waiting connection, TCP_NODELAY set; -1 if there is none.
int AcceptFrom(int listener);

// A connection under way; the poller says when it is up. `source` "": the
// kernel chooses the address.
int ConnectTo(const std::string& address, uint16_t port,
              const std::string& source);

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_SOCKETS_H_
