// Plays mail clients against a proxy: a fixed number of sessions, so many at a
// time. Compares every answer and every bulk byte; prints one line of JSON, and
// exits with 1 where anything wasn't as it should be.
//
// --scenario: login, pop3Login (connect, log in, log out); ping (rounds of NOOP
// on each session); bulk, upload (so many bytes after the login); smtp,
// submission (one message of 10 KiB, the latter after AUTH); idle (log all in,
// say {"held":n}, wait for a line on stdin, ping all, log out).

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "benchmarks/load/flags.h"
#include "benchmarks/load/load_run.h"
#include "benchmarks/load/script.h"
#include "benchmarks/load/transport.h"

namespace gatehouse::load {
namespace {

constexpr size_t kReadBytes = 256 * 1024;

bool ChooseScript(const Flags& flags, Script& script, LoadPlan& plan) {
  const std::string& scenario = flags.Text("scenario");
  const uint64_t bytes = flags.Number("bulk_bytes");
  plan.repeats = 1;
  if (scenario == "login" || scenario == "pop3Login") {
    plan.repeats = 0;
    script = scenario == "login" ? ImapScript() : Pop3Script();
  } else if (scenario == "ping") {
    plan.repeats = flags.Number("pings");
    script = ImapScript();
  } else if (scenario == "idle") {
    plan.hold = true;
    script = ImapScript();
  } else if (scenario == "bulk" || scenario == "upload") {
    script =
        scenario == "bulk" ? ImapBulkScript(bytes) : ImapUploadScript(bytes);
  } else if (scenario == "smtp" || scenario == "submission") {
    script = SmtpScript(/*authenticate=*/scenario == "submission");
  } else {
    std::fprintf(stderr, "--scenario=%s: no such\n", scenario.c_str());
    return false;
  }
  return true;
}

// With nothing on stdin, the sessions end at once.
void AwaitLineOnStdin() {
  for (int c = std::getchar(); c != '\n' && c != EOF; c = std::getchar()) {
  }
}

bool PlayIdle(LoadRun& run, uint64_t sessions, uint64_t concurrency) {
  if (!run.LogInAll(sessions, concurrency)) return false;
  std::printf("{\"held\":%lu}\n",
              static_cast<unsigned long>(sessions - run.failures()));
  std::fflush(stdout);
  AwaitLineOnStdin();
  return run.ContinueAll();
}

int Main(int argc, char** argv) {
  Flags flags(argc, argv,
              {{"scenario", "login"},
               {"address", "127.0.0.1"},
               {"port", "0"},
               {"source", ""},
               {"tls", "none"},  // none, full, resumed
               {"ca", ""},
               {"sessions", "100"},
               {"concurrency", "10"},
               {"users", "1000"},
               {"pings", "1000"},
               {"bulk_bytes", "1048576"}});
  std::signal(SIGPIPE, SIG_IGN);
  LoadTarget target = {flags.Text("address"),
                       static_cast<uint16_t>(flags.Number("port")),
                       flags.Text("source")};
  Script script;
  LoadPlan plan;
  if (!ChooseScript(flags, script, plan)) return 2;
  plan.script = &script;
  plan.read_buffer.resize(kReadBytes);
  const bool resumed = flags.Text("tls") == "resumed";
  std::unique_ptr<TlsClient> tls;
  if (flags.Text("tls") != "none") {
    tls = std::make_unique<TlsClient>(flags.Text("ca"), resumed);
    plan.tls = tls.get();
  }
  const uint64_t users = flags.Number("users");
  if (resumed) {
    // Fetches the first ticket.
    LoadRun warm_up(target, plan, users);
    if (!warm_up.Play(1, 1) || warm_up.failures() > 0) return 1;
    plan.expect_resumed = true;
  }
  LoadRun run(target, plan, users);
  const uint64_t sessions = flags.Number("sessions");
  const uint64_t concurrency = flags.Number("concurrency");
  bool moved = plan.hold ? PlayIdle(run, sessions, concurrency)
                         : run.Play(sessions, concurrency);
  std::printf("%s\n", run.ToJson().c_str());
  return moved && run.failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gatehouse::load

int main(int argc, char** argv) { return gatehouse::load::Main(argc, argv); }
