#ifndef GATEHOUSE_LIB_TESTING_TRANSCRIPT_TEXT_H_
#define GATEHOUSE_LIB_TESTING_TRANSCRIPT_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// How transcripts write octets (see transcript.h).

// Takes the word up to the next space from the front, and the space.
std::string_view TakeWord(std::string_view& text);

// \r \n \t \0 \\ \xHH as the octets that they stand for.
std::string Unescape(std::string_view text);
// The same, and $b64(…).
std::string Expand(std::string_view text);
// Octets as an error message shows them.
std::string Printable(std::string_view text);

// "A | B"; the items are expanded.
std::vector<std::string> SplitList(std::string_view text);
std::string JoinList(const std::vector<std::string>& items);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_TRANSCRIPT_TEXT_H_
