#include "lib/directory/ldap_client.h"

#include <fcntl.h>
#include <lber.h>
#include <ldap.h>
#include <sys/time.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "lib/base/check.h"
#include "lib/base/string_bridge.h"
#include "lib/directory/ldap_trace.h"
#include "lib/directory/ldap_wiping.h"

namespace gatehouse {
namespace {

// What libldap gives away and takes back.
struct FreeMessage {
  void operator()(LDAPMessage* message) const { ldap_msgfree(message); }
};
struct FreeMemory {
  void operator()(char* memory) const { ldap_memfree(memory); }
};
struct FreeControls {
  void operator()(LDAPControl** controls) const {
    ldap_controls_free(controls);
  }
};
using Message = std::unique_ptr<LDAPMessage, FreeMessage>;
using Text = std::unique_ptr<char, FreeMemory>;
using Controls = std::unique_ptr<LDAPControl*, FreeControls>;

// So that a flood of answers leaves the loop its other work.
constexpr int kMostMessagesAtOnce = 512;

std::string LowerCase(std::string_view text) {
  return absl::AsciiStrToLower(ToAbsl(text));
}

Failure::Kind KindOf(int code) {
  switch (code) {
    case LDAP_SERVER_DOWN:
    case LDAP_CONNECT_ERROR:
      return Failure::Kind::kUnreachable;
    case LDAP_TIMEOUT:
    case LDAP_TIMELIMIT_EXCEEDED:
      return Failure::Kind::kTimeout;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_OPERATIONS_ERROR:
    case LDAP_OTHER:
    case LDAP_LOOP_DETECT:
      return Failure::Kind::kRefused;
    case LDAP_PROTOCOL_ERROR:
    case LDAP_DECODING_ERROR:
    case LDAP_ENCODING_ERROR:
      return Failure::Kind::kProtocol;
    // noSuchObject for the base, a wrong administrator's password, missing
    // rights, a bad filter: no other replica would answer otherwise.
    default:
      return Failure::Kind::kConfiguration;
  }
}

// libldap sets itself up when it is first asked something, and two threads that
// do so at once get in each other's way: the first here goes alone.
void SetUpLibldap() {
  [[maybe_unused]] static const int asked = [] {
    int version = 0;
    return ldap_get_option(nullptr, LDAP_OPT_PROTOCOL_VERSION, &version);
  }();
}

// Everything that connecting needs and makes, owned by the other thread.
class Opening {
 public:
  Opening(std::shared_ptr<const LdapOptions> options, std::string url,
          LdapConnection::Role role)
      : options_(std::move(options)), url_(std::move(url)), role_(role) {}
  ~Opening() {
    if (handle_ != nullptr) ldap_unbind_ext(handle_, nullptr, nullptr);
  }

  void Run() {
    SetUpLibldap();
    if (!Connect()) return;
    if (role_ == LdapConnection::Role::kSearch && !BindAdministrator()) return;
    MakeNonBlocking();
  }

  std::optional<Failure>& failure() { return failure_; }
  const std::string& url() const { return url_; }
  LDAP* TakeHandle() { return std::exchange(handle_, nullptr); }

 private:
  bool Connect() {
    if (!Try("initialise", ldap_initialize(&handle_, url_.c_str()))) {
      return false;
    }
    SetOptions();
    if (failure_) return false;
    const LdapTrace trace;
    if (!Try("connect", ldap_connect(handle_), &trace)) {
      if (trace.IsOfTls()) failure_->kind = Failure::Kind::kTls;
      return false;
    }
    if (!WipeWhatIsSent(handle_)) return Try("connect", LDAP_NO_MEMORY);
    const bool wants_tls = options_->start_tls && url_.starts_with("ldap://");
    if (wants_tls &&
        !Try("StartTLS", ldap_start_tls_s(handle_, nullptr, nullptr), &trace)) {
      failure_->kind = Failure::Kind::kTls;
      return false;
    }
    return true;
  }

  bool Try(std::string_view step, int result,
           const LdapTrace* trace = nullptr) {
    if (result == LDAP_SUCCESS) return true;
    char* raw = nullptr;
    if (handle_ != nullptr) {
      ldap_get_option(handle_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &raw);
    }
    const Text diagnostic(raw);
    failure_ = Failure{
        Failure::Side::kDirectory, KindOf(result), Failure::Retry::kSafe,
        url_ + ": " + std::string(step) + ": " + ldap_err2string(result)};
    std::string reason = trace == nullptr ? "" : trace->Reason();
    if (reason.empty() && diagnostic != nullptr) reason = diagnostic.get();
    if (!reason.empty()) failure_->text += " (" + reason + ")";
    return false;
  }

  bool Set(int option, const void* value) {
    return Try("set an option", ldap_set_option(handle_, option, value));
  }

  void SetOptions() {
    const int version = LDAP_VERSION3;
    const int never = LDAP_DEREF_NEVER;
    const timeval timeout = absl::ToTimeval(options_->timeout);
    const bool set = Set(LDAP_OPT_PROTOCOL_VERSION, &version) &&
                     Set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&
                     Set(LDAP_OPT_DEREF, &never) &&
                     Set(LDAP_OPT_NETWORK_TIMEOUT, &timeout) &&
                     Set(LDAP_OPT_TIMEOUT, &timeout);
    if (set && !url_.starts_with("ldapi://")) SetTlsOptions();
  }

  void SetTlsOptions() {
    // Whatever an ldap.conf or the environment says.
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    const int client = 0;
    if (!Set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand)) return;
    if (!options_->ca_file.empty() &&
        !Set(LDAP_OPT_X_TLS_CACERTFILE, options_->ca_file.c_str())) {
      return;
    }
    if (options_->start_tls || url_.starts_with("ldaps://")) {
      Set(LDAP_OPT_X_TLS_NEWCTX, &client);
    }
  }

  bool BindAdministrator() {
    const std::string_view password = options_->admin_password.Reveal();
    berval credentials;
    credentials.bv_val = const_cast<char*>(password.data());
    credentials.bv_len = password.size();
    const char* mechanism = LDAP_SASL_SIMPLE;
    if (options_->sasl_external) {
      mechanism = "EXTERNAL";
      // Empty, but there: without any, the server asks for them in a second
      // step (RFC 4513 §5.2.3.1).
      static char nothing[] = "";
      credentials = {0, nothing};
    }
    const int result =
        ldap_sasl_bind_s(handle_, options_->admin_dn.c_str(), mechanism,
                         &credentials, nullptr, nullptr, nullptr);
    // Whoever has no administrator needs a server that answers, not one that
    // welcomes anonymous binds.
    if (options_->admin_dn.empty() && !options_->sasl_external &&
        !LDAP_API_ERROR(result)) {
      return true;
    }
    return Try("bind as administrator", result);
  }

  // A server that has stopped reading must not stop our loop.
  void MakeNonBlocking() {
    int descriptor = -1;
    ldap_get_option(handle_, LDAP_OPT_DESC, &descriptor);
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  }

  const std::shared_ptr<const LdapOptions> options_;
  const std::string url_;
  const LdapConnection::Role role_;
  LDAP* handle_ = nullptr;
  std::optional<Failure> failure_;
};

LdapEntry ReadEntry(LDAP* handle, LDAPMessage* message) {
  const Text dn(ldap_get_dn(handle, message));
  LdapEntry entry(dn != nullptr ? dn.get() : "");
  BerElement* cursor = nullptr;
  char* name = ldap_first_attribute(handle, message, &cursor);
  while (name != nullptr) {
    const Text owner(name);
    berval** raw = ldap_get_values_len(handle, message, name);
    for (int i = 0; raw != nullptr && raw[i] != nullptr; ++i) {
      if (i == 0) entry.Add(LowerCase(name));
      entry.AddValue({raw[i]->bv_val, raw[i]->bv_len});
    }
    ldap_value_free_len(raw);
    name = ldap_next_attribute(handle, message, cursor);
  }
  ber_free(cursor, 0);
  return entry;
}

// The control that comes with each entry and reference of a synchronisation.
std::optional<LdapSyncState> ReadSyncState(LDAP* handle, LDAPMessage* message,
                                           bool is_reference) {
  LDAPControl** raw = nullptr;
  const int parsed =
      is_reference
          ? ldap_parse_reference(handle, message, nullptr, &raw, /*freeit=*/0)
          : ldap_get_entry_controls(handle, message, &raw);
  const Controls controls(raw);
  if (parsed != LDAP_SUCCESS) return std::nullopt;
  const LDAPControl* state =
      ldap_control_find(LDAP_CONTROL_SYNC_STATE, raw, nullptr);
  if (state == nullptr) return std::nullopt;
  return DecodeSyncState(
      std::string_view(state->ldctl_value.bv_val, state->ldctl_value.bv_len));
}

std::optional<LdapSyncInfo> ReadSyncInfo(LDAP* handle, LDAPMessage* message) {
  char* raw_oid = nullptr;
  berval* raw_data = nullptr;
  const int parsed = ldap_parse_intermediate(handle, message, &raw_oid,
                                             &raw_data, nullptr, /*freeit=*/0);
  const Text oid(raw_oid);
  std::optional<LdapSyncInfo> info;
  if (parsed == LDAP_SUCCESS && oid != nullptr && raw_data != nullptr &&
      std::string_view(oid.get()) == LDAP_SYNC_INFO) {
    info = DecodeSyncInfo(std::string_view(raw_data->bv_val, raw_data->bv_len));
  }
  ber_bvfree(raw_data);
  return info;
}

// As libldap takes a list.
std::vector<char*> PointersTo(const std::vector<std::string>& names) {
  std::vector<char*> pointers;
  for (const std::string& name : names) {
    pointers.push_back(const_cast<char*>(name.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

int ScopeOf(const LdapSearch& search) {
  switch (search.scope) {
    case LdapScope::kBase:
      return LDAP_SCOPE_BASE;
    case LdapScope::kOneLevel:
      return LDAP_SCOPE_ONELEVEL;
    case LdapScope::kSubtree:
      break;
  }
  return LDAP_SCOPE_SUBTREE;
}

// The URLs that libldap has read, which it wants back.
LdapReferral TakeReferral(char** raw) {
  LdapReferral referral;
  for (size_t i = 0; raw != nullptr && raw[i] != nullptr; ++i) {
    if (i < kMaxLdapReferences) referral.urls.emplace_back(raw[i]);
  }
  ldap_memvfree(reinterpret_cast<void**>(raw));
  return referral;
}

// What a password policy adds to a bind's result
// (draft-behera-ldap-password-policy §6.2).
std::optional<LdapVerdict> PolicyVerdict(LDAP* handle, LDAPControl** controls) {
  LDAPControl* control =
      ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, nullptr);
  if (control == nullptr) return std::nullopt;
  ber_int_t expires = 0;
  ber_int_t grace = 0;
  LDAPPasswordPolicyError error = PP_noError;
  if (ldap_parse_passwordpolicy_control(handle, control, &expires, &grace,
                                        &error) != LDAP_SUCCESS) {
    return std::nullopt;
  }
  switch (error) {
    case PP_passwordExpired:
    case PP_changeAfterReset:
      return LdapVerdict::kExpired;
    case PP_accountLocked:
      return LdapVerdict::kLocked;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::unique_ptr<Operation> LdapConnection::Open(
    Network& network, std::shared_ptr<const LdapOptions> options,
    const std::string& url, Role role, OpenCallback done) {
  auto opening = std::make_shared<Opening>(std::move(options), url, role);
  return network.RunOffLoop(
      BlockingKind::kDirectoryConnect, [opening] { opening->Run(); },
      [&network, opening, done = std::move(done)]() mutable {
        if (opening->failure()) return done(std::move(*opening->failure()));
        done(std::make_unique<LdapConnection>(network, opening->url(),
                                              opening->TakeHandle()));
      });
}

LdapConnection::LdapConnection(Network& network, std::string url, ldap* handle)
    : network_(network), url_(std::move(url)), handle_(handle) {
  int descriptor = -1;
  ldap_get_option(handle_, LDAP_OPT_DESC, &descriptor);
  watch_ = network_.WatchFd(descriptor, /*readable=*/true, /*writable=*/false,
                            [this] { OnReadable(); });
}

LdapConnection::~LdapConnection() {
  watch_ = nullptr;
  ldap_unbind_ext(handle_, nullptr, nullptr);
}

LdapConnection::SendResult LdapConnection::Search(const LdapSearch& search,
                                                  absl::Duration time_limit,
                                                  LdapReplyCallback done) {
  std::vector<char*> attributes = PointersTo(search.attributes);
  timeval limit = absl::ToTimeval(time_limit);
  int id = 0;
  const int result =
      ldap_search_ext(handle_, search.base_dn.c_str(), ScopeOf(search),
                      search.filter.c_str(), attributes.data(), /*attrsonly=*/0,
                      nullptr, nullptr, &limit, kMaxLdapEntries, &id);
  return Started(result, id, {std::move(done), {}, {}});
}

LdapConnection::SendResult LdapConnection::Follow(const LdapSearch& search,
                                                  std::string_view cookie,
                                                  LdapSyncCallback on_event) {
  std::vector<char*> attributes = PointersTo(search.attributes);
  std::string request = EncodeSyncRequest(cookie);
  LDAPControl sync = {};
  sync.ldctl_oid = const_cast<char*>(LDAP_CONTROL_SYNC);
  sync.ldctl_iscritical = 1;
  sync.ldctl_value.bv_val = request.data();
  sync.ldctl_value.bv_len = request.size();
  LDAPControl* controls[] = {&sync, nullptr};
  int id = 0;
  const int result =
      ldap_search_ext(handle_, search.base_dn.c_str(), ScopeOf(search),
                      search.filter.c_str(), attributes.data(), /*attrsonly=*/0,
                      controls, nullptr, nullptr, LDAP_NO_LIMIT, &id);
  return Started(result, id, {{}, {}, std::move(on_event)});
}

LdapConnection::SendResult LdapConnection::Bind(const std::string& dn,
                                                const Secret& secret,
                                                LdapReplyCallback done) {
  const std::string_view password = secret.Reveal();
  GATEHOUSE_CHECK(!dn.empty(), "a bind without a DN is anonymous");
  GATEHOUSE_CHECK(
      !password.empty() && password.find('\0') == std::string_view::npos,
      "a bind without a password is anonymous");
  berval credentials;
  credentials.bv_val = const_cast<char*>(password.data());
  credentials.bv_len = password.size();
  LDAPControl policy = {};
  policy.ldctl_oid = const_cast<char*>(LDAP_CONTROL_PASSWORDPOLICYREQUEST);
  LDAPControl* controls[] = {&policy, nullptr};
  int id = 0;
  const int result = ldap_sasl_bind(handle_, dn.c_str(), LDAP_SASL_SIMPLE,
                                    &credentials, controls, nullptr, &id);
  return Started(result, id, {std::move(done), {}, {}});
}

LdapConnection::SendResult LdapConnection::Started(int result, int id,
                                                   Pending pending) {
  if (result == LDAP_SUCCESS) {
    pending_[id] = std::move(pending);
    return id;
  }
  if (result == LDAP_SERVER_DOWN) {
    // libldap has closed the descriptor, and would connect again, blocking, at
    // the next request.
    lost_ = true;
    watch_ = network_.Defer([this] { Lose(); });
  }
  return ReasonOf(result, "");
}

void LdapConnection::Abandon(int id) {
  if (pending_.erase(id) == 0) return;
  ldap_abandon_ext(handle_, id, nullptr, nullptr);
}

void LdapConnection::OnReadable() {
  // TLS may hold more than the descriptor shows: until libldap has no more.
  for (int i = 0; i < kMostMessagesAtOnce; ++i) {
    if (!TakeMessage()) return;
  }
  more_ = network_.Defer([this] { OnReadable(); });
}

bool LdapConnection::TakeMessage() {
  timeval no_wait = {0, 0};
  LDAPMessage* raw = nullptr;
  const int type =
      ldap_result(handle_, LDAP_RES_ANY, LDAP_MSG_ONE, &no_wait, &raw);
  const Message message(raw);
  if (type == 0) return false;
  if (type < 0) {
    Lose();
    return false;
  }
  return Dispatch(message.get());
}

bool LdapConnection::Dispatch(ldapmsg* message) {
  const int id = ldap_msgid(message);
  const int type = ldap_msgtype(message);
  if (id == 0) {  // a notice of disconnection (RFC 4511 §4.4.1)
    Lose();
    return false;
  }
  const auto found = pending_.find(id);
  if (found == pending_.end()) return true;  // abandoned
  if (found->second.on_event) return DispatchSync(message, id, found->second);
  if (type == LDAP_RES_SEARCH_ENTRY || type == LDAP_RES_SEARCH_REFERENCE) {
    Collect(message, found->second.found);
    return true;
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  const std::weak_ptr<bool> alive = alive_;
  pending.done(Conclude(message, type, std::move(pending.found)));
  return !alive.expired();
}

bool LdapConnection::DispatchSync(ldapmsg* message, int id, Pending& pending) {
  LdapSyncEvent event = ReadSync(message, ldap_msgtype(message));
  LdapSyncCallback on_event = std::move(pending.on_event);
  const std::weak_ptr<bool> alive = alive_;
  if (std::holds_alternative<LdapSyncEnd>(event)) {
    pending_.erase(id);
    on_event(std::move(event));
    return !alive.expired();
  }
  on_event(std::move(event));
  if (alive.expired()) return false;
  const auto found = pending_.find(id);
  if (found != pending_.end()) found->second.on_event = std::move(on_event);
  return true;
}

LdapSyncEvent LdapConnection::ReadSync(ldapmsg* message, int type) {
  if (type == LDAP_RES_SEARCH_RESULT) {
    int code = LDAP_OTHER;
    char* raw_text = nullptr;
    ldap_parse_result(handle_, message, &code, nullptr, &raw_text, nullptr,
                      nullptr, /*freeit=*/0);
    const Text text(raw_text);
    const bool no_time = code == LDAP_BUSY || code == LDAP_UNAVAILABLE ||
                         code == LDAP_TIMELIMIT_EXCEEDED;
    return LdapSyncEnd{ReasonOf(code, text ? text.get() : ""), !no_time,
                       code == LDAP_SYNC_REFRESH_REQUIRED};
  }
  if (type == LDAP_RES_INTERMEDIATE) {
    if (auto info = ReadSyncInfo(handle_, message)) return std::move(*info);
  } else {
    const bool is_reference = type == LDAP_RES_SEARCH_REFERENCE;
    if (auto state = ReadSyncState(handle_, message, is_reference)) {
      LdapEntry entry;
      if (!is_reference) entry = ReadEntry(handle_, message);
      return LdapSyncEntry{std::move(*state), std::move(entry), is_reference};
    }
  }
  return LdapSyncEnd{ReasonOf(LDAP_DECODING_ERROR, "synchronisation"), true,
                     false};
}

void LdapConnection::Collect(ldapmsg* message, LdapFound& found) {
  if (ldap_msgtype(message) == LDAP_RES_SEARCH_REFERENCE) {
    if (found.references.size() > kMaxLdapReferences) return;
    char** raw = nullptr;
    ldap_parse_reference(handle_, message, &raw, nullptr, /*freeit=*/0);
    found.references.push_back(TakeReferral(raw));
    return;
  }
  // A server may disregard our size limit.
  if (found.entries.size() == kMaxLdapEntries) {
    found.more = true;
    return;
  }
  found.entries.push_back(ReadEntry(handle_, message));
}

LdapReply LdapConnection::Conclude(ldapmsg* message, int type,
                                   LdapFound found) {
  int code = LDAP_OTHER;
  char* raw_text = nullptr;
  char** raw_urls = nullptr;
  LDAPControl** raw_controls = nullptr;
  const int parsed =
      ldap_parse_result(handle_, message, &code, nullptr, &raw_text, &raw_urls,
                        &raw_controls, /*freeit=*/0);
  const Text text(raw_text);
  LdapReferral referral = TakeReferral(raw_urls);
  const Controls controls(raw_controls);
  if (parsed != LDAP_SUCCESS) code = parsed;
  const std::string_view diagnostic = text ? text.get() : "";

  if (code == LDAP_REFERRAL) return referral;
  if (type == LDAP_RES_BIND) {
    const auto policy = PolicyVerdict(handle_, controls.get());
    switch (code) {
      case LDAP_SUCCESS:
        return policy.value_or(LdapVerdict::kRight);
      case LDAP_INVALID_CREDENTIALS:
      case LDAP_INAPPROPRIATE_AUTH:
        return policy.value_or(LdapVerdict::kWrong);
      default:
        return ReasonOf(code, diagnostic);
    }
  }
  if (code == LDAP_SIZELIMIT_EXCEEDED && !found.entries.empty()) {
    found.more = true;
    return found;
  }
  if (code != LDAP_SUCCESS) return ReasonOf(code, diagnostic);
  return found;
}

void LdapConnection::Lose() {
  lost_ = true;
  watch_ = nullptr;
  more_ = nullptr;
  const std::weak_ptr<bool> alive = alive_;
  while (!pending_.empty()) {
    Pending first = std::move(pending_.extract(pending_.begin()).mapped());
    Failure failure{Failure::Side::kDirectory, Failure::Kind::kReset,
                    Failure::Retry::kNo,
                    url_ + ": the connection ended before the answer"};
    if (first.on_event) {
      first.on_event(LdapSyncEnd{std::move(failure), false, false});
    } else {
      first.done(std::move(failure));
    }
    if (alive.expired()) return;
  }
  auto on_lost = std::move(on_lost_);
  if (on_lost) on_lost();
}

Failure LdapConnection::ReasonOf(int code, std::string_view text) const {
  Failure failure{Failure::Side::kDirectory, KindOf(code),
                  Failure::Retry::kSafe, url_ + ": " + ldap_err2string(code)};
  if (!text.empty()) failure.text.append(" (").append(text).append(")");
  return failure;
}

}  // namespace gatehouse
