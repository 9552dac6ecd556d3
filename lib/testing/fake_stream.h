#ifndef GATEHOUSE_LIB_TESTING_FAKE_STREAM_H_
#define GATEHOUSE_LIB_TESTING_FAKE_STREAM_H_

#include <memory>
#include <string>
#include <string_view>

#include "lib/net/stream.h"
#include "lib/testing/fake_network.h"

namespace gatehouse {

// The end of a fake connection that the code under test holds; tests see the
// FakePeer instead.
class FakeStream : public Stream {
 public:
  explicit FakeStream(std::shared_ptr<FakePeer> peer);
  ~FakeStream() override;

  void set_handler(StreamHandler* handler) override { handler_ = handler; }
  void ResumeReading() override;
  void PauseReading() override { paused_ = true; }
  bool ends() const override;
  void KeepAlive() override { peer_->kept_alive_ = true; }
  void Unread(std::string_view bytes) override;
  void Write(std::string_view bytes) override;
  void WriteMore(std::string_view bytes) override;
  size_t queued_bytes() const override { return peer_->queued_.size(); }
  void ShutdownWrite() override;
  void StartServerTls(const TlsServerContext& context) override;
  void StartClientTls(const TlsClientContext& context,
                      std::string_view verify_name) override;
  std::unique_ptr<TlsSession> tls_session() const override;
  SocketAddress peer() const override { return peer_->peer_address_; }
  SocketAddress local() const override { return peer_->local_address_; }

 private:
  friend class FakePeer;
  void FinishAndDelete() override;
  void AbortAndDelete() override;
  void StartTls();
  void Leave(FakePeer::End end);

  std::shared_ptr<FakePeer> peer_;
  StreamHandler* handler_ = nullptr;
  bool paused_ = true;
  bool dead_ = false;  // failed, aborted or finished: nothing follows
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_FAKE_STREAM_H_
