// Rules: RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2; RFC 1870 §5 (SIZE); RFC 6152
// (BODY); RFC 6531 §3.4 (SMTPUTF8); RFC 3461 §4 (RET, ENVID, NOTIFY, ORCPT);
// RFC 4954 §5 (AUTH=); RFC 3030 §2 (BDAT); RFC 5248 (codes).

#include "lib/protocol/smtp/smtp_command.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"
#include "lib/protocol/sasl.h"
#include "lib/protocol/smtp/smtp_xtext.h"

namespace gatehouse {
namespace {

// RFC 1870 §4: SIZE has at most 20 digits. RFC 3461 §4.4, §4.2: 100 and 500.
constexpr size_t kMostDigits = 20;
constexpr size_t kLongestEnvidBytes = 100;
constexpr size_t kLongestOrcptBytes = 500;
constexpr size_t kLongestHeloBytes = 255;

using Refusal = std::optional<SmtpReply>;  // nothing: sound

SmtpReply BadParameter() {
  return MakeSmtpReply(501, "5.5.4", "A parameter's value is wrong.");
}
SmtpReply NotOffered() {
  return MakeSmtpReply(555, "5.5.4", "This parameter isn't known here.");
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

// Digits alone: no sign, no blank, nothing that overflows.
std::optional<uint64_t> ParseNumber(std::string_view text) {
  const bool digits = !text.empty() && text.size() <= kMostDigits &&
                      std::all_of(text.begin(), text.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  uint64_t number = 0;
  const auto end = text.data() + text.size();
  if (!digits || std::from_chars(text.data(), end, number).ec != std::errc()) {
    return std::nullopt;
  }
  return number;
}

// --- Paths and parameters ----------------------------------------------------

struct Parameter {
  std::string_view keyword;
  std::optional<std::string_view> value;  // nothing: without "="
};

// "FROM:<path> A B=c", taken apart. The path is without its brackets.
struct Arguments {
  std::string_view path;
  std::vector<Parameter> parameters;
};

// Where the path that begins at the front of `text` has its ">": one in a
// quoted string isn't it.
size_t EndOfPath(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '>' && !quoted) return i;
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '\\' && quoted) ++i;
  }
  return std::string_view::npos;
}

std::vector<Parameter> SplitParameters(std::string_view text) {
  std::vector<Parameter> parameters;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (word.empty()) continue;
    const size_t equals = word.find('=');
    Parameter parameter{word.substr(0, equals), std::nullopt};
    if (equals != word.npos) parameter.value = word.substr(equals + 1);
    parameters.push_back(parameter);
  }
  return parameters;
}

bool HasDuplicates(const std::vector<Parameter>& parameters) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (EqualsIgnoringCase(parameters[i].keyword, parameters[j].keyword)) {
        return true;
      }
    }
  }
  return false;
}

// Spaces behind the colon are forbidden, and sent by many.
std::optional<Arguments> SplitArguments(std::string_view text,
                                        std::string_view lead) {
  if (!absl::StartsWithIgnoreCase(ToAbsl(text), ToAbsl(lead))) {
    return std::nullopt;
  }
  text.remove_prefix(lead.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  if (!text.starts_with('<')) return std::nullopt;
  text.remove_prefix(1);
  const size_t end = EndOfPath(text);
  if (end == text.npos) return std::nullopt;
  Arguments arguments;
  arguments.path = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!text.empty() && !text.starts_with(' ')) return std::nullopt;
  arguments.parameters = SplitParameters(text);
  return arguments;
}

// --- MAIL --------------------------------------------------------------------

Refusal OnSize(SmtpMail& mail, const Parameter& parameter,
               const SmtpExtensions& offered) {
  if (!offered.size) return NotOffered();
  mail.size = parameter.value ? ParseNumber(*parameter.value) : std::nullopt;
  if (!mail.size) return BadParameter();
  if (*offered.size > 0 && *mail.size > *offered.size) {
    return MakeSmtpReply(552, "5.3.4", "The message is too big for us.");
  }
  return std::nullopt;
}

Refusal OnBody(SmtpMail& mail, const Parameter& parameter,
               const SmtpExtensions& offered) {
  if (!offered.eight_bit_mime) return NotOffered();
  mail.body_8bit = EqualsIgnoringCase(parameter.value.value_or(""), "8BITMIME");
  if (mail.body_8bit ||
      EqualsIgnoringCase(parameter.value.value_or(""), "7BIT"))
    return std::nullopt;
  return BadParameter();
}

Refusal OnUtf8(SmtpMail& mail, const Parameter& parameter,
               const SmtpExtensions& offered) {
  if (!offered.utf8) return NotOffered();
  if (parameter.value) return BadParameter();
  mail.utf8 = true;
  return std::nullopt;
}

Refusal OnPrdr(SmtpMail& mail, const Parameter& parameter,
               const SmtpExtensions& offered) {
  if (!offered.prdr) return NotOffered();
  if (parameter.value) return BadParameter();
  mail.prdr = true;
  return std::nullopt;
}

Refusal OnRet(SmtpMail& mail, const Parameter& parameter,
              const SmtpExtensions& offered) {
  if (!offered.dsn) return NotOffered();
  mail.ret = parameter.value.value_or("");
  const bool sound = EqualsIgnoringCase(mail.ret, "FULL") ||
                     EqualsIgnoringCase(mail.ret, "HDRS");
  return sound ? std::nullopt : Refusal(BadParameter());
}

Refusal OnEnvid(SmtpMail& mail, const Parameter& parameter,
                const SmtpExtensions& offered) {
  if (!offered.dsn) return NotOffered();
  mail.envid = parameter.value.value_or("");
  const bool sound = !mail.envid.empty() &&
                     mail.envid.size() <= kLongestEnvidBytes &&
                     IsXtext(mail.envid);
  return sound ? std::nullopt : Refusal(BadParameter());
}

// Whoever sent the message, the client may not say so for others: RFC 4954 §5
// has it count as "<>", which is what saying nothing means.
Refusal OnAuth(SmtpMail&, const Parameter& parameter,
               const SmtpExtensions& offered) {
  if (!offered.auth) return NotOffered();
  const std::string_view value = parameter.value.value_or("");
  return value == "<>" || (!value.empty() && IsXtext(value))
             ? std::nullopt
             : Refusal(BadParameter());
}

struct MailParameter {
  std::string_view keyword;
  Refusal (*reader)(SmtpMail&, const Parameter&, const SmtpExtensions&);
};
constexpr MailParameter kMailParameters[] = {
    {"AUTH", &OnAuth},     {"BODY", &OnBody}, {"ENVID", &OnEnvid},
    {"PRDR", &OnPrdr},     {"RET", &OnRet},   {"SIZE", &OnSize},
    {"SMTPUTF8", &OnUtf8},
};

Refusal ReadParameter(SmtpMail& mail, const Parameter& parameter,
                      const SmtpExtensions& offered) {
  for (const MailParameter& known : kMailParameters) {
    if (EqualsIgnoringCase(known.keyword, parameter.keyword)) {
      return known.reader(mail, parameter, offered);
    }
  }
  return NotOffered();
}

// --- RCPT --------------------------------------------------------------------

// "NEVER", or of SUCCESS, FAILURE and DELAY what is wanted, each once.
bool IsNotify(std::string_view text) {
  if (EqualsIgnoringCase(text, "NEVER")) return true;
  std::vector<Parameter> seen;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    if (!EqualsIgnoringCase(word, "SUCCESS") &&
        !EqualsIgnoringCase(word, "FAILURE") &&
        !EqualsIgnoringCase(word, "DELAY")) {
      return false;
    }
    seen.push_back({word, std::nullopt});
    if (comma == text.size()) return !HasDuplicates(seen);
    text.remove_prefix(comma + 1);
  }
}

// "rfc822;" and xtext. RFC 6533 §3 allows UTF-8 in an address of type utf-8,
// which IsLoginName() holds free of control characters.
bool IsOrcpt(std::string_view text, bool utf8) {
  const size_t semicolon = text.find(';');
  if (text.size() > kLongestOrcptBytes || semicolon == text.npos) return false;
  const std::string_view type = text.substr(0, semicolon);
  const std::string_view address = text.substr(semicolon + 1);
  const bool sound_type =
      !type.empty() && std::all_of(type.begin(), type.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-';
      });
  if (!sound_type || address.empty()) return false;
  if (IsXtext(address)) return true;
  return utf8 && EqualsIgnoringCase(type, "utf-8") && IsLoginName(address);
}

Refusal ReadParameter(SmtpRcpt& rcpt, const Parameter& parameter, bool dsn,
                      bool utf8) {
  const std::string_view value = parameter.value.value_or("");
  if (dsn && EqualsIgnoringCase(parameter.keyword, "NOTIFY")) {
    rcpt.notify = value;
    return IsNotify(value) ? std::nullopt : Refusal(BadParameter());
  }
  if (dsn && EqualsIgnoringCase(parameter.keyword, "ORCPT")) {
    rcpt.orcpt = value;
    return IsOrcpt(value, utf8) ? std::nullopt : Refusal(BadParameter());
  }
  return NotOffered();
}

// Postfix, sendmail and others route "u%other@us" and "other!u@us" onwards,
// past every check that was made of "@us".
bool HoldsRoute(const SmtpAddress& address) {
  return address.local_part.find_first_of("%!@") != std::string::npos;
}

SmtpReply NeedsUtf8() {
  return MakeSmtpReply(553, "5.6.7", "This address needs SMTPUTF8.");
}

}  // namespace

std::variant<SmtpMail, SmtpReply> ParseSmtpMail(std::string_view text,
                                                const SmtpExtensions& offered) {
  const auto arguments = SplitArguments(text, "FROM:");
  if (!arguments) {
    return MakeSmtpReply(501, "5.5.4", "Say MAIL FROM:<address>.");
  }
  if (HasDuplicates(arguments->parameters)) {
    return MakeSmtpReply(501, "5.5.4", "A parameter stands there twice.");
  }
  SmtpMail mail;
  for (const Parameter& parameter : arguments->parameters) {
    if (Refusal refusal = ReadParameter(mail, parameter, offered)) {
      return *std::move(refusal);
    }
  }
  if (arguments->path.empty()) return mail;
  mail.sender = ParseSmtpPath(arguments->path);
  if (!mail.sender || mail.sender->domain.empty()) {
    return MakeSmtpReply(501, "5.1.7", "This isn't a sender's address.");
  }
  if (!mail.utf8 && !mail.sender->is_ascii()) return NeedsUtf8();
  return mail;
}

std::variant<SmtpRcpt, SmtpReply> ParseSmtpRcpt(std::string_view text,
                                                const SmtpExtensions& offered,
                                                bool utf8) {
  const auto arguments = SplitArguments(text, "TO:");
  if (!arguments) {
    return MakeSmtpReply(501, "5.5.4", "Say RCPT TO:<address>.");
  }
  if (HasDuplicates(arguments->parameters)) {
    return MakeSmtpReply(501, "5.5.4", "A parameter stands there twice.");
  }
  SmtpRcpt rcpt;
  for (const Parameter& parameter : arguments->parameters) {
    if (Refusal refusal = ReadParameter(rcpt, parameter, offered.dsn, utf8)) {
      return *std::move(refusal);
    }
  }
  auto recipient = ParseSmtpPath(arguments->path);
  if (!recipient) {
    return MakeSmtpReply(501, "5.1.3", "This isn't a recipient's address.");
  }
  if (HoldsRoute(*recipient)) {
    return MakeSmtpReply(553, "5.1.3",
                         "Routes inside of addresses are refused.");
  }
  if (!utf8 && !recipient->is_ascii()) return NeedsUtf8();
  rcpt.recipient = *std::move(recipient);
  return rcpt;
}

std::optional<SmtpChunkHeader> ParseSmtpBdat(std::string_view arguments) {
  const size_t space = arguments.find(' ');
  const auto octets = ParseNumber(arguments.substr(0, space));
  if (!octets) return std::nullopt;
  SmtpChunkHeader header{*octets, false};
  if (space == arguments.npos) return header;
  header.last = EqualsIgnoringCase(arguments.substr(space + 1), "LAST");
  return header.last ? std::optional(header) : std::nullopt;
}

bool IsSmtpHelo(std::string_view name) {
  const bool literal = name.starts_with('[') && name.ends_with(']');
  if (literal) name = name.substr(1, name.size() - 2);
  const std::string_view others = literal ? ".:-" : ".-_";
  return !name.empty() && name.size() <= kLongestHeloBytes &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  others.find(c) != others.npos;
         });
}

}  // namespace gatehouse
