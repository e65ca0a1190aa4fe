#include "app/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/bytes.h"
#include "core/schema.h"
#include "core/text.h"

namespace steward::app {
namespace {

constexpr std::size_t longest_file = 4U << 20, most_nodes = 100'000;

/// The content of a file; empty and `why` where it cannot be read.
std::string slurp(const std::string& file, std::string& why) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    why = std::strerror(errno);
    return {};
  }
  std::string text(longest_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) why = "it cannot be read";
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > longest_file) why = fmt::format("it is larger than {}", format_bytes(Bytes{longest_file}));
  return text;
}

/// Replaces ${…} and $$ in the text of a scalar.
class Substitution {
 public:
  Substitution(const Environment& environment, std::vector<Error>& errors)
      : environment_(environment), errors_(errors) {}

  void apply(Node& node) {
    std::string out;
    const std::string text = std::move(node.text);
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view rest = std::string_view(text).substr(at);
      if (rest.starts_with("$$")) {
        out += '$';
        at += 2;
      } else if (rest.starts_with("${")) {
        const std::size_t end = text.find('}', at);
        if (end == std::string::npos) {
          errors_.push_back(error_at(node.at, "\"${\" has no \"}\"", "Write ${NAME}, or $$ for a dollar."));
          break;
        }
        out += value_of(text.substr(at + 2, end - at - 2), node);
        at = end + 1;
      } else {
        out += text[at++];
      }
    }
    node.text = std::move(out);
  }

 private:
  std::string value_of(const std::string& inside, Node& node) {
    if (inside.starts_with("file:")) {
      const std::string file = inside.substr(5);
      node.from = "file " + file;
      std::string why;
      std::string text = slurp(file, why);
      if (!why.empty()) errors_.push_back(error_at(node.at, fmt::format("${{file:{}}}: {}", printable(file), why)));
      while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
      return text;
    }
    const std::size_t dash = inside.find(":-");
    const std::string name = inside.substr(0, dash);
    const bool is_name = !name.empty() && !std::isdigit(static_cast<unsigned char>(name.front())) &&
                         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!is_name) {
      errors_.push_back(error_at(node.at, fmt::format("${{{}}} names no variable", printable(inside)),
                                 "Write ${NAME}, ${NAME:-default} or ${file:/path}; $$ is a dollar."));
      return {};
    }
    node.from = "variable " + name;
    if (auto value = environment_(name)) return *std::move(value);
    if (dash != std::string::npos) return inside.substr(dash + 2);
    errors_.push_back(error_at(node.at, fmt::format("the variable {} is not set", name),
                               fmt::format("Set it, or give a default: ${{{}:-…}}", name)));
    return {};
  }

  const Environment& environment_;
  std::vector<Error>& errors_;
};

/// Turns what yaml-cpp read into a document.
class Conversion {
 public:
  Conversion(std::string file, const Environment& environment, std::vector<Error>& errors)
      : file_(std::move(file)), substitution_(environment, errors), errors_(errors) {}

  Node convert(const YAML::Node& yaml) {
    Node node{.at = place_of(yaml.Mark())};
    if (++nodes_ > most_nodes) {
      if (nodes_ == most_nodes + 1)
        errors_.push_back(error_at(node.at, "the document is too large", "Look for aliases of aliases."));
      return node;
    }
    switch (yaml.Type()) {
      case YAML::NodeType::Scalar: {
        node.kind = Node::Kind::scalar;
        node.text = yaml.Scalar();
        node.quoted = yaml.Tag() == "!";
        substitution_.apply(node);
        // An unset value with an empty default is as good as none, in quotes too.
        if (node.text.empty() && (!node.quoted || !node.from.empty())) node.kind = Node::Kind::nothing;
        break;
      }
      case YAML::NodeType::Sequence:
        node.kind = Node::Kind::list;
        for (const YAML::Node& item : yaml) node.items.push_back(convert(item));
        break;
      case YAML::NodeType::Map: map(yaml, node); break;
      default: break;
    }
    return node;
  }

 private:
  SourcePlace place_of(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  void map(const YAML::Node& yaml, Node& node) {
    node.kind = Node::Kind::map;
    Node taken_over;
    for (const auto& pair : yaml) {
      const SourcePlace at = place_of(pair.first.Mark());
      if (!pair.first.IsScalar()) {
        errors_.push_back(error_at(at, "a key has to be a single word"));
        continue;
      }
      const std::string& key = pair.first.Scalar();
      if (key == "<<") {
        take_over(convert(pair.second), at, taken_over);
        continue;
      }
      const auto known = std::ranges::find(node.members, key, &Member::key);
      if (known != node.members.end()) {
        errors_.push_back(error_at(
            at, fmt::format("the key \"{}\" is there twice, first at {}", printable(key), text_of(known->at))));
        continue;
      }
      node.members.push_back({.key = key, .at = at, .value = convert(pair.second)});
    }
    if (!taken_over.empty()) node = merged(std::move(taken_over), std::move(node));
  }

  void take_over(Node anchor, const SourcePlace& at, Node& into) {
    if (anchor.kind == Node::Kind::list) {
      std::ranges::reverse(anchor.items);  // the first of several wins
      for (Node& one : anchor.items) take_over(std::move(one), at, into);
    } else if (anchor.kind == Node::Kind::map) {
      into = merged(std::move(into), std::move(anchor));
    } else {
      errors_.push_back(error_at(at, "\"<<\" takes over maps", "Write <<: *anchor."));
    }
  }

  std::string file_;
  Substitution substitution_;
  std::vector<Error>& errors_;
  std::size_t nodes_ = 0;
};

}  // namespace

Node parse_yaml(const std::string& text, const std::string& file, const Environment& environment,
                std::vector<Error>& errors) {
  try {
    const YAML::Node yaml = YAML::Load(text);
    Node node = Conversion(file, environment, errors).convert(yaml);
    std::erase_if(node.members, [](const Member& member) { return member.key.starts_with("x-"); });
    return node;
  } catch (const YAML::Exception& error) {
    const SourcePlace at{file, error.mark.line + 1, error.mark.column + 1};
    errors.push_back(error_at(error.mark.is_null() ? SourcePlace{file} : at,
                              "this is not YAML: " + printable(error.msg),
                              "A value with \": \" or \" #\" in it needs quotes."));
    return {};
  }
}

Node read_yaml(const std::string& file, const Environment& environment, std::vector<Error>& errors) {
  std::string why;
  const std::string text = slurp(file, why);
  if (why.empty()) return parse_yaml(text, file, environment, errors);
  errors.push_back({.kind = Kind::bad_input,
                    .message = fmt::format("the configuration file {}: {}", printable(file), why),
                    .hint = "Check --config and STEWARD_CONFIG."});
  return {};
}

}  // namespace steward::app
