/// The API beside the daemon: a server, a ledger of its own, and the configuration as it is at the moment.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/session.h"
#include "core/result.h"

namespace steward::app {

struct WebRules {
  std::string listen{};  ///< As server::ServeRules.
  std::string lease{};   ///< Of the daemon beside it.
  std::string program{}, directory{};
  std::vector<std::string> environment{};  ///< Of the processes that are started for people.
  std::function<void()> changed{};         ///< Called from the server's thread.
  std::function<void(Level, std::string_view)> say{};
  bool access_log = false;  ///< A line for each request, instead of for those that failed.
};

class Web {
 public:
  /// Answers from here on. unavailable where the address cannot be had.
  static Result<std::unique_ptr<Web>> start(const Session& session, WebRules rules);
  /// Ends streams, and waits for answers under way and for processes that people have started.
  ~Web();
  Web(const Web&) = delete;
  Web& operator=(const Web&) = delete;

  /// The configuration was read again: what it says of jobs counts from now on; where the server listens, after a
  /// restart.
  void take(Settings settings);
  /// "http://127.0.0.1:8420", or the public URL.
  const std::string& url() const;

 private:
  struct Parts;
  explicit Web(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace steward::app
