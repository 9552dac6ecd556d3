#ifndef GATEHOUSE_LIB_TESTING_CHOP_H_
#define GATEHOUSE_LIB_TESTING_CHOP_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gatehouse {

// Cuts `bytes` as a network might. The pieces point into `bytes`, joined they
// are `bytes`, and none is empty.
std::vector<std::string_view> ChopEvery(std::string_view bytes,
                                        size_t piece_bytes);

// Pieces of 1 to `longest_piece_bytes` octets; the same for the same `seed`.
std::vector<std::string_view> ChopRandomly(std::string_view bytes,
                                           size_t longest_piece_bytes,
                                           uint64_t seed);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_TESTING_CHOP_H_
