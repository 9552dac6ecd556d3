#include "lib/directory/follow_filter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool HasHole(std::string_view text, std::string_view letters) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '%') continue;
    if (letters.find(text[++i]) != std::string_view::npos) return true;
  }
  return false;
}

bool DependsOnName(std::string_view text) { return HasHole(text, "eud"); }

absl::Status CannotFollow(const FilterNode& node) {
  return absl::InvalidArgumentError(
      "can't follow " + node.text +
      ": the name may only stand in \"(attribute=value)\", or in an \"|\" of "
      "such, of one \"&\"");
}

// The "(attribute=…)" of the node, which compares with the name.
absl::StatusOr<FilterItem> EqualityOf(const FilterNode& node) {
  const bool equality =
      node.kind == FilterNode::Kind::kItem && node.item.comparison == "=" &&
      !node.item.has_wildcard && DependsOnName(node.text) &&
      node.item.attribute.find_first_of(";:") == std::string::npos;
  if (!equality) return CannotFollow(node);
  return node.item;
}

void AddUnique(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    names.push_back(name);
  }
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

}  // namespace

absl::StatusOr<FollowFilter> FollowFilter::Create(
    const std::string& account_filter) {
  auto checked = FilterTemplate::Create(account_filter);
  if (!checked.ok()) return checked.status();
  auto tree = ParseFilterTree(account_filter);
  if (!tree.ok()) return tree.status();
  FollowFilter made;
  absl::Status added = made.Add(*tree);
  if (!added.ok()) return added;

  const auto names_somebody = [](const Clause& clause) {
    return std::all_of(clause.begin(), clause.end(), [](const Assertion& one) {
      return HasHole(one.value, "eu");
    });
  };
  const auto key =
      std::find_if(made.clauses_.begin(), made.clauses_.end(), names_somebody);
  if (key == made.clauses_.end()) {
    return absl::InvalidArgumentError(
        "can't follow " + account_filter +
        ": no part compares with %e or %u in each of its alternatives");
  }
  std::rotate(made.clauses_.begin(), key, key + 1);
  made.text_ = "(&" + made.text_ + ")";
  made.SetAttributes();
  return made;
}

absl::Status FollowFilter::Add(const FilterNode& node) {
  if (!DependsOnName(node.text)) {
    text_ += FillName(node.text, {});  // for its %%
    return absl::OkStatus();
  }
  if (node.kind == FilterNode::Kind::kAnd) {
    for (const FilterNode& child : node.children) {
      absl::Status added = Add(child);
      if (!added.ok()) return added;
    }
    return absl::OkStatus();
  }
  std::vector<FilterNode> alternatives = {node};
  if (node.kind == FilterNode::Kind::kOr) alternatives = node.children;
  Clause clause;
  text_ += "(|";
  for (const FilterNode& alternative : alternatives) {
    auto item = EqualityOf(alternative);
    if (!item.ok()) return item.status();
    text_ += "(" + item->attribute + "=*)";
    clause.push_back({absl::AsciiStrToLower(ToAbsl(item->attribute)),
                      std::move(item->value)});
  }
  text_ += ")";
  clauses_.push_back(std::move(clause));
  return absl::OkStatus();
}

void FollowFilter::SetAttributes() {
  for (const Assertion& assertion : clauses_.front()) {
    AddUnique(key_attributes_, assertion.attribute);
  }
  for (const Clause& clause : clauses_) {
    for (const Assertion& assertion : clause) {
      AddUnique(compared_attributes_, assertion.attribute);
    }
  }
}

std::vector<std::string> FollowFilter::KeysOf(const LoginName& name) const {
  std::vector<std::string> keys;
  for (const Assertion& assertion : clauses_.front()) {
    AddUnique(keys, FillName(assertion.value, name));
  }
  return keys;
}

bool FollowFilter::Matches(const LdapEntry& entry,
                           const LoginName& name) const {
  const auto holds = [&](const Assertion& assertion) {
    const std::string wanted = FillName(assertion.value, name);
    const LdapValues values = entry.Values(assertion.attribute);
    return std::any_of(values.begin(), values.end(), [&](auto value) {
      return EqualsIgnoringCase(value, wanted);
    });
  };
  return std::all_of(clauses_.begin(), clauses_.end(), [&](const auto& clause) {
    return std::any_of(clause.begin(), clause.end(), holds);
  });
}

}  // namespace gatehouse
