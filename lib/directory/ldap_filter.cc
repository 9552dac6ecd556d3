#include "lib/directory/ldap_filter.h"

#include <optional>
#include <utility>

namespace gatehouse {
namespace {

// Deeper filters are nobody's, and a parser that calls itself needs an end.
constexpr int kMaxFilterDepth = 64;

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9');
}

bool IsPlainInValue(char c) {
  return IsLetterOrDigit(c) ||
         std::string_view("@.-_+=").find(c) != std::string_view::npos;
}

bool IsPlainInAttribute(char c) {
  return IsLetterOrDigit(c) || c == '-' || c == ';' || c == '.' || c == ':';
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  absl::StatusOr<FilterNode> Parse() {
    FilterNode root = ParseOne(0);
    if (!error_ && position_ != text_.size()) Fail("nothing more");
    if (error_) return absl::InvalidArgumentError(*error_);
    return root;
  }

 private:
  char Peek() const {
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool AtEnd() const { return position_ >= text_.size(); }

  void Fail(std::string_view expected) {
    if (error_) return;
    error_ = "position " + std::to_string(position_ + 1) + ": expected ";
    error_->append(expected);
  }

  void Expect(char c) {
    if (error_) return;
    if (AtEnd() || Peek() != c) return Fail(std::string{'"', c, '"'});
    ++position_;
  }

  FilterNode ParseOne(int depth) {
    FilterNode node;
    if (depth > kMaxFilterDepth) Fail("a filter that isn't so deep");
    const size_t begin = position_;
    Expect('(');
    if (error_) return node;
    switch (Peek()) {
      case '&':
      case '|':
        node.kind =
            Peek() == '&' ? FilterNode::Kind::kAnd : FilterNode::Kind::kOr;
        ++position_;
        // RFC 4526: an empty set is "true" or "false".
        while (!error_ && Peek() == '(') {
          node.children.push_back(ParseOne(depth + 1));
        }
        break;
      case '!':
        node.kind = FilterNode::Kind::kNot;
        ++position_;
        node.children.push_back(ParseOne(depth + 1));
        break;
      default:
        node.item = ParseItem();
    }
    Expect(')');
    node.text = text_.substr(begin, position_ - begin);
    return node;
  }

  FilterItem ParseItem() {
    FilterItem item;
    while (!AtEnd() && IsPlainInAttribute(Peek())) {
      item.attribute += text_[position_++];
    }
    ParseComparison(item);
    if (item.attribute.empty()) Fail("an attribute");
    ParseValue(item);
    return item;
  }

  void ParseComparison(FilterItem& item) {
    if (item.attribute.ends_with(':')) {
      item.attribute.pop_back();
      item.comparison = ":";
    } else if (Peek() == '~' || Peek() == '>' || Peek() == '<') {
      item.comparison = std::string(1, text_[position_++]);
    }
    item.comparison += '=';
    Expect('=');
  }

  void ParseValue(FilterItem& item) {
    while (!error_ && !AtEnd() && Peek() != ')') {
      const char c = Peek();
      if (c == '(' || c == '\0') return Fail("a quoted character");
      if (c == '\\') {
        ParseEscape(item.value);
      } else {
        item.has_wildcard |= c == '*';
        item.value += c;
        ++position_;
      }
    }
  }

  void ParseEscape(std::string& value) {
    const int high =
        position_ + 1 < text_.size() ? HexDigit(text_[position_ + 1]) : -1;
    const int low =
        position_ + 2 < text_.size() ? HexDigit(text_[position_ + 2]) : -1;
    if (high < 0 || low < 0) return Fail("two hexadecimal digits after \"\\\"");
    value += static_cast<char>(high * 16 + low);
    position_ += 3;
  }

  std::string_view text_;
  size_t position_ = 0;
  std::optional<std::string> error_;
};

void AppendItems(FilterNode& node, std::vector<FilterItem>& items) {
  if (node.kind == FilterNode::Kind::kItem) {
    items.push_back(std::move(node.item));
  }
  for (FilterNode& child : node.children) AppendItems(child, items);
}

}  // namespace

std::string QuoteFilterValue(std::string_view value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted;
  quoted.reserve(value.size());
  for (char c : value) {
    if (IsPlainInValue(c)) {
      quoted += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    quoted += '\\';
    quoted += kDigits[octet >> 4];
    quoted += kDigits[octet & 15];
  }
  return quoted;
}

absl::StatusOr<FilterNode> ParseFilterTree(std::string_view filter) {
  return FilterParser(filter).Parse();
}

absl::StatusOr<std::vector<FilterItem>> ParseFilter(std::string_view filter) {
  auto tree = ParseFilterTree(filter);
  if (!tree.ok()) return tree.status();
  std::vector<FilterItem> items;
  AppendItems(*tree, items);
  return items;
}

absl::StatusOr<FilterTemplate> FilterTemplate::Create(std::string_view text) {
  absl::Status holes = NameTemplate::Check(text);
  if (!holes.ok()) return holes;
  auto items = ParseFilter(text);
  if (!items.ok()) return items.status();

  FilterTemplate made;
  made.text_ = NameTemplate(text);
  for (FilterItem& item : *items) {
    if (item.comparison != "=" || item.has_wildcard) continue;
    NameTemplate value(item.value);
    if (!value.HasHole("eu")) continue;
    made.name_assertions_.push_back(
        {std::move(item.attribute), std::move(value)});
  }
  if (made.name_assertions_.empty()) {
    return absl::InvalidArgumentError(
        "no attribute is compared with %e or %u: every name would find the "
        "same entry");
  }
  return made;
}

std::string FilterTemplate::Fill(const LoginName& name) const {
  return text_.Fill(name, QuoteFilterValue);
}

}  // namespace gatehouse
