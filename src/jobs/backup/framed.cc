#include "jobs/backup/framed.h"

#include <fmt/format.h>

#include <thread>

#include "core/conduit.h"
#include "jobs/backup/age.h"

namespace steward::backup {
namespace {

/// A frame costs about 20 bytes and the dictionary that it has learnt: below this much it goes on past a boundary.
constexpr std::uint64_t least_frame = std::uint64_t{1} << 20;

/// What is uploaded, hashed as it goes.
class Uploaded final : public Source {
 public:
  Uploaded(Source& next, const Upload& how) : next_(next), how_(how) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    if (how_.check) TRY(how_.check());
    const std::size_t n = TRY(next_.read(buffer));
    hash_.update(buffer.first(n));
    count_ += n;
    if (how_.progress && n > 0) how_.progress(Bytes{n});
    return n;
  }
  std::uint64_t count() const { return count_; }
  std::string hash() { return hash_.finish_hex(); }

 private:
  Source& next_;
  const Upload& how_;
  Sha256 hash_{};
  std::uint64_t count_ = 0;
};

}  // namespace

FramedSink::FramedSink(Sink& next, int level) : packed_(next), level_(level) {}

Result<void> FramedSink::write(std::span<const std::byte> bytes) {
  if (!frame_) {
    frames_.emplace_back(raw_, packed_.count);
    frame_.emplace(packed_, level_);
  }
  raw_ += bytes.size();
  return frame_->write(bytes);
}

Result<void> FramedSink::boundary() {
  if (!frame_ || raw_ - frames_.back().first < least_frame) return {};
  TRY(frame_->finish());
  frame_.reset();
  return {};
}

Result<void> FramedSink::finish() {
  // Nothing at all is a frame too: what reads it back wants one.
  if (frames_.empty()) TRY(write({}));
  if (!frame_) return {};
  TRY(frame_->finish());
  frame_.reset();
  return {};
}

Result<StoredObject> upload(const Upload& how, const std::function<Result<void>(FramedSink&)>& make) {
  Conduit conduit(how.buffer, how.check);
  std::uint64_t uncompressed = 0;
  const std::string key = how.recipients.empty() ? how.key : how.key + std::string(encrypted_suffix);
  const auto make_all = [&](Sink& next) -> Result<void> {
    FramedSink sink(next, how.level);
    TRY(make(sink));
    TRY(sink.finish());
    uncompressed = sink.written();
    return {};
  };
  std::jthread maker([&] {
    conduit.end(how.recipients.empty() ? make_all(conduit.in())
                                       : encrypt(how.recipients, how.stop, make_all, conduit.in()));
  });
  Uploaded source(conduit.out(), how);
  const auto put = how.store.put(how.folder + '/' + key, source,
                                 {.only_if_absent = true, .about = how.about, .locked_until = how.locked_until});
  if (!put) conduit.abandon(put.error());
  maker.join();
  if (!put) return std::unexpected(put.error());
  return StoredObject{.key = key, .size = {source.count()}, .uncompressed = {uncompressed}, .sha256 = source.hash()};
}

Result<void> HashingSink::write(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  count_ += bytes.size();
  if (progress_) TRY(progress_(Bytes{bytes.size()}));
  return next_ == nullptr ? Result<void>{} : next_->write(bytes);
}

Result<void> HashingSink::compare(const std::string& key, const StoredObject& object) {
  if (count_ != object.size.count)
    return fail(Kind::corrupt, fmt::format("{} has {} bytes, not {}", key, count_, object.size.count));
  if (hash_.finish_hex() != object.sha256)
    return fail(Kind::corrupt, fmt::format("{} has other bytes than were written", key));
  return {};
}

Result<void> read_back(object::Store& store, const std::string& folder, const StoredObject& object,
                       const std::function<Result<void>(Bytes more)>& progress) {
  const std::string key = folder + '/' + object.key;
  HashingSink sink(nullptr, progress);
  const auto got = store.get(key, sink);
  if (!got && got.error().kind == Kind::not_found) return fail(Kind::corrupt, fmt::format("{} is missing", key));
  if (!got) return std::unexpected(got.error());
  return sink.compare(key, object);
}

}  // namespace steward::backup
