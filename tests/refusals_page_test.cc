// Every code that an error may carry has its section in docs/refusals.md, and no section is about a code that there is
// not.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace steward::harness {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// The arguments between `open` and the bracket that closes it, at the outermost level.
std::vector<std::string> arguments(const std::string& source, std::size_t open) {
  std::vector<std::string> found(1);
  int depth = 0;
  for (std::size_t i = open; i < source.size(); ++i) {
    const char c = source[i];
    if (c == '"') {
      const std::size_t begin = i;
      for (++i; i < source.size() && source[i] != '"'; ++i) i += source[i] == '\\' ? 1 : 0;
      found.back() += source.substr(begin, i + 1 - begin);
      continue;
    }
    if (c == '(' || c == '{' || c == '[') depth += 1;
    if (c == ')' || c == '}' || c == ']') depth -= 1;
    if (depth == 0) return found;
    if (c == ',' && depth == 1)
      found.emplace_back();
    else if (i > open && c != '\n')
      found.back() += c;
  }
  return found;
}

/// Codes by the file that gives them: the fourth member of an error.
std::map<std::string, std::string> codes_in_the_sources() {
  std::map<std::string, std::string> codes;
  // Whatever takes a kind first and a code fourth: fail(Kind::refused, …, …, "freeze"), Error{…}, and helpers like
  // them.
  const std::regex made(R"(([({])\s*(\.kind = )?Kind::\w+,)"), literal(R"rx(\s*(\.code = )?"([a-z][a-z0-9-]*)"\s*)rx");
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(STEWARD_SOURCES) / "src")) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".cc") && !name.ends_with(".h")) continue;
    if (name.ends_with("_test.cc")) continue;
    const std::string source = text_of(entry.path());
    for (std::sregex_iterator it(source.begin(), source.end(), made), end; it != end; ++it) {
      const std::size_t bracket = static_cast<std::size_t>(it->position(1));
      const std::vector<std::string> parts = arguments(source, bracket);
      std::smatch code;
      if (parts.size() >= 4 && std::regex_match(parts[3], code, literal)) codes[code[2]] = entry.path().string();
    }
  }
  return codes;
}

std::set<std::string> sections_of_the_page() {
  std::set<std::string> sections;
  std::istringstream page(text_of(fs::path(STEWARD_SOURCES) / "docs" / "refusals.md"));
  for (std::string line; std::getline(page, line);)
    if (line.starts_with("## ")) sections.insert(line.substr(3));
  return sections;
}

TEST(RefusalsPage, HasASectionForEachCodeInTheSources) {
  const auto codes = codes_in_the_sources();
  EXPECT_TRUE(codes.contains("freeze") && codes.contains("brake-share") && codes.contains("archive-missing"))
      << "the sources are read as they are written";
  const std::set<std::string> sections = sections_of_the_page();
  for (const auto& [code, file] : codes)
    EXPECT_TRUE(sections.contains(code)) << file << " has the code \"" << code << "\": write its section in "
                                         << "docs/refusals.md: what it means, what was and was not done, the command";
}

TEST(RefusalsPage, HasNoSectionForACodeThatThereIsNot) {
  const auto codes = codes_in_the_sources();
  for (const std::string& section : sections_of_the_page())
    EXPECT_TRUE(codes.contains(section)) << "no source has the code \"" << section << '"';
}

}  // namespace
}  // namespace steward::harness
