#include "benchmarks/load/flags.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace gatehouse::load {
namespace {

[[noreturn]] void Refuse(std::string_view argument, const char* why) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(argument.size()),
               argument.data(), why);
  std::exit(2);
}

}  // namespace

Flags::Flags(int argc, char** argv, std::map<std::string, std::string> defaults)
    : values_(std::move(defaults)) {
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    size_t equals = argument.find('=');
    if (!argument.starts_with("--") || equals == std::string_view::npos) {
      Refuse(argument, "not of the form --name=value");
    }
    auto found = values_.find(std::string(argument.substr(2, equals - 2)));
    if (found == values_.end()) Refuse(argument, "no such flag");
    found->second = argument.substr(equals + 1);
  }
}

const std::string& Flags::Text(const std::string& name) const {
  return values_.at(name);
}

uint64_t Flags::Number(const std::string& name) const {
  const std::string& text = Text(name);
  uint64_t number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    Refuse("--" + name + "=" + text, "not a number");
  }
  return number;
}

}  // namespace gatehouse::load
