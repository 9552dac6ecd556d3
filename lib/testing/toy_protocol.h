#ifndef GATEHOUSE_LIB_TESTING_TOY_PROTOCOL_H_
#define GATEHOUSE_LIB_TESTING_TOY_PROTOCOL_H_

#include "lib/protocol/machine.h"

namespace gatehouse {

// A mail protocol that is small enough to be seen through, for tests of what
// stands above the machines. Lines end in LF.
//
//   downstream                       upstream
//   < HELLO                          > HELLO
//   > TLS            < OK            < TLS            > OK
//   > LOGIN u p      < OK caps       < LOGIN u p      > OK caps
//                    < NO kind       < MASTER m u p   > NO kind
//   > TOKEN u t                      < TOKEN u t
//                                    < CLIENT address (before the login)
//   > QUIT           < BYE           < QUIT (a probe)
//
// `kind` is one of kLoginRefusalNames; Shutdown() says "BYE reason".
const Protocol& ToyProtocol();

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TOY_PROTOCOL_H_
