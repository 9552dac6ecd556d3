#include "lib/server/config_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/server/json_file.h"

namespace gatehouse {

std::string ConfigFiles::PathTo(const std::string& name) const {
  if (name.front() == '/' || folder_.empty()) return name;
  return folder_ + "/" + name;
}

std::string ConfigFiles::File(JsonReader& reader, std::string_view key) const {
  const std::string name = reader.String(key);
  if (name.empty()) return name;
  const std::string path = PathTo(name);
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    reader.Fault(key, path + ": no such file");
  } else if (access(path.c_str(), R_OK) != 0) {
    reader.Fault(key, path + ": not readable");
  }
  return path;
}

std::string ConfigFiles::Folder(JsonReader& reader, std::string_view key,
                                std::string_view otherwise) const {
  const std::string name = reader.String(key, otherwise);
  if (name.empty()) {
    reader.Fault(key, "\"\" is not a folder");
    return name;
  }
  const std::string path = PathTo(name);
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    reader.Fault(key, path + ": no such folder");
  } else if (access(path.c_str(), W_OK | X_OK) != 0) {
    reader.Fault(key, path + ": not writable");
  }
  return path;
}

std::string ConfigFiles::Secret(JsonReader& reader,
                                std::string_view key) const {
  const size_t faults_before = reader.fault_count();
  const std::string path = File(reader, key);
  if (path.empty() || reader.fault_count() > faults_before) return "";
  WarnIfOthersCanRead(reader, key, path);
  const auto text = ReadFile(path);
  if (!text) return "";
  std::string secret = text->substr(0, text->find('\n'));
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) reader.Fault(key, path + ": holds no password");
  return secret;
}

std::string ConfigFiles::InlineSecret(JsonReader& reader,
                                      std::string_view key) const {
  std::string secret = reader.FreeString(key);
  if (!secret.empty()) WarnIfOthersCanRead(reader, key, config_file_);
  return secret;
}

void ConfigFiles::WarnIfOthersCanRead(JsonReader& reader, std::string_view key,
                                      const std::string& path) const {
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    reader.Warn(key, path + ": others can read this secret (chmod o-r)");
  }
}

}  // namespace gatehouse
