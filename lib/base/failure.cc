#include "lib/base/failure.h"

namespace gatehouse {

std::string_view SideName(Failure::Side side) {
  switch (side) {
    case Failure::Side::kDownstream:
      return "downstream";
    case Failure::Side::kDirectory:
      return "directory";
    case Failure::Side::kUpstream:
      return "upstream";
    case Failure::Side::kLocal:
      return "local";
  }
  return "unknown";
}

std::string_view KindName(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kUnreachable:
      return "unreachable";
    case Failure::Kind::kTimeout:
      return "timeout";
    case Failure::Kind::kReset:
      return "reset";
    case Failure::Kind::kTls:
      return "tls";
    case Failure::Kind::kProtocol:
      return "protocol";
    case Failure::Kind::kRefused:
      return "refused";
    case Failure::Kind::kConfiguration:
      return "configuration";
    case Failure::Kind::kExhausted:
      return "exhausted";
  }
  return "unknown";
}

}  // namespace gatehouse
