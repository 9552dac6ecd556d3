#include "lib/protocol/pop3/pop3_protocol.h"
#include "lib/server/service.h"

int main(int argc, char** argv) {
  return gatehouse::RunServer({"pop3proxy", gatehouse::Pop3Protocol()}, argc,
                              argv);
}
