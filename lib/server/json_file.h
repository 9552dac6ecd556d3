#ifndef GATEHOUSE_LIB_SERVER_JSON_FILE_H_
#define GATEHOUSE_LIB_SERVER_JSON_FILE_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "lib/server/json_reader.h"

namespace gatehouse {

// The whole file, or nothing where it can't be read.
std::optional<std::string> ReadFile(const std::string& file);

// JSON with comments. A syntax error is added to `faults` with its line and
// column, and gives nothing. A key that stands twice in an object is a fault
// too; the last one is given.
std::optional<nlohmann::json> ParseJson(std::string_view text,
                                        FaultList& faults);

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_JSON_FILE_H_
