#ifndef GATEHOUSE_LIB_NET_TLS_ENGINE_H_
#define GATEHOUSE_LIB_NET_TLS_ENGINE_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/byte_queue.h"
#include "lib/net/stream.h"

namespace gatehouse {

// One side of one TLS connection, over memory: records in, records out, no
// socket. Records to be sent are appended to the `records` argument of the
// call that makes them, also when it fails (an alert).
//
// An idle engine has given back what only a handshake needs, and holds no
// buffer.
class TlsEngine {
 public:
  enum class Status {
    kOk,
    kNeedsInput,  // Feed() more first
    kClosed,      // the peer's close_notify: nothing more will come
    kFailed,      // error_text() says why
  };

  // `context` must outlive the engine.
  static std::unique_ptr<TlsEngine> ForServer(const TlsServerContext& context);
  // `verify_name` is sent as SNI if it isn't an address; where it is neither,
  // the handshake fails before it begins.
  static std::unique_ptr<TlsEngine> ForClient(const TlsClientContext& context,
                                              std::string_view verify_name);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // What the peer sent. Must stay valid until it was read or HoldInput().
  void Feed(std::string_view records) { input_ = records; }
  // Copies what wasn't read yet.
  void HoldInput();
  // Whether Read() may give something without Feed().
  bool has_input() const;

  // Goes on with the handshake; kOk when it is done.
  Status Handshake(std::string& records);
  bool established() const { return established_; }

  // Plaintext for the peer. Before the handshake is done it is kept.
  void Write(std::string_view plaintext, std::string& records);
  size_t held_bytes() const { return held_.size(); }
  void CloseNotify(std::string& records);

  // Decrypts up to `size` bytes, at least 16 KiB, into `plaintext`, and says
  // how many in `count`; kOk where there are any.
  Status Read(char* plaintext, size_t size, size_t& count,
              std::string& records);

  const std::string& error_text() const { return error_text_; }
  std::unique_ptr<TlsSession> Session() const;

 private:
  friend struct TlsBio;

  TlsEngine(SSL_CTX* context, bool verifies_peer);
  Status StatusOf(int result);
  std::string DescribeError(int error) const;
  void NoteRecord(char* memory, size_t size);
  // As SSL_read(), a whole record, of which nothing stays behind.
  int ReadRecord(char* plaintext);

  bssl::UniquePtr<SSL> ssl_;
  std::string_view input_;
  ByteQueue held_input_;            // read before input_
  ByteQueue held_;                  // plaintext from before the handshake's end
  std::string* records_ = nullptr;  // inside a call
  char* record_ = nullptr;  // where BoringSSL holds what it has read last
  size_t record_size_ = 0;
  bool established_ = false;
  bool verifies_peer_;
  const ASN1_OBJECT* identity_attribute_ = nullptr;  // the server context's
  std::string error_text_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_TLS_ENGINE_H_
