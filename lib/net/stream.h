#ifndef GATEHOUSE_LIB_NET_STREAM_H_
#define GATEHOUSE_LIB_NET_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/endpoint.h"
#include "lib/base/failure.h"

namespace gatehouse {

class Stream;
class TlsServerContext;
class TlsClientContext;

// Facts of an established TLS session.
struct TlsSession {
  std::string version;      // "TLSv1.3"
  std::string cipher;       // IANA name
  std::string server_name;  // SNI the client asked for; peer text
  bool resumed = false;
  // The peer's certificate, where one was presented and verified.
  bool peer_verified = false;
  std::string peer_subject;  // RFC 4514 text
  // Whom a client's certificate names, by the server context's choice
  // (`client_identity`); empty where it names nobody.
  std::string peer_identity;
};

// Who hears from a stream. All calls come from the loop, never from inside a
// call to the stream itself. A handler may do anything to the stream in any of
// them, destroy it too.
class StreamHandler {
 public:
  // Bytes arrived. They are the worker's own buffer: gone when this returns.
  virtual void OnData(std::string_view bytes) = 0;
  // Where all that comes is written unchanged. While both streams are
  // unencrypted and this one, of the same network, has nothing queued, what
  // comes in bulk may go there by the kernel alone, told by OnBulkPassed()
  // instead of OnData(). A stream that can't doesn't ask.
  virtual Stream* BulkSink() { return nullptr; }
  // So many bytes have gone to the sink, unseen. More have come already: the
  // last bytes of a burst are never among them.
  virtual void OnBulkPassed(size_t bytes) {}
  // The peer will send nothing more: a FIN, under TLS a close_notify. We may
  // still write.
  virtual void OnEof() = 0;
  // All that was queued has been given to the kernel, after it had not.
  virtual void OnDrained() {}
  // After Stream::Start…Tls: the handshake is done, certificates are verified.
  virtual void OnTlsEstablished() {}
  // The stream is dead: reset, handshake failure, or under TLS an end without
  // close_notify (truncation). Nothing else follows.
  virtual void OnFailure(const Failure& failure) = 0;

 protected:
  ~StreamHandler() = default;
};

// A byte stream, encrypted or not: its user doesn't know. Made by a Network,
// used on that network's thread only. Destroying it closes the connection:
// what is queued is dropped, under TLS no close_notify is sent, and where data
// was queued or unread the peer may see a reset. For an orderly end call
// CloseAfterFlush().
class Stream {
 public:
  virtual ~Stream() = default;

  // Must be set before ResumeReading(); may be changed at any time.
  virtual void set_handler(StreamHandler* handler) = 0;

  // A stream begins paused. While paused, no data is taken from the kernel and
  // no EOF is reported; failures may be.
  virtual void ResumeReading() = 0;
  virtual void PauseReading() = 0;

  // Whether the peer has ended its side already: what is still to be read
  // comes, and then OnEof() at once. A stream that isn't sure, as under TLS,
  // says no.
  virtual bool ends() const = 0;

  // For a connection that may be silent for long: the kernel asks from time to
  // time whether the peer is still there, and fails the stream if not. An
  // accepted stream has it from its beginning.
  virtual void KeepAlive() = 0;

  // Gives back bytes that OnData() brought: they are the first that is read
  // again, by the handler or, if TLS is begun next, by the handshake. Once,
  // from inside OnData(), before TLS.
  virtual void Unread(std::string_view bytes) = 0;

  // Writes at once what the kernel takes and queues the rest. Never fails
  // here: trouble comes as OnFailure.
  virtual void Write(std::string_view bytes) = 0;
  // As Write(), where more is written or the stream ends right afterwards: may
  // wait a moment for that, so that one packet takes all.
  virtual void WriteMore(std::string_view bytes) = 0;
  // Bytes of Write() that the kernel hasn't taken (under TLS: as records).
  virtual size_t queued_bytes() const = 0;

  // After what is queued: a FIN, under TLS a close_notify before it. Reading
  // goes on.
  virtual void ShutdownWrite() = 0;

  // Gives the stream away: what is queued is written (for at most a few
  // seconds), then it is shut down and closed. The handler hears nothing more.
  static void CloseAfterFlush(std::unique_ptr<Stream> stream) {
    Stream* raw = stream.release();
    raw->FinishAndDelete();
  }

  // As CloseAfterFlush(), but so that the peer sees a reset behind all that it
  // was sent: an abrupt end on one side of a splice is passed on as one.
  static void AbortAfterFlush(std::unique_ptr<Stream> stream) {
    Stream* raw = stream.release();
    raw->AbortAndDelete();
  }

  // Begins TLS. What is queued goes out first, unencrypted. The contexts must
  // outlive the stream. OnTlsEstablished() or OnFailure() follows.
  virtual void StartServerTls(const TlsServerContext& context) = 0;
  // `verify_name`: the host name or address that the certificate must match.
  virtual void StartClientTls(const TlsClientContext& context,
                              std::string_view verify_name) = 0;
  // Null before OnTlsEstablished().
  virtual std::unique_ptr<TlsSession> tls_session() const = 0;

  // Not set any more when the stream is dead.
  virtual SocketAddress peer() const = 0;
  virtual SocketAddress local() const = 0;

 protected:
  virtual void FinishAndDelete() = 0;
  virtual void AbortAndDelete() = 0;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_NET_STREAM_H_
