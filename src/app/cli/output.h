/// How the command line speaks: tables that align, colours where they are wanted, errors in one line with a hint.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace steward::app {

/// Where and how output goes.
struct Output {
  bool json = false;             ///< One JSON document on standard output, nothing else there.
  bool colour = false;           ///< Standard output is a terminal, and NO_COLOR is not set.
  bool terminal_errors = false;  ///< Standard error is a terminal: progress may be redrawn there.
};
/// What the process's streams and NO_COLOR allow.
Output output_of_process(bool json);

enum class Tint { plain, dim, bold, good, bad, warn };
std::string tinted(const Output& output, Tint tint, std::string_view text);

/// Columns that align, by characters and not bytes; the last is not padded. Right-aligned columns are named by index.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right = {});

/// Prints an error: {"error": …} on standard output with --json, else "steward: …" and the hint on standard error.
/// Gives the exit code.
int report(const Output& output, const Error& error);

/// Prints the document, and a newline.
void print_json(const nlohmann::json& document);
void print(std::string_view text);

}  // namespace steward::app
