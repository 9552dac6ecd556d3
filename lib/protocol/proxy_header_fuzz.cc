// Any chopping of any octets gives one answer, and what was read can be sent.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/protocol/proxy_header.h"

namespace gatehouse {
namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

struct Outcome {
  ProxyHeaderParser::Status status = ProxyHeaderParser::Status::kNeedData;
  size_t consumed = 0;
};

Outcome Parse(ProxyHeaderParser& parser, std::string_view bytes, size_t piece) {
  Outcome outcome;
  while (outcome.status == ProxyHeaderParser::Status::kNeedData &&
         outcome.consumed < bytes.size()) {
    size_t consumed = 0;
    outcome.status =
        parser.Feed(bytes.substr(outcome.consumed, piece), consumed);
    Require(consumed > 0);
    outcome.consumed += consumed;
  }
  return outcome;
}

void Fuzz(std::string_view bytes) {
  ProxyHeaderParser whole;
  ProxyHeaderParser octets;
  const Outcome first = Parse(whole, bytes, bytes.size());
  const Outcome second = Parse(octets, bytes, 1);
  Require(first.status == second.status);
  Require(first.consumed == second.consumed);
  if (first.status != ProxyHeaderParser::Status::kDone) return;
  const std::string sent =
      EncodeProxyHeader(whole.header(), ProxyChecksum::kAdd);
  ProxyHeaderParser again;
  Require(Parse(again, sent, sent.size()).status ==
          ProxyHeaderParser::Status::kDone);
  Require(again.header().source.port() == whole.header().source.port());
}

}  // namespace
}  // namespace gatehouse

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gatehouse::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
