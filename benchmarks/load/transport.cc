#include "benchmarks/load/transport.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gatehouse::load {

TlsClient::TlsClient(const std::string& ca_file, bool resume)
    : resume_(resume), context_(SSL_CTX_new(TLS_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (!SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr)) {
    std::fprintf(stderr, "%s: no CA certificate\n", ca_file.c_str());
    std::exit(2);
  }
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_session_cache_mode(
      context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (resume) SSL_CTX_sess_set_new_cb(context, &TlsClient::KeepTicket);
}

int TlsClient::KeepTicket(SSL* ssl, SSL_SESSION* session) {
  SSL_CTX* context = SSL_get_SSL_CTX(ssl);
  static_cast<TlsClient*>(SSL_CTX_get_app_data(context))
      ->ticket_.reset(session);
  return 1;  // the reference is ours
}

bssl::UniquePtr<SSL> TlsClient::NewConnection(int fd) {
  bssl::UniquePtr<SSL> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), fd);
  SSL_set_connect_state(ssl.get());
  if (ticket_ != nullptr) SSL_set_session(ssl.get(), ticket_.get());
  return ssl;
}

Transport::Transport(int fd, TlsClient* tls) : fd_(fd) {
  if (tls != nullptr) ssl_ = tls->NewConnection(fd);
}

Transport::~Transport() { close(fd_); }

Transport::Outcome Transport::Handshake() {
  if (established_) return Outcome::kProgress;
  if (ssl_ != nullptr) {
    int result = SSL_do_handshake(ssl_.get());
    if (result <= 0) return FromTls(result);
  }
  established_ = true;
  return Outcome::kProgress;
}

Transport::Outcome Transport::Read(char* buffer, size_t size, size_t& count) {
  if (ssl_ != nullptr) {
    int result = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
    count = result > 0 ? result : 0;
    return result > 0 ? Outcome::kProgress : FromTls(result);
  }
  ssize_t result = recv(fd_, buffer, size, 0);
  count = result > 0 ? result : 0;
  if (result == 0) return Outcome::kEof;
  return result > 0 ? Outcome::kProgress : FromErrno();
}

Transport::Outcome Transport::Write(std::string_view bytes, size_t& count) {
  if (ssl_ != nullptr) {
    int result =
        SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    count = result > 0 ? result : 0;
    return result > 0 ? Outcome::kProgress : FromTls(result);
  }
  ssize_t result = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  count = result > 0 ? result : 0;
  return result >= 0 ? Outcome::kProgress : FromErrno();
}

bool Transport::resumed() const {
  return ssl_ != nullptr && SSL_session_reused(ssl_.get());
}

Transport::Outcome Transport::FromTls(int result) {
  int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    return Outcome::kWouldBlock;
  }
  // Some proxies end without close_notify; the scripts know what must have
  // come before the end.
  bool is_fin = error == SSL_ERROR_SYSCALL && result == 0;
  if (error == SSL_ERROR_ZERO_RETURN || is_fin) return Outcome::kEof;
  if (error == SSL_ERROR_SYSCALL) return FromErrno();
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  ERR_clear_error();
  failure_ = text;
  return Outcome::kFailed;
}

Transport::Outcome Transport::FromErrno() {
  if (errno == EAGAIN || errno == ENOTCONN) return Outcome::kWouldBlock;
  failure_ = std::strerror(errno);
  return Outcome::kFailed;
}

}  // namespace gatehouse::load
