#include "lib/protocol/sieve/sieve_protocol.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "lib/protocol/sieve/sieve_downstream.h"
#include "lib/protocol/sieve/sieve_upstream.h"

namespace gatehouse {
namespace {

using Words = std::vector<std::string>;

Words SplitWords(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    if (space > 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return words;
}

bool Alike(const std::string& a, const std::string& b) {
  return strcasecmp(a.c_str(), b.c_str()) == 0;
}

uint32_t Number(const std::string& text) {
  uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// `a` and `b`: the words of one capability of two upstreams, its name first.
std::optional<std::string> Common(const Words& a, const Words& b) {
  if (Alike(a[0], "MAXREDIRECTS") && a.size() == 2 && b.size() == 2) {
    return a[0] + ' ' + (Number(a[1]) < Number(b[1]) ? a[1] : b[1]);
  }
  std::string common = a[0];
  for (size_t i = 1; i < a.size(); ++i) {
    const auto is_word = [&](const std::string& word) {
      return Alike(word, a[i]);
    };
    if (std::any_of(b.begin() + 1, b.end(), is_word)) common += ' ' + a[i];
  }
  // Nothing left of a list is no capability, but SIEVE must be there.
  const bool emptied = common.size() == a[0].size() && a.size() > 1;
  if (emptied && !Alike(a[0], "SIEVE")) return std::nullopt;
  return common;
}

class Sieve final : public Protocol {
 public:
  std::string_view name() const override { return "sieve"; }
  // Registered with IANA for RFC 5804.
  std::string_view alpn() const override { return "managesieve"; }
  uint16_t port() const override { return 4190; }
  uint16_t implicit_tls_port() const override { return 4190; }
  int least_idle_seconds() const override { return 1800; }  // RFC 5804 §1.2
  std::string_view last_words() const override {
    return "BYE (TRYLATER) \"Closing, try again later.\"\r\n";
  }

  std::vector<std::string> CommonCapabilities(
      const std::vector<std::string>& a,
      const std::vector<std::string>& b) const override {
    std::vector<std::string> common;
    for (const std::string& one : a) {
      const Words left = SplitWords(one);
      for (const std::string& other : b) {
        const Words right = SplitWords(other);
        if (left.empty() || right.empty() || !Alike(left[0], right[0])) {
          continue;
        }
        if (auto both = Common(left, right)) common.push_back(*both);
        break;
      }
    }
    return common;
  }

  std::unique_ptr<DownstreamMachine> NewDownstream(
      DownstreamOptions options) const override {
    return std::make_unique<SieveDownstream>(std::move(options));
  }
  std::unique_ptr<UpstreamMachine> NewUpstream(
      UpstreamOptions options) const override {
    return std::make_unique<SieveUpstream>(std::move(options));
  }
};

}  // namespace

const Protocol& SieveProtocol() {
  static const Sieve protocol;
  return protocol;
}

}  // namespace gatehouse
