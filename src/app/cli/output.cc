#include "app/cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/plan.h"

namespace steward::app {
namespace {

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Output output_of_process(bool json) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool wanted = no_color == nullptr || *no_color == '\0';
  return {
      .json = json, .colour = wanted && ::isatty(STDOUT_FILENO) == 1, .terminal_errors = ::isatty(STDERR_FILENO) == 1};
}

std::string tinted(const Output& output, Tint tint, std::string_view text) {
  if (!output.colour || tint == Tint::plain) return std::string(text);
  const char* code = tint == Tint::dim    ? "2"
                     : tint == Tint::bold ? "1"
                     : tint == Tint::good ? "32"
                     : tint == Tint::bad  ? "31"
                                          : "33";
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i]), ' ');
      const bool to_the_right = std::ranges::find(right, i) != right.end();
      line += to_the_right ? padding + row[i] : i + 1 == row.size() ? row[i] : row[i] + padding;
      if (i + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

int report(const Output& output, const Error& error) {
  if (output.json) {
    nlohmann::json document = to_json(error);
    if (const std::string page = page_of(error); !page.empty()) document["page"] = page;
    print_json(nlohmann::json{{"error", std::move(document)}});
  } else {
    fmt::print(stderr, "steward: {}\n", printable(error.message));
    if (!error.hint.empty()) fmt::print(stderr, "  {}\n", printable(error.hint));
    if (output.terminal_errors && !error.code.empty()) fmt::print(stderr, "  See {}\n", page_of(error));
  }
  return row_of(error.kind).exit_code;
}

void print_json(const nlohmann::json& document) { print(document.dump(2) + '\n'); }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace steward::app
