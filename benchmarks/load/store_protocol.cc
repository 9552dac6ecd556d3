#include "benchmarks/load/store_protocol.h"

#include <algorithm>

namespace gatehouse::load {

std::string StoreCounts::ToJson() const {
  return "{\"connections\":" + std::to_string(connections) +
         ",\"logins\":" + std::to_string(logins) +
         ",\"messages\":" + std::to_string(messages) +
         ",\"damaged\":" + std::to_string(damaged) +
         ",\"bytes_in\":" + std::to_string(bytes_in) +
         ",\"bytes_out\":" + std::to_string(bytes_out) + "}";
}

std::string TakeVerb(std::string_view& line) {
  size_t end = std::min(line.find(' '), line.size());
  std::string verb(line.substr(0, end));
  for (char& c : verb) {
    if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
  }
  line.remove_prefix(std::min(end + 1, line.size()));
  return verb;
}

}  // namespace gatehouse::load
