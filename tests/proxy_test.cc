// The examples for reverse proxies: read by the proxies themselves, and nginx's with everything through it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "harness/served_api.h"

namespace steward::harness {
namespace {
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::map<std::string, std::string> tools_environment() {
  std::map<std::string, std::string> environment;
  for (const char* name : {"PATH", "HOME", "STEWARD_TOOLS"})
    if (const char* value = std::getenv(name); value != nullptr) environment[name] = value;
  return environment;
}

std::string proxy(const std::string& name) {
  const std::string script = std::string(STEWARD_SOURCES) + "/tests/tools/proxies.sh";
  const Answer installed = run_program({script, "install"}, tools_environment(), "/");
  EXPECT_EQ(installed.exit_code, 0) << installed.err;
  std::string path = run_program({script, "path", name}, tools_environment(), "/").out;
  path.resize(path.find('\n'));
  return path;
}

std::string example(const std::string& name) {
  std::ifstream file(std::string(STEWARD_SOURCES) + "/examples/proxy/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << "the example has no " << from;
  text.replace(at, from.size(), to);
}

TEST(ProxyExamples, OfCaddyIsRight) {
  const Application app;
  const Answer checked = run_program({proxy("caddy"), "adapt", "--validate", "--adapter", "caddyfile", "--config",
                                      std::string(STEWARD_SOURCES) + "/examples/proxy/Caddyfile"},
                                     {{"HOME", app.root()}, {"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  EXPECT_THAT(checked.out, AllOf(HasSubstr("/steward/*"), HasSubstr("127.0.0.1:8420")));
}

/// The example with the ports of this test, a certificate of its own, and nothing else changed.
struct BehindNginx : ServedApi {
  void SetUp() override {
    ServedApi::SetUp();
    app.environment["STEWARD_PUBLIC_URL"] = "https://ops.example.com/steward";
    app.file("steward.yaml", app.content("steward.yaml") + "serve: {trusted_proxies: [127.0.0.1]}\n");
    serve();
    const Answer made = run_program(
        {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ops.example.com",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", app.path("site.key"), "-out", app.path("site.pem")},
        {{"PATH", "/usr/bin:/bin"}}, app.root());
    ASSERT_EQ(made.exit_code, 0) << made.err;
    outside = free_port();
    std::string site = example("nginx.conf");
    replace(site, "127.0.0.1:8420", "127.0.0.1:" + std::to_string(port));
    replace(site, "listen 443 ssl", "listen 127.0.0.1:" + std::to_string(outside) + " ssl");
    replace(site, "/etc/ssl/ops.example.com.pem", app.path("site.pem"));
    replace(site, "/etc/ssl/ops.example.com.key", app.path("site.key"));
    app.file("nginx/logs/error.log", "");
    for (const char* folder : {"body", "proxy", "fastcgi", "uwsgi", "scgi"})
      std::filesystem::create_directories(app.path(std::string("nginx/") + folder));
    app.file("nginx/nginx.conf",
             "daemon off; master_process off; pid nginx.pid; error_log logs/error.log;\n"
             "events {}\nhttp {\naccess_log off; client_body_temp_path body; proxy_temp_path "
             "proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n" +
                 site + "}\n");
  }
  std::vector<std::string> nginx(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{proxy("nginx"),
                                   "-p",
                                   app.path("nginx"),
                                   "-c",
                                   app.path("nginx/nginx.conf"),
                                   "-e",
                                   app.path("nginx/logs/error.log")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  http::Response through(http::Request request) {
    request.url = "https://127.0.0.1:" + std::to_string(outside) + request.url;
    request.headers.emplace_back("Host", "ops.example.com");
    http::Client browser({.ca_file = app.path("site.pem")});
    auto answer = browser.send(request);
    EXPECT_TRUE(answer) << answer.error().message << app.content("nginx/logs/error.log");
    return answer ? *answer : http::Response{};
  }
  std::uint16_t outside = 0;
};

/// Takes what comes of a stream, and ends it when that is there.
struct UntilSeen final : Sink {
  explicit UntilSeen(std::string_view wanted) : text(wanted) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    seen.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return seen.contains(text) ? Result<void>(fail(Kind::interrupted, "seen")) : Result<void>{};
  }
  std::string text, seen{};
};

TEST_F(BehindNginx, TheExampleLetsEverythingThrough) {
  const Answer checked = run_program(nginx({"-t"}), {{"PATH", "/usr/bin:/bin"}}, app.root());
  ASSERT_EQ(checked.exit_code, 0) << checked.err;
  const Started running(nginx(), {{"PATH", "/usr/bin:/bin"}}, app.root());
  await([&] { return server::RawClient(outside).connected; }, "nginx listens");

  const http::Header browser{"Origin", "https://ops.example.com"}, type{"Content-Type", "application/json"};
  const std::string said = serving->said();
  const std::size_t link = said.find("/setup#") + 7;
  const std::string body = json{{"link", said.substr(link, said.find(' ', link) - link)},
                                {"name", "ada"},
                                {"password", "correct horse battery"}}
                               .dump();
  const http::Response made =
      through({.method = "POST", .url = "/steward/api/v1/setup", .headers = {browser, type}, .body = body});
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string set = made.header("Set-Cookie").value_or("");
  EXPECT_THAT(set, AllOf(HasSubstr("Path=/steward"), HasSubstr("Secure")));
  const http::Header cookie{"Cookie", set.substr(0, set.find(';'))};
  EXPECT_EQ(through({.url = "/steward/api/v1/me", .headers = {cookie}}).status, 200);
  EXPECT_EQ(through({.url = "/steward/readyz"}).status, 200);
  EXPECT_EQ(
      through({.method = "POST", .url = "/steward/api/v1/freezes", .headers = {cookie, type}, .body = "{}"}).status,
      403)
      << "without an Origin";
  const std::string freeze = R"({"reason": "audit"})";
  EXPECT_EQ(
      through({.method = "POST", .url = "/steward/api/v1/freezes", .headers = {cookie, browser, type}, .body = freeze})
          .status,
      201);

  // An event of before, which a proxy that buffers would keep until the stream ends.
  UntilSeen events("event: freeze.set\n");
  http::Client listener({.ca_file = app.path("site.pem")});
  const auto ended = listener.send({.url = "https://127.0.0.1:" + std::to_string(outside) + "/steward/api/v1/events",
                                    .headers = {cookie, {"Host", "ops.example.com"}, {"Last-Event-ID", "1"}},
                                    .sink = &events});
  EXPECT_THAT(events.seen, HasSubstr("event: freeze.set\n")) << (ended ? "" : ended.error().message);
}

}  // namespace
}  // namespace steward::harness
