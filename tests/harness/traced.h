/// For tests that watch a run's system calls, or kill it at one of them: the real program under strace.
#pragma once
#include <gtest/gtest.h>

#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "harness/application.h"

namespace steward::harness {

/// `steward run JOB --json` with strace's options; the trace is the application's file `trace`.
inline Answer under_strace(const Application& app, const std::string& job, const std::vector<std::string>& options) {
  std::vector<std::string> words{"strace", "-f", "-qq", "-y", "-s", "300", "-o", app.path("trace")};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {steward_binary(), "run", job, "--json"});
  auto environment = app.environment;
  environment["ASAN_OPTIONS"] += ":detect_leaks=0";  // LeakSanitizer does not work where another traces the process
  return run_program(words, environment, app.root());
}

inline std::vector<std::string> traced_lines(const Application& app) {
  std::vector<std::string> lines;
  std::istringstream text(app.content("trace"));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// The first line from `from` on that matches; a failed test where none does.
inline std::size_t find(const std::vector<std::string>& lines, const std::string& pattern, std::size_t from = 0) {
  const std::regex wanted(pattern);
  for (std::size_t i = from; i < lines.size(); ++i)
    if (std::regex_search(lines[i], wanted)) return i;
  ADD_FAILURE() << "no line after " << from << " has " << pattern;
  return lines.size();
}

}  // namespace steward::harness
