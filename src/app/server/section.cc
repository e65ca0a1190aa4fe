#include "app/server/section.h"

#include <fmt/format.h>

#include "app/server/peers.h"
#include "core/text.h"

namespace steward::server {

Shape serve_shape() {
  const Shape text = scalar(Scalar::text);
  return record(
      "serve section",
      {{.key = "listen",
        .what = "the address of the API and the dashboard, or off",
        .shape = text,
        .fallback = "127.0.0.1:8420",
        .example = "0.0.0.0:8420"},
       {.key = "public_url",
        .what = "how browsers reach it, behind the proxy that speaks TLS: for links, cookies and the check of Origin",
        .shape = text,
        .example = "https://ops.example.com/steward"},
       {.key = "dagster_url",
        .what = "Dagster's webserver as browsers reach it: for links from runs that Dagster has started",
        .shape = text,
        .example = "https://dagster.example.com"},
       {.key = "trusted_proxies",
        .what = "addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed",
        .shape = list_of(text),
        .example = "[10.0.0.0/8]"},
       {.key = "hosts",
        .what = "more host names to answer to; \"*\": any",
        .shape = list_of(text),
        .example = "[steward.internal]"},
       {.key = "metrics",
        .what = "who may read /metrics: those who have signed in or have a token, or anyone",
        .shape = choice({"signed-in", "anyone"}),
        .fallback = "signed-in"},
       {.key = "shutdown",
        .what =
            "what becomes of runs under way when the daemon is told to end: they go on, it waits for their ends, or "
            "stops them and waits for that",
        .shape = choice({"leave", "wait", "stop"}),
        .fallback = "leave"},
       {.key = "log_format",
        .what = "how it tells what happens, a line each on standard output",
        .shape = choice({"text", "json"}),
        .fallback = "text"}});
}

Result<void> check_listen(const std::string& text) {
  if (text == "off") return {};
  TRY(parse_listen(text));
  return {};
}

Result<void> check_public_url(const std::string& text) {
  const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  const bool whole = scheme > 0 && text.size() > scheme && text[scheme] != '/';
  if (whole && text.find_first_of("?#@ ") == std::string::npos) return {};
  return fail(Kind::bad_input, fmt::format("\"{}\" is no public URL", printable(text)),
              "Write it like https://ops.example.com/steward.");
}

std::string base_path_of(const std::string& public_url) {
  const std::size_t host = public_url.find("://");
  if (host == std::string::npos) return {};
  const std::size_t slash = public_url.find('/', host + 3);
  std::string path = slash == std::string::npos ? "" : public_url.substr(slash);
  while (path.ends_with('/')) path.pop_back();
  return path;
}

ServeRules read_serve(const Node& section, std::vector<Error>& errors) {
  ServeRules rules;
  const auto checked = [&](std::string_view key, const Result<void>& result) {
    if (!result) errors.push_back(error_at(section.find(key)->at, result.error().message, result.error().hint));
  };
  const auto texts = [&](std::string_view key) {
    std::vector<std::string> out;
    if (const Node* list = section.find(key))
      for (const Node& item : list->items) out.push_back(item.text);
    return out;
  };
  rules.listen = section.text_at("listen", rules.listen);
  if (section.find("listen") != nullptr) checked("listen", check_listen(rules.listen));
  rules.public_url = section.text_at("public_url");
  if (!rules.public_url.empty()) checked("public_url", check_public_url(rules.public_url));
  rules.dagster_url = section.text_at("dagster_url");
  if (!rules.dagster_url.empty()) checked("dagster_url", check_public_url(rules.dagster_url));
  while (rules.dagster_url.ends_with('/')) rules.dagster_url.pop_back();
  rules.trusted_proxies = texts("trusted_proxies");
  if (const auto networks = Networks::parse(rules.trusted_proxies); !networks)
    checked("trusted_proxies", std::unexpected(networks.error()));
  rules.hosts = texts("hosts");
  rules.open_metrics = section.text_at("metrics") == "anyone";
  rules.shutdown = section.text_at("shutdown", rules.shutdown);
  rules.log_format = section.text_at("log_format", rules.log_format);
  return rules;
}

}  // namespace steward::server
