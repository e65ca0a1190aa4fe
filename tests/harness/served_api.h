/// The API of a real `steward serve`, over real sockets.
#pragma once
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>

#include "app/server/raw_client.h"
#include "harness/serving.h"
#include "io/http/client.h"

namespace steward::harness {

using nlohmann::json;

/// What the server has answered.
struct Reply {
  int status = 0;
  std::string body{};
  std::vector<http::Header> headers{};
  json document() const {
    json parsed = json::parse(body, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << "not JSON: " << body;
    return parsed;
  }
  std::string header(std::string_view name) const {
    return http::Response{.headers = headers}.header(name).value_or("");
  }
  /// "steward_session=…" of Set-Cookie, as a browser sends it back.
  std::string cookie() const {
    const std::string set = header("Set-Cookie");
    return set.substr(0, set.find(';'));
  }
};

/// A port that is free at the moment.
inline std::uint16_t free_port();

struct ServedApi : Serve {
  using Serve::Serve;

  /// The daemon, once it answers. Where a public URL hides it, the port is the one that was asked for.
  void serve(const std::map<std::string, std::string>& different = {}) {
    port = free_port();
    serving = daemon({"--listen", "127.0.0.1:" + std::to_string(port)}, different);
    await([&] { return serving->said().contains("the API answers at"); }, "the API answers");
  }
  /// It ends as systemd ends it.
  void stop() {
    ::kill(serving->pid(), SIGTERM);
    EXPECT_EQ(serving->wait().exit_code, 0);
    serving.reset();
  }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port); }

  Reply ask(const std::string& method, const std::string& path, std::vector<http::Header> headers = {},
            const json& body = nullptr) {
    const std::string text = body.is_null() ? "" : body.dump();
    if (!body.is_null()) headers.emplace_back("Content-Type", "application/json");
    const auto answer =
        client.send({.method = method, .url = origin() + path, .headers = std::move(headers), .body = text});
    EXPECT_TRUE(answer) << method << ' ' << path << ": " << answer.error().message;
    return answer ? Reply{answer->status, answer->body, answer->headers} : Reply{};
  }
  /// A new token of that role, as the header that shows it.
  http::Header token(const std::string& role) {
    const Answer made = app.steward({"token", "add", role + "s", "--role", role});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return {"Authorization", "Bearer " + made.out.substr(0, made.out.find('\n'))};
  }
  /// The run's document, once it has that status.
  json await_run(const std::string& path, const std::string& status, const http::Header& who) {
    json found;
    await(
        [&] {
          found = ask("GET", path, {who}).document();
          return found["status"] == status;
        },
        path + " is " + status);
    return found;
  }

  std::uint16_t port = 0;
  std::unique_ptr<Started> serving{};
  http::Client client{};
};

inline std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace steward::harness
