#include "lib/directory/follow_filter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "lib/base/string_bridge.h"

namespace gatehouse {
namespace {

bool DependsOnName(std::string_view text) {
  return NameTemplate(text).HasHole("eud");
}

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

template <typename T>
void AddUnique(std::vector<T>& all, const T& one) {
  if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
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
      return one.value.HasHole("eu");
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
  made.SetKeys();
  return made;
}

absl::Status FollowFilter::Add(const FilterNode& node) {
  if (!DependsOnName(node.text)) {
    std::string buffer;
    text_ += NameTemplate(node.text).Fill({}, buffer);  // for its %%
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
                      NameTemplate(item->value)});
  }
  text_ += ")";
  clauses_.push_back(std::move(clause));
  return absl::OkStatus();
}

void FollowFilter::SetKeys() {
  for (const Assertion& assertion : clauses_.front()) {
    AddUnique(keys_, assertion.value);
    AddUnique(key_attributes_, assertion.attribute);
  }
  for (const Clause& clause : clauses_) {
    for (const Assertion& assertion : clause) {
      AddUnique(compared_attributes_, assertion.attribute);
    }
  }
}

bool FollowFilter::Matches(const LdapEntry& entry,
                           const LoginName& name) const {
  std::string buffer;
  const auto holds = [&](const Assertion& assertion) {
    const std::string_view wanted = assertion.value.Fill(name, buffer);
    return entry.Values(assertion.attribute).Find(wanted).has_value();
  };
  return std::all_of(clauses_.begin(), clauses_.end(), [&](const auto& clause) {
    return std::any_of(clause.begin(), clause.end(), holds);
  });
}

}  // namespace gatehouse
