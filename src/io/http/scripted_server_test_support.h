/// For tests alone: an HTTP server in this process that answers as it is told, and a proxy that spoils what passes it.
///
///   ScriptedServer server([](const SeenRequest& request) { return Reply::of(503,
///   "<Error><Code>SlowDown</Code></Error>"); }); FaultProxy proxy(real_url, [n = 0](const SeenRequest&) mutable {
///   return n++ == 0 ? Fault::lost_answer() : Fault::none(); });
///
/// One thread for each connection, one request a connection. Nothing sleeps: a reply that never comes ends when its
/// client goes, or with the server.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace steward::http {

/// What a client asked.
struct SeenRequest {
  std::string method{};
  std::string target{};  ///< "/bucket//key?list-type=2", as it came.
  std::string head{};    ///< All lines up to the empty one, with it.
  std::string body{};
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

/// What is sent back: these bytes and no more, and then the end of the connection, or silence.
struct Reply {
  std::string bytes{};
  bool silent = false;  ///< After the bytes nothing comes, not even the end, until the client goes.

  static Reply of(int status, std::string_view body, std::string_view headers = "") {
    return {"HTTP/1.1 " + std::to_string(status) + " Told\r\nConnection: close\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body)};
  }
};

namespace test_support {

inline void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

inline std::string field(std::string_view head, std::string_view name) {
  std::string lower(head);
  for (char& c : lower) c = static_cast<char>(tolower(c));
  const std::size_t at = lower.find("\r\n" + std::string(name) + ":");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 3;
  std::string value(head.substr(begin, head.find("\r\n", begin) - begin));
  while (value.starts_with(' ')) value.erase(0, 1);
  return value;
}

/// Reads one whole request; false at the end.
inline bool read_request(int fd, SeenRequest& request) {
  std::string bytes;
  char buffer[65536];
  std::size_t end = std::string::npos;
  std::size_t length = 0;
  while (true) {
    const std::size_t blank = bytes.find("\r\n\r\n");
    if (end == std::string::npos && blank != std::string::npos) {
      end = blank + 4;
      const std::string size = field(std::string_view(bytes).substr(0, end), "content-length");
      length = size.empty() ? 0 : std::stoul(size);
    }
    if (end != std::string::npos && bytes.size() >= end + length) break;
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  request.head = bytes.substr(0, end);
  request.body = bytes.substr(end, length);
  request.method = bytes.substr(0, bytes.find(' '));
  const std::size_t begin = request.method.size() + 1;
  request.target = bytes.substr(begin, bytes.find(' ', begin) - begin);
  return true;
}

}  // namespace test_support

class ScriptedServer {
 public:
  using Script = std::function<Reply(const SeenRequest&)>;

  explicit ScriptedServer(Script script)
      : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : connections_) thread.join();
    close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// All requests so far.
  std::vector<SeenRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void accept_all() {
    while (!ending_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      connections_.emplace_back([this, fd] { serve(fd); });
    }
  }
  void serve(int fd) {
    SeenRequest request;
    if (test_support::read_request(fd, request)) {
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back(request);
      }
      const Reply reply = script_(request);
      test_support::write_all(fd, reply.bytes);
      char byte = 0;
      if (reply.silent) (void)recv(fd, &byte, 1, 0);  // returns when the client gives up, or the server ends
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }

  Script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_{};
  std::vector<SeenRequest> seen_{};
  std::vector<int> open_{};
  std::vector<std::thread> connections_{};
  std::thread acceptor_{};
};

/// What happens to one request on its way.
struct Fault {
  bool forward = true;                        ///< It reaches the server.
  std::size_t cut_after = std::string::npos;  ///< The client gets this many bytes of the body, and then the end.
  bool cut_head = false;                      ///< The client gets nothing at all.
  bool silent = false;                        ///< After that no end either.
  Reply instead{};                            ///< If not empty: this, and the server is not asked.

  static Fault none() { return {}; }
  static Fault lost_request() { return {.forward = false, .cut_head = true}; }
  static Fault lost_answer() { return {.cut_head = true}; }
  static Fault cut_body(std::size_t bytes) { return {.cut_after = bytes}; }
  static Fault stalled_body(std::size_t bytes) { return {.cut_after = bytes, .silent = true}; }
  static Fault reply(int status, std::string_view body) {
    return {.forward = false, .instead = Reply::of(status, body)};
  }
};

/// Stands before a server on loopback ("http://127.0.0.1:PORT"). The decision is made once for each request, one at a
/// time.
class FaultProxy {
 public:
  using Decide = std::function<Fault(const SeenRequest&)>;
  FaultProxy(std::string_view upstream, Decide decide)
      : port_(static_cast<std::uint16_t>(std::stoi(std::string(upstream.substr(upstream.rfind(':') + 1))))),
        decide_(std::move(decide)),
        server_([this](const SeenRequest& request) { return pass(request); }) {}

  std::string url() const { return server_.url(); }
  std::vector<SeenRequest> seen() const { return server_.seen(); }

 private:
  Reply pass(const SeenRequest& request) {
    Fault fault;
    {
      const std::lock_guard lock(mutex_);
      fault = decide_(request);
    }
    if (!fault.instead.bytes.empty()) return fault.instead;
    Reply reply;
    if (fault.forward) reply.bytes = ask(request);
    const std::size_t head = reply.bytes.find("\r\n\r\n");
    if (fault.cut_head)
      reply.bytes.clear();
    else if (fault.cut_after != std::string::npos && head != std::string::npos)
      reply.bytes.resize(head + 4 + fault.cut_after);
    reply.silent = fault.silent;
    return reply;
  }
  std::string ask(const SeenRequest& request) const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      // One request, one connection: the end of the answer is the end of the connection.
      std::string head = request.head;
      head.insert(head.find("\r\n") + 2, "Connection: close\r\n");
      test_support::write_all(fd, head + request.body);
      char buffer[65536];
      for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(n));
    }
    close(fd);
    return answer;
  }

  std::uint16_t port_;
  std::mutex mutex_{};
  Decide decide_;
  ScriptedServer server_;
};

}  // namespace steward::http
