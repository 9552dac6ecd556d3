#include "benchmarks/load/line_stores.h"

#include "benchmarks/load/sample_data.h"

namespace gatehouse::load {
namespace {

// The first line without its CRLF; false where there is no whole line yet.
bool FirstLine(std::string_view input, std::string_view& line) {
  size_t end = input.find("\r\n");
  if (end == input.npos) return false;
  line = input.substr(0, end);
  return true;
}

}  // namespace

std::string_view Pop3Store::Greeting() const { return "+OK store ready\r\n"; }

size_t Pop3Store::Take(std::string_view input, StoreReply& reply) {
  std::string_view line;
  if (!FirstLine(input, line)) return 0;
  const size_t size = line.size() + 2;
  std::string verb = TakeVerb(line);
  if (awaits_sasl_ || verb == "PASS") ++counts_.logins;
  if (verb == "AUTH" && line.find(' ') == line.npos) {
    awaits_sasl_ = true;
    reply.text = "+ \r\n";
    return size;
  }
  if (verb == "AUTH") ++counts_.logins;
  awaits_sasl_ = false;
  reply.text = "+OK\r\n";
  if (verb == "CAPA") reply.text += "USER\r\nSASL PLAIN\r\nUIDL\r\n.\r\n";
  reply.close = verb == "QUIT";
  return size;
}

std::string_view SmtpStore::Greeting() const {
  return "220 store.example.com ESMTP\r\n";
}

size_t SmtpStore::Take(std::string_view input, StoreReply& reply) {
  if (in_data_) return TakeMessage(input, reply);
  std::string_view line;
  if (!FirstLine(input, line)) return 0;
  const size_t size = line.size() + 2;
  std::string verb = TakeVerb(line);
  reply.text = "250 2.0.0 OK\r\n";
  if (verb == "EHLO" || verb == "LHLO") {
    is_lmtp_ = verb == "LHLO";
    reply.text =
        "250-store.example.com\r\n250-8BITMIME\r\n250-SIZE 52428800\r\n"
        "250-PIPELINING\r\n250-AUTH PLAIN\r\n250 ENHANCEDSTATUSCODES\r\n";
  } else if (verb == "AUTH") {
    ++counts_.logins;
    reply.text = "235 2.7.0 OK\r\n";
  } else if (verb == "MAIL") {
    recipients_ = 0;
  } else if (verb == "RCPT") {
    ++recipients_;
  } else if (verb == "DATA") {
    in_data_ = true;
    reply.text = "354 go on\r\n";
  } else if (verb == "QUIT") {
    reply.text = "221 2.0.0 bye\r\n";
    reply.close = true;
  }
  return size;
}

size_t SmtpStore::TakeMessage(std::string_view input, StoreReply& reply) {
  size_t end = input.find("\r\n.\r\n");
  if (end == input.npos) return 0;
  std::string_view message = input.substr(0, end + 2);
  size_t header_end = message.find("\r\n\r\n");
  if (header_end == message.npos ||
      message.substr(header_end + 4) != SampleBody()) {
    ++counts_.damaged;
  }
  ++counts_.messages;
  in_data_ = false;
  int replies = is_lmtp_ ? recipients_ : 1;
  for (int i = 0; i < replies; ++i) reply.text += "250 2.0.0 taken\r\n";
  return end + 5;
}

size_t NginxAuthHelper::Take(std::string_view input, StoreReply& reply) {
  size_t end = input.find("\r\n\r\n");
  if (end == input.npos) return 0;
  std::string_view header = input.substr(0, end);
  uint16_t port = ports_.smtp;
  if (header.find("Auth-Protocol: imap") != header.npos) port = ports_.imap;
  if (header.find("Auth-Protocol: pop3") != header.npos) port = ports_.pop3;
  reply.text =
      "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\n"
      "Auth-Port: " +
      std::to_string(port) + "\r\n\r\n";
  reply.close = true;
  return end + 4;
}

size_t CountsTeller::Take(std::string_view input, StoreReply& reply) {
  if (input.empty()) return 0;
  reply.text = counts_.ToJson() + "\n";
  reply.close = true;
  return input.size();
}

}  // namespace gatehouse::load
