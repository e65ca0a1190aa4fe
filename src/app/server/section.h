/// The section `serve` of a configuration file: where the API and the dashboard answer, and to whom; and how the daemon
/// behind them ends and what it says.
#pragma once
#include <string>
#include <vector>

#include "core/document.h"
#include "core/result.h"
#include "core/schema.h"

namespace steward::server {

struct ServeRules {
  std::string listen = "127.0.0.1:8420";  ///< "off": no API and no dashboard.
  std::string public_url{};               ///< As browsers see it: "https://ops.example/steward".
  std::string dagster_url{};              ///< Dagster's webserver, for links to runs that Dagster has started.
  std::vector<std::string> trusted_proxies{};
  std::vector<std::string> hosts{};  ///< More names to answer to, besides that of the public URL.
  bool open_metrics = false;         ///< /metrics for anyone.
  std::string shutdown = "leave";    ///< leave, wait or stop: runs that are under way when the daemon is told to end.
  std::string log_format = "text";   ///< text or json.
};

Shape serve_shape();
/// Reads a section that fits its shape. What is wrong beyond it is added to `errors`.
ServeRules read_serve(const Node& section, std::vector<Error>& errors);

/// bad_input, with what it should look like.
Result<void> check_listen(const std::string& text);
Result<void> check_public_url(const std::string& text);
/// "/steward": what a public URL has behind its host; empty where nothing.
std::string base_path_of(const std::string& public_url);

}  // namespace steward::server
