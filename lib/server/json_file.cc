#include "lib/server/json_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <system_error>
#include <vector>

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

// Of two like keys in an object the parser would keep the last, without a word.
class DuplicateKeys {
 public:
  explicit DuplicateKeys(FaultList& faults) : faults_(faults) {}

  // The parser's callback; true keeps the value.
  bool operator()(int depth, nlohmann::json::parse_event_t event,
                  const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    switch (event) {
      case Event::object_start:
      case Event::array_start:
        NextItem();
        open_.push_back({event == Event::array_start});
        break;
      case Event::value:
        NextItem();
        break;
      case Event::object_end:
      case Event::array_end:
        open_.pop_back();
        break;
      case Event::key:
        OnKey(parsed.get_ref<const std::string&>());
        break;
    }
    return true;
  }

 private:
  // An object or an array that isn't complete yet.
  struct Open {
    bool is_array = false;
    int items = 0;
    std::string key = {};  // the present one
    std::set<std::string> keys = {};
  };

  void NextItem() {
    if (open_.empty() || !open_.back().is_array) return;
    open_.back().key = std::to_string(open_.back().items++);
  }

  void OnKey(const std::string& key) {
    open_.back().key = key;
    if (open_.back().keys.insert(key).second) return;
    std::string path;
    for (const Open& open : open_) path += "/" + open.key;
    faults_.Add(path, "stands here twice");
  }

  FaultList& faults_;
  std::vector<Open> open_;
};

}  // namespace

std::optional<std::string> ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text;
  // All of an ordinary file at the first step; more where it has grown, or is
  // none.
  std::error_code unknown;
  const auto size = std::filesystem::file_size(file, unknown);
  const size_t step = std::max<size_t>(unknown ? 0 : size + 1, 65536);
  do {
    const size_t before = text.size();
    text.resize(before + step);
    in.read(text.data() + before, static_cast<std::streamsize>(step));
    text.resize(before + static_cast<size_t>(in.gcount()));
  } while (in);
  if (in.bad()) return std::nullopt;
  return text;
}

std::optional<nlohmann::json> ParseJson(std::string_view text,
                                        FaultList& faults) {
  try {
    DuplicateKeys duplicates(faults);
    return nlohmann::json::parse(text, std::ref(duplicates),
                                 /*allow_exceptions=*/true,
                                 /*ignore_comments=*/true);
  } catch (const nlohmann::json::parse_error& error) {
    faults.Add("", SyntaxFault(text, error.byte, error.what()));
    return std::nullopt;
  }
}

}  // namespace gatehouse
