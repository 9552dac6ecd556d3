#include "lib/net/hosts_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool SameName(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

std::vector<SocketAddress> AddressesInHosts(std::string_view text,
                                            std::string_view name) {
  std::vector<SocketAddress> addresses;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address_text;
    words >> address_text;
    const auto address = SocketAddress::Parse(address_text, 0);
    if (!address) continue;
    const bool named =
        std::any_of(std::istream_iterator<std::string>(words), {},
                    [name](const auto& word) { return SameName(word, name); });
    if (named) addresses.push_back(*address);
  }
  return addresses;
}

std::vector<SocketAddress> AddressesInHostsFile(std::string_view name) {
  std::ifstream file("/etc/hosts");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<SocketAddress> addresses = AddressesInHosts(text, name);
  if (addresses.empty() && SameName(name, "localhost")) {
    return {*SocketAddress::Parse("127.0.0.1", 0),
            *SocketAddress::Parse("::1", 0)};
  }
  return addresses;
}

}  // namespace gatehouse
