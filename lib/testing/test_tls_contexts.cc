#include "lib/testing/test_tls_contexts.h"

#include <array>
#include <cstddef>

namespace gatehouse {
namespace {

// Storage of the right shape, with no object in it: only its address is used.
template <typename Context>
std::shared_ptr<const Context> Unusable() {
  struct alignas(Context) Storage {
    std::array<std::byte, sizeof(Context)> bytes{};
  };
  auto storage = std::make_shared<Storage>();
  return std::shared_ptr<const Context>(
      storage, reinterpret_cast<const Context*>(storage.get()));
}

}  // namespace

std::shared_ptr<const TlsServerContext> TestServerTls() {
  return Unusable<TlsServerContext>();
}

std::shared_ptr<const TlsClientContext> TestClientTls() {
  return Unusable<TlsClientContext>();
}

}  // namespace gatehouse
