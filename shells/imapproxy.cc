#include "lib/protocol/imap/imap_protocol.h"
#include "lib/server/service.h"

int main(int argc, char** argv) {
  return gatehouse::RunServer({"imapproxy", gatehouse::ImapProtocol()}, argc,
                              argv);
}
