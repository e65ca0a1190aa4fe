/// Bytes from a thread that writes to one that reads, through a buffer of bounded size: joins what wants a Sink to what
/// wants a Source.
///
///   Conduit conduit;
///   std::jthread writer([&] { conduit.end(produce(conduit.in())); });
///   auto put = store.put(key, conduit.out());     // fails with the error that produce failed with
///   if (!put) conduit.abandon(put.error());       // … and a reader that gives up makes the writer's next write fail
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/stream.h"

namespace steward {

class Conduit {
 public:
  /// `waiting`: asked about every second while the reader waits for bytes; an error of it ends the read.
  explicit Conduit(std::size_t capacity = std::size_t{32} << 20, std::function<Result<void>()> waiting = {})
      : capacity_(capacity), while_waiting_(std::move(waiting)), in_(*this), out_(*this) {}
  Conduit(const Conduit&) = delete;
  Conduit& operator=(const Conduit&) = delete;

  Sink& in() { return in_; }
  Source& out() { return out_; }
  /// The writer's last word: without an error the reader sees the end, with one its next read fails with it, also
  /// before all that was written is read.
  void end(Result<void> how);
  /// The reader's: writes fail with `why` from here on, those that wait too.
  void abandon(Error why);

 private:
  class In final : public Sink {
   public:
    explicit In(Conduit& conduit) : conduit_(conduit) {}
    Result<void> write(std::span<const std::byte> bytes) override { return conduit_.write(bytes); }

   private:
    Conduit& conduit_;
  };
  class Out final : public Source {
   public:
    explicit Out(Conduit& conduit) : conduit_(conduit) {}
    Result<std::size_t> read(std::span<std::byte> buffer) override { return conduit_.read(buffer); }

   private:
    Conduit& conduit_;
  };

  Result<void> write(std::span<const std::byte> bytes);
  Result<std::size_t> read(std::span<std::byte> buffer);

  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<std::vector<std::byte>> pieces_{};
  std::size_t taken_ = 0;    ///< Of the first piece.
  std::size_t waiting_ = 0;  ///< Bytes in all pieces.
  std::size_t capacity_;
  std::function<Result<void>()> while_waiting_;
  bool ended_ = false;
  std::optional<Error> failed_{}, abandoned_{};
  In in_;
  Out out_;
};

}  // namespace steward
