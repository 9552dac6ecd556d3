#ifndef GATEHOUSE_BENCHMARKS_LOAD_TRANSPORT_H_
#define GATEHOUSE_BENCHMARKS_LOAD_TRANSPORT_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace gatehouse::load {

// The client's side of TLS for a whole run. With `resume`, every connection
// offers the newest ticket, so that the first one alone is a full handshake.
class TlsClient {
 public:
  // Ends the program where the CA file can't be read.
  TlsClient(const std::string& ca_file, bool resume);

  bssl::UniquePtr<SSL> NewConnection(int fd);
  bool resumes() const { return resume_; }

 private:
  static int KeepTicket(SSL* ssl, SSL_SESSION* session);

  const bool resume_;
  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL_SESSION> ticket_;
};

// A connected, or connecting, non-blocking socket, with TLS or without.
class Transport {
 public:
  enum class Outcome { kProgress, kWouldBlock, kEof, kFailed };

  // Takes over the descriptor. `tls` null: none.
  Transport(int fd, TlsClient* tls);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // kProgress: established; may be called again.
  Outcome Handshake();
  Outcome Read(char* buffer, size_t size, size_t& count);
  Outcome Write(std::string_view bytes, size_t& count);

  int fd() const { return fd_; }
  bool resumed() const;
  // Of the last kFailed.
  const std::string& failure() const { return failure_; }

 private:
  Outcome FromTls(int result);
  Outcome FromErrno();

  const int fd_;
  bssl::UniquePtr<SSL> ssl_;
  bool established_ = false;
  std::string failure_;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_TRANSPORT_H_
