#include "lib/protocol/smtp/smtp_protocol.h"
#include "lib/server/service.h"
#include "lib/server/smtp_sessions.h"

int main(int argc, char** argv) {
  return gatehouse::RunServer(
      {"smtprouter", gatehouse::SmtpProtocol(), gatehouse::NewSmtpSessions},
      argc, argv);
}
