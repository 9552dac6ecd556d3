// Runs a fuzz target over its corpus in an ordinary test: every file of the
// folders and files given as arguments, as it is and with a bounded number of
// mutations, which are the same in every run.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Enough to meet every branch of a small parser, and done in a second or two
// under the sanitizers.
constexpr int kMutationsOfOneFile = 500;
constexpr int kMostEditsAtOnce = 4;

// What parsers of mail protocols stumble over.
const std::string kTokens[] = {"\r\n",
                               "\n",
                               "\r",
                               std::string(1, '\0'),
                               "\"",
                               "\\",
                               "(",
                               ")",
                               "{5}\r\n",
                               "{5+}\r\n",
                               "{99999999999999999999}\r\n",
                               "*",
                               "=",
                               "+ ",
                               " ",
                               "\xff",
                               std::string(70, 'A')};

std::vector<std::filesystem::path> CorpusFiles(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (entry.path().filename() != "BUILD.bazel") files.push_back(entry);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                         input.size());
}

void Edit(std::string& input, std::mt19937_64& random) {
  const size_t at = random() % (input.size() + 1);
  const size_t count = random() % (input.size() - at + 1);
  switch (random() % 5) {
    case 0:
      input.insert(at, kTokens[random() % std::size(kTokens)]);
      break;
    case 1:
      input.erase(at, count);
      break;
    case 2:
      input.insert(at, input.substr(at, count));
      break;
    case 3:
      input.resize(at);
      break;
    default:
      if (at < input.size()) input[at] = static_cast<char>(random());
  }
}

void RunMutations(const std::string& input) {
  std::mt19937_64 random(input.size());
  for (int i = 0; i < kMutationsOfOneFile; ++i) {
    std::string mutant = input;
    for (uint64_t edits = 1 + random() % kMostEditsAtOnce; edits > 0; --edits) {
      Edit(mutant, random);
    }
    Run(mutant);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto files = CorpusFiles(argc, argv);
  if (files.empty()) {
    std::fprintf(stderr, "no corpus: name its files or folders\n");
    return 1;
  }
  for (const auto& file : files) {
    const std::string input = ReadFile(file);
    Run(input);
    RunMutations(input);
  }
  std::printf("%zu files, %d mutations of each\n", files.size(),
              kMutationsOfOneFile);
  return 0;
}
