#include "lib/net/tls_engine.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "lib/base/check.h"
#include "lib/base/endpoint.h"
#include "lib/net/tls_peer.h"
#include "lib/net/tls_settings.h"

namespace gatehouse {

// BoringSSL's transport: reads what the engine was fed, writes to the records
// of the call under way.
struct TlsBio {
  static int Read(BIO* bio, char* out, int size) {
    auto* engine = static_cast<TlsEngine*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    ByteQueue& held = engine->held_input_;
    const std::string_view source =
        held.empty() ? engine->input_ : held.bytes();
    const size_t count = std::min(source.size(), static_cast<size_t>(size));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    memcpy(out, source.data(), count);
    engine->NoteRecord(out, count);
    if (held.empty()) {
      engine->input_.remove_prefix(count);
    } else {
      held.Consume(count);
    }
    return static_cast<int>(count);
  }

  static int Write(BIO* bio, const char* data, int size) {
    auto* engine = static_cast<TlsEngine*>(BIO_get_data(bio));
    engine->records_->append(data, size);
    return size;
  }

  static long Control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* Method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_TYPE_MEM, "gatehouse");
      BIO_meth_set_read(made, Read);
      BIO_meth_set_write(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return method;
  }
};

TlsEngine::TlsEngine(SSL_CTX* context, bool verifies_peer)
    : ssl_(SSL_new(context)), verifies_peer_(verifies_peer) {
  GATEHOUSE_CHECK(ssl_ != nullptr, "no memory for TLS");
  BIO* bio = BIO_new(TlsBio::Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_shed_handshake_config(ssl_.get(), 1);
}

TlsEngine::~TlsEngine() = default;

std::unique_ptr<TlsEngine> TlsEngine::ForServer(
    const TlsServerContext& context) {
  SSL_CTX* settings = context.impl().contexts.front().get();
  const bool verifies = SSL_CTX_get_verify_mode(settings) != SSL_VERIFY_NONE;
  std::unique_ptr<TlsEngine> engine(new TlsEngine(settings, verifies));
  engine->identity_attribute_ = context.impl().identity_attribute.get();
  SSL_set_accept_state(engine->ssl_.get());
  return engine;
}

std::unique_ptr<TlsEngine> TlsEngine::ForClient(const TlsClientContext& context,
                                                std::string_view verify_name) {
  const TlsClientContext::Impl& settings = context.impl();
  std::unique_ptr<TlsEngine> engine(
      new TlsEngine(settings.context.get(), settings.verify));
  SSL_set_connect_state(engine->ssl_.get());
  if (!ExpectPeer(engine->ssl_.get(), verify_name)) {
    engine->error_text_ = "TLS: no certificate can be valid for this name";
  }
  return engine;
}

void TlsEngine::HoldInput() {
  held_input_.Append(input_);
  input_ = {};
}

bool TlsEngine::has_input() const {
  return !input_.empty() || !held_input_.empty() ||
         SSL_has_pending(ssl_.get()) != 0;
}

TlsEngine::Status TlsEngine::StatusOf(int result) {
  if (result > 0) return Status::kOk;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return Status::kNeedsInput;
  if (error == SSL_ERROR_ZERO_RETURN) return Status::kClosed;
  error_text_ = DescribeError(error);
  return Status::kFailed;
}

std::string TlsEngine::DescribeError(int error) const {
  const uint32_t code = ERR_peek_last_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return "TLS: the certificate is not accepted: " +
           VerifyErrorText(ssl_.get());
  }
  const char* reason = ERR_reason_error_string(code);
  if (reason == nullptr) return "TLS: error " + std::to_string(error);
  std::string text = absl::AsciiStrToLower(reason);
  std::replace(text.begin(), text.end(), '_', ' ');
  return "TLS: " + text;
}

TlsEngine::Status TlsEngine::Handshake(std::string& records) {
  if (!error_text_.empty()) return Status::kFailed;
  records_ = &records;
  ERR_clear_error();
  const Status status = StatusOf(SSL_do_handshake(ssl_.get()));
  if (status != Status::kOk) return status;
  established_ = true;
  const ByteQueue waiting = std::exchange(held_, {});
  Write(waiting.bytes(), records);
  return status;
}

void TlsEngine::Write(std::string_view plaintext, std::string& records) {
  if (!established_) return held_.Append(plaintext);
  records_ = &records;
  ERR_clear_error();
  // The transport takes everything, so this is all or nothing.
  if (!plaintext.empty()) {
    SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
  }
}

void TlsEngine::CloseNotify(std::string& records) {
  if (!established_) return;
  records_ = &records;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

void TlsEngine::NoteRecord(char* memory, size_t size) {
  if (record_ == nullptr || record_ + record_size_ != memory) {
    record_ = memory;
    record_size_ = 0;
  }
  record_size_ += size;
}

int TlsEngine::ReadRecord(char* plaintext) {
  const int result = SSL_peek(ssl_.get(), plaintext, 1);
  if (result <= 0) return result;
  const int size = SSL_pending(ssl_.get());
  if (size > 1) SSL_read(ssl_.get(), plaintext, size - 1);
  SSL_peek(ssl_.get(), plaintext + size - 1, 1);
  // The record was decrypted in place, and its memory lives as long as an octet
  // of it is unread. BoringSSL frees it as it is, be there a password in it.
  explicit_bzero(record_, record_size_);
  char wiped;
  SSL_read(ssl_.get(), &wiped, 1);
  return size;
}

TlsEngine::Status TlsEngine::Read(char* plaintext, size_t size, size_t& count,
                                  std::string& records) {
  records_ = &records;
  ERR_clear_error();
  Status status = Status::kOk;
  count = 0;
  // As long as a whole record has room: none is left half read.
  while (size - count >= SSL3_RT_MAX_PLAIN_LENGTH) {
    const int result = ReadRecord(plaintext + count);
    status = StatusOf(result);
    if (status != Status::kOk) break;
    count += result;
  }
  // What was read comes first; the next call says the status again.
  return count > 0 ? Status::kOk : status;
}

std::unique_ptr<TlsSession> TlsEngine::Session() const {
  if (!established_) return nullptr;
  return DescribeSession(ssl_.get(), verifies_peer_, identity_attribute_);
}

}  // namespace gatehouse
