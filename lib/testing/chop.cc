#include "lib/testing/chop.h"

#include <algorithm>
#include <random>

namespace gatehouse {

std::vector<std::string_view> ChopEvery(std::string_view bytes,
                                        size_t piece_bytes) {
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    pieces.push_back(bytes.substr(0, piece_bytes));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

std::vector<std::string_view> ChopRandomly(std::string_view bytes,
                                           size_t longest_piece_bytes,
                                           uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    pieces.push_back(bytes.substr(0, 1 + random() % longest_piece_bytes));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

}  // namespace gatehouse
