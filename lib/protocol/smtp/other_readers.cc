#include "lib/protocol/smtp/other_readers.h"

#include <algorithm>
#include <utility>

namespace gatehouse {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

std::string ReplaceAll(std::string text, std::string_view what,
                       std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos;
       at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::optional<std::string> TakeLineStrictly(std::string_view& wire) {
  const size_t end = wire.find(kLineEnd);
  if (end == wire.npos) return std::nullopt;
  const std::string line(wire.substr(0, end));
  wire.remove_prefix(end + kLineEnd.size());
  return line;
}

// An empty line between the CR and the LF of one end counts nothing.
std::optional<std::string> TakeLineLeniently(std::string_view& wire) {
  const size_t begin = wire.find_first_not_of("\r\n");
  if (begin == wire.npos) return std::nullopt;
  const size_t end = std::min(wire.find_first_of("\r\n", begin), wire.size());
  const std::string line(wire.substr(begin, end - begin));
  const size_t behind_crs = wire.find_first_not_of('\r', end);
  const bool feeds = behind_crs != wire.npos && wire[behind_crs] == '\n';
  wire.remove_prefix(feeds ? behind_crs + 1 : std::min(end + 1, wire.size()));
  return ReplaceAll(line, std::string_view("\0", 1), "");
}

std::optional<WireTransactions> ReadTransactions(
    std::string_view wire,
    std::optional<std::string> (*take_line)(std::string_view&),
    std::optional<WireMessage> (*read_message)(std::string_view)) {
  WireTransactions transactions;
  WireTransaction transaction;
  while (!wire.empty()) {
    const auto line = take_line(wire);
    if (!line) return std::nullopt;
    if (line->starts_with("MAIL FROM:") || line->starts_with("RCPT TO:")) {
      transaction.commands.push_back(*line);
      continue;
    }
    if (*line != "DATA") return std::nullopt;
    const auto message = read_message(wire);
    if (!message) return std::nullopt;
    wire.remove_prefix(message->size);
    transaction.octets = message->octets;
    transactions.push_back(std::exchange(transaction, {}));
  }
  return transaction.commands.empty() ? std::optional(transactions)
                                      : std::nullopt;
}

}  // namespace

std::optional<WireTransactions> ReadTransactionsStrictly(
    std::string_view wire) {
  return ReadTransactions(wire, &TakeLineStrictly, &ReadStrictly);
}

std::optional<WireTransactions> ReadTransactionsLeniently(
    std::string_view wire) {
  return ReadTransactions(wire, &TakeLineLeniently, &ReadLeniently);
}

std::optional<WireMessage> ReadStrictly(std::string_view wire) {
  // As if a line had ended before the first: an empty message is only a dot.
  const std::string text = std::string(kLineEnd).append(wire);
  const size_t end = text.find("\r\n.\r\n");
  if (end == text.npos) return std::nullopt;
  const std::string stuffed = text.substr(0, end + kLineEnd.size());
  WireMessage message;
  message.octets = ReplaceAll(stuffed, "\r\n.", "\r\n").substr(kLineEnd.size());
  message.size = end + 3;  // of "\r\n.\r\n", less what was put before
  return message;
}

std::optional<WireMessage> ReadLeniently(std::string_view wire) {
  WireMessage message;
  std::string line;
  for (size_t i = 0; i < wire.size(); ++i) {
    const char c = wire[i];
    if (c == '\0') continue;
    if (c != '\r' && c != '\n') {
      line += c;
      continue;
    }
    const size_t behind_crs = wire.find_first_not_of('\r', i);
    if (behind_crs != wire.npos && wire[behind_crs] == '\n') i = behind_crs;
    if (line == ".") {
      message.size = i + 1;
      return message;
    }
    if (line.starts_with('.')) line.erase(0, 1);
    message.octets.append(line).append(kLineEnd);
    line.clear();
  }
  return std::nullopt;
}

std::string StuffStrictly(std::string_view message) {
  const std::string text = std::string(kLineEnd).append(message);
  return ReplaceAll(text, "\r\n.", "\r\n..").substr(kLineEnd.size()) + ".\r\n";
}

bool IsSoundMessage(std::string_view message) {
  const std::string rest = ReplaceAll(std::string(message), kLineEnd, "");
  return rest.find_first_of(std::string_view("\r\n\0", 3)) == rest.npos;
}

}  // namespace gatehouse
