#ifndef GATEHOUSE_LIB_NET_NETWORK_H_
#define GATEHOUSE_LIB_NET_NETWORK_H_

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/endpoint.h"
#include "lib/base/failure.h"
#include "lib/net/stream.h"

namespace gatehouse {

// Something under way. Destroying it cancels it: its callback never runs
// afterwards. Callbacks never run inside the call that started the operation,
// and may destroy their own operation.
class Operation {
 public:
  virtual ~Operation() = default;
};

// An open listening socket; destroying it closes it.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual SocketAddress local() const = 0;  // the port chosen for port 0
};

// Hears when a listener can accept nothing more, for want of descriptors or
// memory. It tries again by itself, and connections wait in its backlog.
class ListenerObserver {
 public:
  virtual void OnAcceptPaused(std::string_view reason) = 0;
  // For some seconds nothing was wanting, or the listener has gone: once for
  // each pause, however often it was tried in between.
  virtual void OnAcceptResumed() = 0;

 protected:
  ~ListenerObserver() = default;
};

struct ListenOptions {
  bool reuse_port = false;  // several workers share one address
  int backlog = 1024;
  ListenerObserver* observer = nullptr;  // outlives the listener
};

struct ConnectOptions {
  absl::Duration timeout = absl::Seconds(5);
  SocketAddress source;  // unset: the kernel chooses
};

// Why work blocks, and so what it can hang on. Name servers that keep silent
// must not keep a password from being checked.
enum class BlockingKind {
  kCompute,           // crypt(3)
  kDisk,              // the message spool
  kNameLookup,        // getaddrinfo(3)
  kDirectoryConnect,  // libldap's connecting, TLS and first bind
};

// The outside world of one event loop: everything a session can do that isn't
// computing. One per worker thread; every call but Post() on that thread only.
class Network {
 public:
  virtual ~Network() = default;

  // The loop's idea of now; moves with the loop, not during a callback.
  virtual absl::Time Now() = 0;

  using AcceptCallback = absl::AnyInvocable<void(std::unique_ptr<Stream>)>;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(
      const SocketAddress& address, const ListenOptions& options,
      AcceptCallback on_accept) = 0;

  using ConnectResult = std::variant<std::unique_ptr<Stream>, Failure>;
  using ConnectCallback = absl::AnyInvocable<void(ConnectResult)>;
  virtual std::unique_ptr<Operation> Connect(const SocketAddress& address,
                                             const ConnectOptions& options,
                                             ConnectCallback done) = 0;

  // The addresses of an absolute host name, or the address that `host` spells.
  // Never uses the resolver's search list. Port 0 in each.
  using ResolveResult = std::variant<std::vector<SocketAddress>, Failure>;
  using ResolveCallback = absl::AnyInvocable<void(ResolveResult)>;
  virtual std::unique_ptr<Operation> Resolve(std::string_view host,
                                             ResolveCallback done) = 0;

  // Once, after `delay`; not sooner, and later by some ten milliseconds.
  virtual std::unique_ptr<Operation> StartTimer(
      absl::Duration delay, absl::AnyInvocable<void()> done) = 0;

  // Once, as soon as the loop is back from its present callback. Cheap.
  virtual std::unique_ptr<Operation> Defer(absl::AnyInvocable<void()> done) = 0;

  // Calls `ready` each time the descriptor, which stays the caller's, can be
  // read (or, if `writable`, written). A descriptor has one watch: another one
  // for it replaces the first.
  virtual std::unique_ptr<Operation> WatchFd(
      int fd, bool readable, bool writable,
      absl::AnyInvocable<void()> ready) = 0;

  // Runs `work` on some other thread, then `done` on the loop. Cancelling
  // drops `done`; `work` runs to its end all the same and must own what it
  // touches. For what can only block. Work waits for work of its own kind only.
  virtual std::unique_ptr<Operation> RunOffLoop(
      BlockingKind kind, absl::AnyInvocable<void()> work,
      absl::AnyInvocable<void()> done) = 0;

  // From any thread: runs `task` on the loop soon.
  virtual void Post(absl::AnyInvocable<void()> task) = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_NETWORK_H_
