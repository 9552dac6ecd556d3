#ifndef GATEHOUSE_BENCHMARKS_LOAD_IMAP_STORE_H_
#define GATEHOUSE_BENCHMARKS_LOAD_IMAP_STORE_H_

#include <cstdint>
#include <string>

#include "benchmarks/load/store_protocol.h"

namespace gatehouse::load {

// Says OK to every command, and knows two of its own: "tag XSEND n" is answered
// with n bytes of the bulk stream before the OK; "tag XTAKE n" is followed by n
// bytes of it, which are compared.
class ImapStore final : public StoreProtocol {
 public:
  explicit ImapStore(StoreCounts& counts) : counts_(counts) {}

  std::string_view Greeting() const override;
  size_t Take(std::string_view input, StoreReply& reply) override;

 private:
  size_t CommandSize(std::string_view input, StoreReply& reply);
  size_t TakeBulk(std::string_view input, StoreReply& reply);
  void Answer(std::string_view line, StoreReply& reply);
  void AnswerSasl(StoreReply& reply);

  StoreCounts& counts_;
  int literals_answered_ = 0;
  std::string waiting_tag_;  // of XTAKE or AUTHENTICATE
  uint64_t bulk_expected_ = 0;
  uint64_t bulk_seen_ = 0;
  bool bulk_damaged_ = false;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_IMAP_STORE_H_
