#include "lib/testing/joined_machines.h"

#include <string_view>
#include <variant>

#include "lib/testing/chop.h"

namespace gatehouse {

std::optional<LoginAttempt> JoinedMachines::Run() {
  for (;;) {
    const UpstreamEvent event = HearStore();
    const std::string said = upstream->TakeOutput();
    if (!std::holds_alternative<NeedData>(event) || said.empty()) {
      return std::nullopt;
    }
    for (const std::string_view part : ChopEvery(said, piece)) {
      store->Feed(part);
      DownstreamEvent asked = store->Next();
      if (auto* attempt = std::get_if<LoginAttempt>(&asked)) {
        return std::move(*attempt);
      }
    }
  }
}

UpstreamEvent JoinedMachines::HearStore() {
  std::string said = store->TakeOutput();
  if (edited) said = edited(std::move(said));
  UpstreamEvent event;
  for (const std::string_view part : ChopEvery(said, piece)) {
    upstream->Feed(part);
    event = upstream->Next();
  }
  return event;
}

}  // namespace gatehouse
