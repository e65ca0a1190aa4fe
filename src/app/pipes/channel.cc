#include "app/pipes/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <utility>

namespace steward::pipes {
namespace {
using nlohmann::json;

/// A file or a stream of this process, by a descriptor of its own.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool is_open() const { return fd_ >= 0; }

  /// One write(2). Only what a signal or a full pipe has cut off is followed by the rest of it.
  Result<void> write(std::string_view line, const std::string& shown) {
    if (broken_) return fail(Kind::unavailable, fmt::format("{} has half a line at its end", shown));
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t written = ::write(fd_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        const int why = errno;
        broken_ = rest.size() != line.size();
        return fail(Kind::unavailable, fmt::format("cannot write to {}: {}", shown, std::strerror(why)));
      }
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

 private:
  int fd_;
  bool broken_ = false;
};

class StreamChannel final : public Channel {
 public:
  StreamChannel(Descriptor descriptor, std::string shown, bool buffered)
      : descriptor_(std::move(descriptor)), shown_(std::move(shown)), buffered_(buffered) {}
  Result<void> write(std::string line) override {
    if (!buffered_) return descriptor_.write(line, shown_);
    lines_.push_back(std::move(line));
    return {};
  }
  Result<void> close() override {
    for (const std::string& line : std::exchange(lines_, {})) TRY(descriptor_.write(line, shown_));
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string shown_;
  bool buffered_;
  std::vector<std::string> lines_{};
};

class Chunks final : public Channel {
 public:
  Chunks(Objects& objects, std::string bucket, std::string prefix, std::chrono::milliseconds every)
      : objects_(objects), bucket_(std::move(bucket)), prefix_(std::move(prefix)), every_(every) {
    thread_ = std::jthread([this](const std::stop_token& stop) { upload_now_and_then(stop); });
  }

  Result<void> write(std::string line) override {
    const std::scoped_lock lock(mutex_);
    pending_ += line;
    return {};
  }

  Result<void> close() override {
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    return upload();
  }

 private:
  void upload_now_and_then(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      woken_.wait_for(lock, stop, every_, [] { return false; });
      if (stop.stop_requested()) return;  // the rest is the closing one's
      lock.unlock();
      (void)upload();  // what could not be stored is in the next chunk
      lock.lock();
    }
  }

  Result<void> upload() {
    std::string content;
    {
      const std::scoped_lock lock(mutex_);
      content = std::exchange(pending_, {});
    }
    if (content.empty()) return {};
    const std::string key = prefix_.empty() ? fmt::format("{}.json", next_) : fmt::format("{}/{}.json", prefix_, next_);
    // Lines are between newlines in a chunk, not each with one.
    auto stored = objects_.put(bucket_, key, content.substr(0, content.size() - 1));
    if (stored) {
      ++next_;
    } else {
      const std::scoped_lock lock(mutex_);
      pending_.insert(0, content);
    }
    return stored;
  }

  Objects& objects_;
  std::string bucket_, prefix_;
  std::chrono::milliseconds every_;
  std::mutex mutex_{};
  std::condition_variable_any woken_{};
  std::string pending_{};
  std::uint64_t next_ = 1;
  std::jthread thread_{};
};

Result<std::string> text_of(const json& parameters, const char* key) {
  const auto found = parameters.find(key);
  if (found != parameters.end() && found->is_string()) return found->get<std::string>();
  return fail(Kind::bad_input, fmt::format("Dagster's parameter for messages \"{}\" is not a text", key));
}

Result<std::unique_ptr<Channel>> open_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) {
    const int why = errno;
    return fail(why == EACCES   ? Kind::permission
                : why == ENOENT ? Kind::not_found
                                : Kind::unavailable,
                fmt::format("cannot open Dagster's file for messages {}: {}", path, std::strerror(why)));
  }
  return std::make_unique<StreamChannel>(std::move(file), path, false);
}

Result<std::unique_ptr<Channel>> open_stream(const std::string& name, bool buffered) {
  if (name != "stdout" && name != "stderr")
    return fail(Kind::bad_input, fmt::format("Dagster asks for messages on \"{}\": expected stdout or stderr", name));
  Descriptor stream(::fcntl(name == "stdout" ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!stream.is_open())
    return fail(Kind::unavailable, fmt::format("Dagster asks for messages on {}, which is not open", name));
  return std::make_unique<StreamChannel>(std::move(stream), name, buffered);
}

}  // namespace

std::unique_ptr<Channel> chunks_in_a_bucket(Objects& objects, std::string bucket, std::string prefix,
                                            std::chrono::milliseconds every) {
  return std::make_unique<Chunks>(objects, std::move(bucket), std::move(prefix), every);
}

Result<std::unique_ptr<Channel>> open_channel(const json& parameters, const Options& options) {
  if (!parameters.is_object()) return fail(Kind::bad_input, "Dagster's parameters for messages are not an object");
  if (parameters.contains("path")) return open_file(TRY(text_of(parameters, "path")));
  if (parameters.contains("stdio")) return open_stream(TRY(text_of(parameters, "stdio")), false);
  if (parameters.contains("buffered_stdio")) return open_stream(TRY(text_of(parameters, "buffered_stdio")), true);
  if (parameters.contains("bucket")) {
    const std::string bucket = TRY(text_of(parameters, "bucket"));
    const auto given = parameters.find("key_prefix");
    const std::string prefix =
        given == parameters.end() || given->is_null() ? std::string{} : TRY(text_of(parameters, "key_prefix"));
    if (options.objects == nullptr)
      return fail(Kind::bad_input, "Dagster asks for messages in a bucket, and there is no store here to write to");
    return chunks_in_a_bucket(*options.objects, bucket, prefix, options.upload_every);
  }
  return fail(Kind::bad_input, "Dagster asks for messages in a way that is not known here",
              "Known are path, stdio, buffered_stdio, and bucket with key_prefix.");
}

}  // namespace steward::pipes
