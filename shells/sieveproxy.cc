#include "lib/protocol/sieve/sieve_protocol.h"
#include "lib/server/service.h"

int main(int argc, char** argv) {
  return gatehouse::RunServer({"sieveproxy", gatehouse::SieveProtocol()}, argc,
                              argv);
}
