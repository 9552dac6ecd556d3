#ifndef GATEHOUSE_LIB_NET_SOCKET_H_
#define GATEHOUSE_LIB_NET_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/endpoint.h"
#include "lib/base/failure.h"
#include "lib/net/network.h"

namespace gatehouse {

// The strings of errno's values, for any thread.
std::string ErrorText(int error);

// What an errno of a socket call means: kReset, kTimeout, kExhausted or
// kUnreachable.
Failure::Kind KindOfError(int error);

// The error that waits on the socket; 0 without one.
int PendingError(int fd);

SocketAddress LocalAddress(int fd);  // not set where there is none
SocketAddress PeerAddress(int fd);

void SetKeepAlive(int fd);

// Non-blocking sockets with TCP_NODELAY, a listening one with keep-alive too: an
// accepted socket inherits both. Their descriptors are the caller's.
absl::StatusOr<int> OpenListeningSocket(const SocketAddress& address,
                                        const ListenOptions& options);
// Less than 0: minus errno. Nothing is connected yet.
int OpenConnectingSocket(const SocketAddress& address,
                         const SocketAddress& source);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_SOCKET_H_
