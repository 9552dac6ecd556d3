#ifndef GATEHOUSE_BENCHMARKS_LOAD_FLAGS_H_
#define GATEHOUSE_BENCHMARKS_LOAD_FLAGS_H_

#include <cstdint>
#include <map>
#include <string>

namespace gatehouse::load {

// A command line of --name=value.
class Flags {
 public:
  // Ends the program with a line to stderr where an argument has another form
  // or a name isn't among `defaults`, which also hold what is left out.
  Flags(int argc, char** argv, std::map<std::string, std::string> defaults);

  const std::string& Text(const std::string& name) const;
  // Ends the program where the value isn't a decimal number.
  uint64_t Number(const std::string& name) const;
  bool IsOn(const std::string& name) const { return Number(name) != 0; }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace gatehouse::load

#endif  // GATEHOUSE_BENCHMARKS_LOAD_FLAGS_H_
