#ifndef GATEHOUSE_LIB_BASE_FAILURE_H_
#define GATEHOUSE_LIB_BASE_FAILURE_H_

#include <string>
#include <string_view>

namespace gatehouse {

// Trouble with the world around us: whose fault it is, what kind it is, and
// whether trying again could help. A peer that breaks its protocol is an event
// of the machine that noticed; a bug of ours is a CHECK.
struct Failure {
  enum class Side { kDownstream, kDirectory, kUpstream, kLocal };
  enum class Kind {
    kUnreachable,    // no connection: refused, no route, name doesn't resolve
    kTimeout,        // an answer didn't come before its deadline
    kReset,          // the connection ended where it must not
    kTls,            // handshake or certificate
    kProtocol,       // the peer said what its protocol forbids
    kRefused,        // the peer understood, and said no
    kConfiguration,  // our settings, or the directory's data, are wrong
    kExhausted,      // out of descriptors, ports or memory
  };
  enum class Retry { kNo, kSafe };  // kSafe: nothing was done or promised yet

  Side side = Side::kLocal;
  Kind kind = Kind::kUnreachable;
  Retry retry = Retry::kNo;
  std::string text;  // for the operator's log; never holds a secret
};

std::string_view SideName(Failure::Side side);
std::string_view KindName(Failure::Kind kind);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_FAILURE_H_
