#ifndef GATEHOUSE_LIB_BASE_ANSWER_PROGRESS_H_
#define GATEHOUSE_LIB_BASE_ANSWER_PROGRESS_H_

#include <cstdint>

namespace gatehouse {

// How far a store is with what it says in a joined session, as far as its last
// whole line tells: enough to find a place where a session can be ended.
enum class AnswerProgress : uint8_t {
  kBetween,  // it may well be finished: a good-bye can follow
  kInside,   // in the middle of a message, or another text of many lines
  kAsks,     // it has asked for such a text
  kOpaque,   // both speak so that nobody else can read it, or join in
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_BASE_ANSWER_PROGRESS_H_
