#ifndef GATEHOUSE_LIB_SERVER_CONFIG_FILES_H_
#define GATEHOUSE_LIB_SERVER_CONFIG_FILES_H_

#include <string>
#include <string_view>
#include <utility>

#include "lib/server/json_reader.h"

namespace gatehouse {

// The files that a configuration names. A relative name is taken from the
// configuration's own folder.
class ConfigFiles {
 public:
  ConfigFiles(std::string config_file, std::string folder)
      : config_file_(std::move(config_file)), folder_(std::move(folder)) {}

  // The path of the file at `key`, "" where there is none. One that doesn't
  // exist or can't be read is a fault.
  std::string File(JsonReader& reader, std::string_view key) const;

  // The path of the folder at `key`; one that files can't be made in is a
  // fault.
  std::string Folder(JsonReader& reader, std::string_view key,
                     std::string_view otherwise) const;

  // The first line of the file at `key`. Warns where others can read it.
  std::string Secret(JsonReader& reader, std::string_view key) const;

  // A secret that stands in the configuration itself, with the same warning.
  std::string InlineSecret(JsonReader& reader, std::string_view key) const;

  void WarnIfOthersCanRead(JsonReader& reader, std::string_view key,
                           const std::string& path) const;

 private:
  std::string PathTo(const std::string& name) const;

  const std::string config_file_;
  const std::string folder_;
};

}  // namespace gatehouse

#endif  // GATEHOUSE_LIB_SERVER_CONFIG_FILES_H_
