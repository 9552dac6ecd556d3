#ifndef GATEHOUSE_BENCHMARKS_LOAD_LINE_STORES_H_
#define GATEHOUSE_BENCHMARKS_LOAD_LINE_STORES_H_

#include <cstdint>
#include <string>

#include "benchmarks/load/store_protocol.h"

namespace gatehouse::load {

class Pop3Store final : public StoreProtocol {
 public:
  explicit Pop3Store(StoreCounts& counts) : counts_(counts) {}
  std::string_view Greeting() const override;
  size_t Take(std::string_view input, StoreReply& reply) override;

 private:
  StoreCounts& counts_;
  bool awaits_sasl_ = false;
};

// SMTP, and LMTP once it hears LHLO. A message counts as damaged unless its
// text, behind whatever header, is the sample's.
class SmtpStore final : public StoreProtocol {
 public:
  explicit SmtpStore(StoreCounts& counts) : counts_(counts) {}
  std::string_view Greeting() const override;
  size_t Take(std::string_view input, StoreReply& reply) override;

 private:
  size_t TakeMessage(std::string_view input, StoreReply& reply);

  StoreCounts& counts_;
  bool in_data_ = false;
  bool is_lmtp_ = false;
  int recipients_ = 0;
};

// The answers that nginx's mail proxy asks of its auth_http helper: everybody
// may log in, at the port of the protocol that the question names.
class NginxAuthHelper final : public StoreProtocol {
 public:
  struct Ports {
    uint16_t imap = 0;
    uint16_t pop3 = 0;
    uint16_t smtp = 0;
  };
  explicit NginxAuthHelper(const Ports& ports) : ports_(ports) {}
  std::string_view Greeting() const override { return ""; }
  size_t Take(std::string_view input, StoreReply& reply) override;

 private:
  const Ports& ports_;
};

// One line of JSON to whoever connects: the counts.
class CountsTeller final : public StoreProtocol {
 public:
  explicit CountsTeller(StoreCounts& counts) : counts_(counts) {}
  std::string_view Greeting() const override { return ""; }
  size_t Take(std::string_view input, StoreReply& reply) override;

 private:
  StoreCounts& counts_;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_LINE_STORES_H_
