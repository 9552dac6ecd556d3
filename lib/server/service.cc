#include "lib/server/service.h"

#include <cstdio>
#include <string>

#include "lib/server/runtime.h"
#include "lib/server/server.h"

namespace gatehouse {
namespace {

constexpr char kVersion[] = "0.1.0";

void PrintHelp(std::string_view name) {
  std::printf(
      "%.*s: a mail front end of Gatehouse\n"
      "  --config=FILE    serve with this configuration, in the foreground\n"
      "  --check_config   with --config: only say what is wrong with it\n"
      "  --version\n"
      "  --help\n"
      "SIGTERM lets sessions finish, SIGHUP reads the configuration again.\n",
      static_cast<int>(name.size()), name.data());
}

void PrintLines(const std::vector<std::string>& lines, const char* mark) {
  for (const std::string& line : lines) {
    std::fprintf(stderr, "%s%s\n", line.c_str(), mark);
  }
}

int CheckConfig(const std::string& file, const RuntimeResult& loaded) {
  for (const std::string& fault : loaded.faults) {
    std::printf("%s\n", fault.c_str());
  }
  if (loaded.runtime == nullptr) return 1;
  std::printf("%s: ok\n", file.c_str());
  return 0;
}

struct CommandLine {
  std::string config;
  bool check_config = false;
  bool version = false;
  bool help = false;
  std::string unknown;
};

CommandLine Parse(int argc, char** argv) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    constexpr std::string_view kConfig = "--config=";
    if (word.starts_with(kConfig)) {
      line.config = word.substr(kConfig.size());
    } else if (word == "--check_config") {
      line.check_config = true;
    } else if (word == "--version") {
      line.version = true;
    } else if (word == "--help") {
      line.help = true;
    } else {
      line.unknown = word;
    }
  }
  return line;
}

}  // namespace

int RunServer(const Service& service, int argc, char** argv) {
  const std::string name(service.name);
  const CommandLine line = Parse(argc, argv);
  if (line.help) return PrintHelp(name), 0;
  if (line.version) {
    return std::printf("%s (Gatehouse) %s\n", name.c_str(), kVersion), 0;
  }
  if (!line.unknown.empty() || line.config.empty()) {
    std::fprintf(stderr, "%s: %s (see --help)\n", name.c_str(),
                 line.unknown.empty()
                     ? "--config=FILE is missing"
                     : (line.unknown + ": unknown argument").c_str());
    return 2;
  }
  if (!line.check_config) HoldServerSignals();
  RuntimeResult loaded = LoadRuntime(line.config, service.protocol);
  PrintLines(loaded.warnings, " (warning)");
  if (line.check_config) return CheckConfig(line.config, loaded);
  PrintLines(loaded.faults, "");
  if (loaded.runtime == nullptr) return 1;
  return Serve(service, line.config, std::move(loaded.runtime));
}

}  // namespace gatehouse
