#include "app/pipes/captured_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

namespace steward::pipes {
namespace {

constexpr std::size_t longest_piece = std::size_t{64} << 10;

/// How many bytes at the end of `text` are the beginning of a character whose rest is to come.
std::size_t open_character(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte >= 0xF0U ? 4 : byte >= 0xE0U ? 3 : byte >= 0xC0U ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // nobody reads there any more; the listener still does
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::size_t whole_part(std::string_view text) {
  if (const std::size_t line = text.rfind('\n'); line != std::string_view::npos) return line + 1;
  return text.size() < longest_piece ? 0 : text.size() - open_character(text);
}

/// One of the two: a pipe in the place of its descriptor, and a thread that reads it.
class CapturedOutput::Stream {
 public:
  Stream(int number, std::string_view name, const Listener& listener)
      : number_(number), name_(name), listener_(listener) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    stop();
    for (const int fd : {former_, reading_, stopping_})
      if (fd >= 0) ::close(fd);
  }

  bool start() {
    std::array<int, 2> ends{-1, -1};
    former_ = ::fcntl(number_, F_DUPFD_CLOEXEC, 3);
    stopping_ = ::eventfd(0, EFD_CLOEXEC);
    if (former_ < 0 || stopping_ < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    reading_ = ends[0];
    ::fcntl(reading_, F_SETFL, O_NONBLOCK);
    const bool placed = ::dup2(ends[1], number_) == number_;
    ::close(ends[1]);
    if (placed) thread_ = std::thread([this] { listen(); });
    return placed;
  }

  void stop() {
    if (!thread_.joinable()) return;
    ::dup2(former_, number_);
    const std::uint64_t one = 1;
    (void)!::write(stopping_, &one, sizeof one);
    thread_.join();
  }

 private:
  void listen() {
    while (true) {
      std::array<pollfd, 2> waited{pollfd{.fd = reading_, .events = POLLIN, .revents = 0},
                                   pollfd{.fd = stopping_, .events = POLLIN, .revents = 0}};
      if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) break;
      const bool stops = waited[1].revents != 0;  // asked before reading: what was printed until then is there
      while (read_some()) {
      }
      if (stops) break;
    }
    if (!heard_.empty()) listener_(name_, heard_);
  }

  bool read_some() {
    std::array<char, 16384> buffer{};
    const ssize_t count = ::read(reading_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) return false;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
    write_all(former_, text);
    heard_ += text;
    if (const std::size_t whole = whole_part(heard_); whole > 0) {
      listener_(name_, std::string_view(heard_).substr(0, whole));
      heard_.erase(0, whole);
    }
    return true;
  }

  int number_;
  std::string_view name_;
  const Listener listener_;
  int former_ = -1, reading_ = -1, stopping_ = -1;
  std::string heard_{};
  std::thread thread_{};
};

CapturedOutput::CapturedOutput(std::unique_ptr<Stream> out, std::unique_ptr<Stream> errors)
    : out_(std::move(out)), errors_(std::move(errors)) {}
CapturedOutput::~CapturedOutput() { stop(); }

Result<std::unique_ptr<CapturedOutput>> CapturedOutput::start(const Listener& listener) {
  auto out = std::make_unique<Stream>(STDOUT_FILENO, "stdout", listener);
  auto errors = std::make_unique<Stream>(STDERR_FILENO, "stderr", listener);
  if (!out->start() || !errors->start())
    return fail(Kind::unavailable,
                "what this process prints cannot be heard: no descriptors are left, or none is open");
  return std::unique_ptr<CapturedOutput>(new CapturedOutput(std::move(out), std::move(errors)));
}

void CapturedOutput::stop() {
  std::fflush(stdout);
  std::fflush(stderr);
  out_->stop();
  errors_->stop();
}

}  // namespace steward::pipes
