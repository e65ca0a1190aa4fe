/// A configuration document as a tree of values, each with the place where it stands, so that an error can name file,
/// line and column. What it may look like is said by a Shape (core/schema.h); reading YAML into it is the business of
/// app/config.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace steward {

/// Where something stands. Lines and columns count from 1.
struct SourcePlace {
  std::string file{};  ///< As the person named it.
  int line = 0, column = 0;
};
/// "steward.yaml:14:9".
std::string text_of(const SourcePlace& place);

/// A key of a map, and its value. (A template, because it has a Node inside, and stands inside of one.)
template <class Value>
struct Entry {
  std::string key{};
  SourcePlace at{};
  Value value{};
};

struct Node {
  enum class Kind { nothing, scalar, list, map };
  Kind kind = Kind::nothing;
  std::string text{};   ///< Of a scalar.
  bool quoted = false;  ///< It was written in quotes: a text, whatever it looks like.
  /// It came, in whole or part, out of a file or a variable: `config show` says so, and never what it was.
  std::string from{};
  std::vector<Node> items{};           ///< Of a list.
  std::vector<Entry<Node>> members{};  ///< Of a map, in the order of the file.
  SourcePlace at{};

  bool empty() const { return kind == Kind::nothing; }
  /// The value of `key`, or null where it is absent or empty.
  const Node* find(std::string_view key) const;
  /// Its text; `fallback` where it is absent.
  std::string text_at(std::string_view key, std::string_view fallback = {}) const;
  /// The texts of a list of scalars; a scalar is a list of one.
  std::vector<std::string> texts() const;
};

using Member = Entry<Node>;

/// Lays `over` upon `under`: maps are merged key by key, everything else of `over` replaces what was there. The order
/// is that of `under`, then what is new.
Node merged(Node under, Node over);

}  // namespace steward
