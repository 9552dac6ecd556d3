#ifndef GATEHOUSE_LIB_TESTING_TEST_TLS_CONTEXTS_H_
#define GATEHOUSE_LIB_TESTING_TEST_TLS_CONTEXTS_H_

#include <memory>

#include "lib/net/tls_context.h"

namespace gatehouse {

// Contexts that a FakeStream's handshake takes but never looks into.
std::shared_ptr<const TlsServerContext> TestServerTls();
std::shared_ptr<const TlsClientContext> TestClientTls();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TEST_TLS_CONTEXTS_H_
