#include "lib/testing/played_store.h"

#include <string_view>
#include <utility>
#include <variant>

namespace gatehouse {

PlayedStore PlayStore(std::unique_ptr<UpstreamMachine> machine,
                      const std::vector<std::string>& replies,
                      const std::string& last) {
  PlayedStore played;
  const auto step = [&] {
    played.last = machine->Next();
    played.written += machine->TakeOutput();
  };
  const auto say = [&](std::string_view reply) {
    machine->Feed(reply);
    step();
    if (!std::holds_alternative<StartTls>(played.last)) return;
    machine->TlsEstablished();
    step();
  };
  for (const std::string& reply : replies) say(reply);
  played.state = std::string(machine->StateName());
  say(last);
  if (!std::holds_alternative<NeedData>(played.last)) return played;
  machine->FeedEof();
  step();
  return played;
}

}  // namespace gatehouse
