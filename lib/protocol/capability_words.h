#ifndef GATEHOUSE_LIB_PROTOCOL_CAPABILITY_WORDS_H_
#define GATEHOUSE_LIB_PROTOCOL_CAPABILITY_WORDS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"

namespace gatehouse {

// Capabilities as POP3 and ManageSieve have them: a name, and behind it words
// ("SASL PLAIN LOGIN", "SIEVE fileinto reject"). Names and words are compared
// in whatever case. Pure functions; any thread.

using CapabilityWords = std::vector<std::string>;

CapabilityWords SplitWords(std::string_view text);

bool HoldsWord(const CapabilityWords& words, std::string_view word);

// The name, and the words of `a` that `b` has too.
CapabilityWords CommonWords(const CapabilityWords& a, const CapabilityWords& b);

std::string JoinWords(const CapabilityWords& words);

// What two lists of capabilities promise both: of each name that stands in both
// what `common` makes of the two, their names first; nothing leaves it out.
std::vector<std::string> CommonLines(
    const std::vector<std::string>& a, const std::vector<std::string>& b,
    absl::FunctionRef<std::optional<std::string>(const CapabilityWords&,
                                                 const CapabilityWords&)>
        common);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_PROTOCOL_CAPABILITY_WORDS_H_
