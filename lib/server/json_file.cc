#include "lib/server/json_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace gatehouse {
namespace {

// From nlohmann's octet position, which counts from one.
std::string SyntaxFault(std::string_view text, size_t octet,
                        std::string_view what) {
  const std::string_view before =
      text.substr(0, std::min(octet == 0 ? 0 : octet - 1, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t newline = before.rfind('\n');
  const size_t column =
      before.size() - (newline == before.npos ? 0 : newline + 1) + 1;
  const size_t detail = what.rfind(": ");
  return "line " + std::to_string(line) + ", column " + std::to_string(column) +
         ": not JSON: " +
         std::string(detail == what.npos ? what : what.substr(detail + 2));
}

}  // namespace

std::optional<std::string> ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return std::nullopt;
  return text;
}

std::optional<nlohmann::json> ParseJson(std::string_view text,
                                        FaultList& faults) {
  try {
    return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/true,
                                 /*ignore_comments=*/true);
  } catch (const nlohmann::json::parse_error& error) {
    faults.Add("", SyntaxFault(text, error.byte, error.what()));
    return std::nullopt;
  }
}

}  // namespace gatehouse
