/// A client that sends what it likes, for tests of the server.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace steward::server {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : connected(other.connected), received(std::move(other.received)), fd_(std::exchange(other.fd_, -1)) {}
  ~RawClient() { close(); }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes its side for writing alone.
  void finish() { ::shutdown(fd_, SHUT_WR); }

  /// False where the server has gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Until `text` has come; false where the server closes first, or a minute has passed: far more than any limit here.
  bool await(std::string_view text) {
    while (!received.contains(text))
      if (!receive()) return false;
    return true;
  }
  /// Whether anything, or the end, comes within that time.
  bool await_within(std::chrono::milliseconds time) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, static_cast<int>(time.count())) > 0;
  }
  /// All until the server closes; false where it does not within a minute.
  bool await_end() {
    while (receive()) {
    }
    return closed;
  }
  /// What has come, up to and with `text`, and takes it off.
  std::string take_to(std::string_view text) {
    if (!await(text)) return "(no such thing in: " + received + ")";
    const std::size_t end = received.find(text) + text.size();
    std::string taken = received.substr(0, end);
    received.erase(0, end);
    return taken;
  }

  bool connected = false;
  bool closed = false;
  std::string received{};

 private:
  bool receive() {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 60'000) <= 0) return false;
    std::array<char, 65536> buffer{};
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n <= 0) {
      closed = true;
      return false;
    }
    received.append(buffer.data(), static_cast<std::size_t>(n));
    return true;
  }
  int fd_;
};

/// Everything that comes back for `bytes`, when the client closes its side behind them.
inline std::string answers_to(std::uint16_t port, std::string_view bytes) {
  RawClient client(port);
  client.send(bytes);
  client.finish();
  if (!client.await_end()) return "(the server does not close)";
  return client.received;
}

}  // namespace steward::server
