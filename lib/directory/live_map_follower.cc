#include "lib/directory/live_map_follower.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace gatehouse {
namespace {

// As those of a replica's connections for searches.
constexpr absl::Duration kFirstPause = absl::Milliseconds(250);
constexpr absl::Duration kLongestPause = absl::Seconds(15);

// Where nothing changes nothing is heard: so long a silence is broken by a
// question, whose answer must come within the connector's timeout.
constexpr absl::Duration kSilence = absl::Seconds(1);

constexpr absl::Duration kLostLogPause = absl::Minutes(1);

// From one coming of everything to the next: a million entries take a minute.
constexpr absl::Duration kReloadPause = absl::Minutes(1);

}  // namespace

LiveMapFollower::LiveMapFollower(Network& network, LogSink& log,
                                 std::string connector,
                                 std::shared_ptr<const LdapOptions> options,
                                 std::shared_ptr<LiveMap> map)
    : network_(network),
      log_(log),
      connector_(std::move(connector)),
      options_(std::move(options)),
      map_(std::move(map)),
      pause_(kFirstPause),
      since_(network.Now()),
      heard_at_(network.Now()) {
  Connect();
}

LiveMapFollower::~LiveMapFollower() { map_->OnLost(heard_at_); }

void LiveMapFollower::Connect() {
  opening_ = LdapConnection::Open(network_, options_, url(),
                                  LdapConnection::Role::kSearch,
                                  [this](LdapConnection::OpenResult result) {
                                    OnOpened(std::move(result));
                                  });
}

void LiveMapFollower::OnOpened(LdapConnection::OpenResult result) {
  opening_ = nullptr;
  if (const auto* failure = std::get_if<Failure>(&result)) {
    return Leave(*failure);
  }
  connection_ = std::move(std::get<std::unique_ptr<LdapConnection>>(result));
  heard_at_ = network_.Now();
  ProbeLater();
  Follow();
}

void LiveMapFollower::Follow() {
  map_->BeginRefresh();
  auto sent = connection_->Follow(
      map_->search(), map_->cookie(),
      [this](LdapSyncEvent event) { OnEvent(std::move(event)); });
  if (const auto* failure = std::get_if<Failure>(&sent)) Leave(*failure);
}

void LiveMapFollower::OnEvent(LdapSyncEvent event) {
  heard_at_ = network_.Now();
  if (auto* entry = std::get_if<LdapSyncEntry>(&event)) {
    map_->OnEntry(std::move(*entry));
    return LogOverflow();
  }
  if (const auto* info = std::get_if<LdapSyncInfo>(&event)) {
    if (map_->OnInfo(*info)) OnLive();
    return;
  }
  OnEnd(std::move(std::get<LdapSyncEnd>(event)));
}

void LiveMapFollower::OnEnd(LdapSyncEnd end) {
  const bool had_cookie = !map_->cookie().empty();
  if (end.refresh_required && had_cookie) {
    const bool at_once = network_.Now() >= next_reload_;
    ForgetCookie(end.failure);
    if (!at_once) return Leave(end.failure);
    Lose();
    return Follow();
  }
  // Not the next replica's refusal, but the last one's: one that was restored
  // from an older copy may yet be brought up by the others.
  if (end.refused && had_cookie && !live_ &&
      ++refusals_ >= options_->urls.size()) {
    ForgetCookie(end.failure);
  }
  Leave(end.failure);
}

// At once where nobody goes on from it: a server that was restored from an
// older copy accepts it again after its next change, and tells nothing of what
// had changed after that copy.
void LiveMapFollower::ForgetCookie(const Failure& refusal) {
  refusals_ = 0;
  map_->ForgetCookie();
  pause_ = std::max(pause_, next_reload_ - network_.Now());
  next_reload_ = std::max(next_reload_, network_.Now()) + kReloadPause;
  log_.Write(LogRecord("live_map_cookie_refused", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("detail", refusal.text));
}

void LiveMapFollower::OnLive() {
  live_ = true;
  refusals_ = 0;
  pause_ = kFirstPause;
  next_lost_log_ = absl::InfinitePast();
  log_.Write(LogRecord(completed_ ? "live_map_recovered" : "live_map_complete")
                 .Text("connector", connector_)
                 .Text("url", url())
                 .Number("entries", static_cast<int64_t>(map_->entries()))
                 .Number("bytes", static_cast<int64_t>(map_->bytes()))
                 .Duration("seconds", network_.Now() - since_));
  completed_ = true;
}

void LiveMapFollower::Lose() {
  if (live_) since_ = heard_at_;
  live_ = false;
  map_->OnLost(heard_at_);
}

void LiveMapFollower::Leave(const Failure& failure) {
  Lose();
  LogLost(failure);
  connection_ = nullptr;
  probe_ = nullptr;
  url_index_ = (url_index_ + 1) % options_->urls.size();
  opening_ = network_.StartTimer(pause_, [this] { Connect(); });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

void LiveMapFollower::Reload() {
  next_reload_ = network_.Now() + kReloadPause;
  log_.Write(LogRecord("live_map_outdated", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("detail", "entries have other DNs than were told"));
  Lose();
  map_->ForgetCookie();
  connection_ = nullptr;
  probe_ = nullptr;
  Connect();
}

void LiveMapFollower::LogLost(const Failure& failure) {
  if (network_.Now() < next_lost_log_) return;
  next_lost_log_ = network_.Now() + kLostLogPause;
  log_.Write(LogRecord("live_map_lost", LogRecord::Level::kWarning)
                 .Text("connector", connector_)
                 .Text("kind", KindName(failure.kind))
                 .Text("detail", failure.text));
}

void LiveMapFollower::LogOverflow() {
  if (overflow_logged_ || !map_->overflown()) return;
  overflow_logged_ = true;
  log_.Write(LogRecord("live_map_overflown", LogRecord::Level::kError)
                 .Text("connector", connector_)
                 .Number("entries", static_cast<int64_t>(map_->entries()))
                 .Number("bytes", static_cast<int64_t>(map_->bytes())));
}

// --- Is anybody there? ---

void LiveMapFollower::ProbeLater() {
  if (live_ && network_.Now() >= next_reload_ && map_->TakeOutdated()) {
    return Reload();
  }
  const absl::Duration silent = network_.Now() - heard_at_;
  if (silent >= kSilence) return Probe();
  probe_ = network_.StartTimer(kSilence - silent, [this] { ProbeLater(); });
}

void LiveMapFollower::Probe() {
  LdapSearch root;
  root.filter = "(objectClass=*)";
  root.attributes = {"1.1"};  // none
  root.scope = LdapScope::kBase;
  // Any answer will do, the loss of the connection but for one: that is told
  // to the search that follows.
  auto sent =
      connection_->Search(root, options_->timeout, [this](LdapReply reply) {
        const auto* failure = std::get_if<Failure>(&reply);
        if (failure != nullptr && failure->kind == Failure::Kind::kReset) {
          return;
        }
        heard_at_ = network_.Now();
        ProbeLater();
      });
  if (const auto* failure = std::get_if<Failure>(&sent)) {
    return Leave(*failure);
  }
  const absl::Time asked_at = network_.Now();
  probe_ = network_.StartTimer(options_->timeout, [this, asked_at] {
    // The refresh may keep the server from answering, but not from sending.
    if (heard_at_ > asked_at) return ProbeLater();
    Leave({Failure::Side::kDirectory, Failure::Kind::kTimeout,
           Failure::Retry::kSafe, url() + ": no answer"});
  });
}

}  // namespace gatehouse
