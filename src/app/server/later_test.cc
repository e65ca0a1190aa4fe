// Answers that a handler leaves for later: nobody else waits for them, and they have bounds of their own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "app/server/raw_client.h"
#include "app/server/server.h"

namespace steward::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; }

struct Later : testing::Test {
  std::mutex mutex{};
  std::condition_variable_any changed{};
  bool is_open = false;
  int came = 0;
  Settings settings{.listen = "127.0.0.1:0"};
  std::unique_ptr<Server> server{};

  ~Later() override { open(); }
  void open() {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  void await_someone(int many = 1) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return came >= many; });
  }
  /// What takes its time: until the test opens the door, or it is told to stop.
  Response slow(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    ++came;
    changed.notify_all();
    return changed.wait(lock, stop, [&] { return is_open; }) ? json(200, "\"at last\"") : json(503, "\"told to stop\"");
  }
  std::uint16_t start() {
    Router router;
    router.add("GET", "/hello", Access::anyone, [](const Request&) { return json(200, R"({"hello":1})"); });
    router.add("GET", "/slow", Access::anyone, [this](const Request&) {
      return Response{.later = [this](const std::stop_token& stop) { return slow(stop); }};
    });
    router.add("GET", "/throws", Access::anyone, [](const Request&) {
      return Response{.later = [](const std::stop_token&) -> Response { throw std::runtime_error("inner"); }};
    });
    auto started = Server::start(settings, std::move(router));
    EXPECT_TRUE(started);
    server = *std::move(started);
    return server->port();
  }
};

TEST_F(Later, IsNotWaitedForByOthers) {
  RawClient slow(start()), quick(server->port());
  slow.send(get("/slow"));
  await_someone();
  quick.send(get("/hello"));
  EXPECT_TRUE(quick.await("hello"));
  open();
  EXPECT_TRUE(slow.await("at last"));
  slow.send(get("/hello"));
  EXPECT_TRUE(slow.await("hello")) << "the connection goes on";
}

TEST_F(Later, IsRefusedWhereTooManyAreUnderWayUntilOneHasGoneOut) {
  settings.limits.later = 2;
  RawClient first(start()), second(server->port()), third(server->port());
  first.send(get("/slow"));
  second.send(get("/slow"));
  await_someone(2);
  third.send(get("/slow"));
  EXPECT_TRUE(third.await("too many of these answers"));
  EXPECT_THAT(third.received, AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After")));
  open();
  EXPECT_TRUE(first.await("at last"));
  EXPECT_TRUE(second.await("at last"));
  third.send(get("/slow"));
  EXPECT_TRUE(third.await("at last"));
}

TEST_F(Later, IsToldToStopWithTheServer) {
  RawClient slow(start());
  slow.send(get("/slow"));
  await_someone();
  std::thread stopping([&] { server->stop(); });
  EXPECT_TRUE(slow.await("told to stop"));
  stopping.join();
}

TEST_F(Later, SaysNothingOfWhatItThrows) {
  RawClient client(start());
  client.send(get("/throws"));
  EXPECT_TRUE(client.await("has the reason"));
  EXPECT_THAT(client.received, AllOf(StartsWith("HTTP/1.1 500 "), testing::Not(HasSubstr("inner"))));
}

}  // namespace
}  // namespace steward::server
