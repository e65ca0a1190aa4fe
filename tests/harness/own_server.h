/// A PostgreSQL of the test's own, where the server itself is the subject: restarted, or with a replica.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace steward::harness {

/// Runs tests/servers/postgres.sh; a failed test where that fails.
inline void postgres_script(const std::string& words) {
  const std::string command =
      std::string(STEWARD_SOURCES) + "/tests/servers/postgres.sh " + words + " > /dev/null 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

/// The URL that a server's folder names.
inline std::string url_in(const std::string& folder) {
  std::ifstream env(folder + "/env");
  for (std::string line; std::getline(env, line);)
    if (line.starts_with("export STEWARD_TEST_POSTGRES='"))
      return line.substr(line.find('\'') + 1, line.size() - line.find('\'') - 2);
  return {};
}

/// From its construction on it is the PostgreSQL of this process's tests.
struct OwnServer {
  std::string folder = "/tmp/steward-server-" + std::to_string(::getpid());
  OwnServer() {
    postgres_script("start " + folder);
    ::setenv("STEWARD_TEST_POSTGRES", url_in(folder).c_str(), 1);
  }
  ~OwnServer() {
    postgres_script("stop " + folder);
    std::filesystem::remove_all(folder);
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;
  void restart(const std::string& how) const { postgres_script("restart " + folder + ' ' + how); }
};

/// A streaming replica of it.
struct OwnStandby {
  std::string folder;
  explicit OwnStandby(const OwnServer& primary) : folder(primary.folder + "-standby") {
    postgres_script("standby " + primary.folder + ' ' + folder);
  }
  ~OwnStandby() {
    postgres_script("stop " + folder);
    std::filesystem::remove_all(folder);
  }
  OwnStandby(const OwnStandby&) = delete;
  OwnStandby& operator=(const OwnStandby&) = delete;
  std::string url() const { return url_in(folder); }
};

}  // namespace steward::harness
