#include "benchmarks/load/sample_data.h"

#include <string>
namespace gatehouse::load {
namespace {

// A prime near 256 KiB: stays in the cache, and no write has this size.
constexpr size_t kBlockBytes = 262139;
constexpr size_t kMessageBytes = 10 * 1024;
constexpr size_t kLineBytes = 72;

std::string MakeBlock() {
  std::string block(kBlockBytes, '\0');
  uint32_t state = 1;
  for (char& c : block) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return block;
}

std::string MakeMessage() {
  std::string message =
      "From: <sender@example.com>\r\nTo: <user@example.com>\r\n"
      "Subject: sample\r\n\r\n";
  while (message.size() < kMessageBytes) {
    size_t left = kMessageBytes - message.size();
    size_t text = left < 2 * kLineBytes ? left - 2 : kLineBytes - 2;
    for (size_t i = 0; i < text; ++i) {
      message += static_cast<char>('a' + (message.size() * 7 + i) % 26);
    }
    message += "\r\n";
  }
  return message;
}

}  // namespace

std::string_view BulkAt(uint64_t offset) {
  static const std::string& block = *new std::string(MakeBlock());
  return std::string_view(block).substr(offset % kBlockBytes);
}

bool IsBulkAt(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    std::string_view expected = BulkAt(offset).substr(0, bytes.size());
    if (bytes.substr(0, expected.size()) != expected) return false;
    offset += expected.size();
    bytes.remove_prefix(expected.size());
  }
  return true;
}

std::string_view SampleMessage() {
  static const std::string& message = *new std::string(MakeMessage());
  return message;
}

std::string_view SampleBody() {
  std::string_view message = SampleMessage();
  return message.substr(message.find("\r\n\r\n") + 4);
}

}  // namespace gatehouse::load
