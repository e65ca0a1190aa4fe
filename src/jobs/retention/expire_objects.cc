// Objects that go for good, by their modification time.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <future>
#include <set>

#include "core/text.h"
#include "core/url.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/removed_list.h"
#include "jobs/retention/retention.h"
#include "run/locks.h"
#include "run/runner.h"
#include "run/store_lease.h"

namespace steward::retention {
namespace {

constexpr std::size_t objects_in_batch = 1'000;  // what DeleteObjects takes
constexpr std::size_t batches_in_flight = 8;

/// What a run puts into the bucket for its own sake: no item, and no part of the population. One that was killed may
/// have left such an object.
bool is_lock_or_probe(std::string_view key) {
  return key.starts_with(lease_prefix) || key.starts_with(".steward-probe-");
}

/// "s3://bucket" + "/" + key, from the bucket's root: as rows name objects, and as holds and steward's own places are
/// compared.
class Addresses {
 public:
  explicit Addresses(const object::Store& store) : prefix_(store.shown() + '/') {}
  std::string of(std::string_view key) const { return prefix_ + std::string(key); }

 private:
  std::string prefix_;
};

/// Goes over a bucket's old objects in batches, and says of each whether it may go. The plan and the run use the same.
class OldObjects {
 public:
  OldObjects(object::Store& store, const OutOfReach& out_of_reach, Needs& needs, Instant cutoff)
      : store_(store), out_of_reach_(out_of_reach), needs_(needs), cutoff_(cutoff), addresses_(store) {}

  struct Judged {
    object::ObjectInfo object{};
    std::string address{};
    std::string reason{};  ///< Why it stays; empty: it goes.
    std::chrono::steady_clock::time_point listed{};
    /// Listed so short a time ago that nobody need look again where the store cannot compare.
    bool fresh() const { return std::chrono::steady_clock::now() - listed < std::chrono::minutes(1); }
  };

  Result<void> go_over(const std::function<Result<Holds>()>& holds,
                       const std::function<Result<bool>(std::vector<Judged>&)>& take) {
    std::vector<object::ObjectInfo> batch;
    std::chrono::steady_clock::time_point listed{};
    bool stopped = false;
    const auto pass_on = [&]() -> Result<bool> {
      if (batch.empty()) return true;
      const Holds now = TRY(holds());
      std::vector<Judged> judged = TRY(judge(batch, now, listed));
      batch.clear();
      stopped = !TRY(take(judged));
      return !stopped;
    };
    TRY(store_.list("", [&](const object::ObjectInfo& info) -> Result<bool> {
      if (is_lock_or_probe(info.key)) return true;
      ++seen_;
      if (info.modified >= cutoff_) return true;
      if (batch.empty()) listed = std::chrono::steady_clock::now();
      batch.push_back(info);
      return batch.size() < objects_in_batch ? Result<bool>(true) : pass_on();
    }));
    if (!stopped) TRY(pass_on());
    return {};
  }

  std::uint64_t objects_seen() const { return seen_; }

 private:
  Result<std::vector<Judged>> judge(const std::vector<object::ObjectInfo>& batch, const Holds& holds,
                                    std::chrono::steady_clock::time_point listed) {
    std::vector<std::string> addresses;
    for (const object::ObjectInfo& info : batch) addresses.push_back(addresses_.of(info.key));
    const std::set<std::string> needed = TRY(needs(addresses));
    std::vector<Judged> judged;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      std::string reason;
      if (object_belongs_to_steward(out_of_reach_, addresses[i]) || in_own_folder(addresses[i]))
        reason = "belongs to steward";
      else if (holds.covers_object(store_.shown(), batch[i].key) || covers_as_file(holds, addresses[i]))
        reason = "held";
      else if (needed.contains(path_or_address(addresses[i])))
        reason = "a row needs it";
      judged.push_back(
          {.object = batch[i], .address = std::move(addresses[i]), .reason = std::move(reason), .listed = listed});
    }
    return judged;
  }

  /// A directory that stands for a bucket holds files: rows and holds name them by path.
  Result<std::set<std::string>> needs(const std::vector<std::string>& addresses) {
    if (!is_folder()) return needs_.objects(addresses);
    std::vector<std::string> paths;
    for (const std::string& address : addresses) paths.push_back(path_or_address(address));
    return needs_.files(paths);
  }
  bool is_folder() const { return store_.shown().starts_with("file://"); }
  std::string path_or_address(const std::string& address) const { return is_folder() ? address.substr(7) : address; }
  bool in_own_folder(const std::string& address) const {
    return is_folder() && belongs_to_steward(out_of_reach_, path_or_address(address));
  }
  bool covers_as_file(const Holds& holds, const std::string& address) const {
    return is_folder() && holds.covers_file(path_or_address(address)).has_value();
  }

  object::Store& store_;
  const OutOfReach& out_of_reach_;
  Needs& needs_;
  Instant cutoff_;
  Addresses addresses_;
  std::uint64_t seen_ = 0;
};

/// Batches of removals in flight, and what came of them.
class Removals {
 public:
  Removals(object::Store& store, RunContext& run) : store_(store), run_(run) {}
  ~Removals() {
    for (auto& batch : flying_) batch.answer.wait();
  }
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;

  Result<void> begin(std::vector<object::Removal> removals, std::vector<Bytes> sizes) {
    if (flying_.size() >= batches_in_flight) TRY(settle_first());
    auto shared = std::make_shared<std::vector<object::Removal>>(std::move(removals));
    flying_.push_back(
        {.answer = std::async(std::launch::async, [store = &store_, shared] { return store->remove_many(*shared); }),
         .removals = shared,
         .sizes = std::move(sizes)});
    return {};
  }
  Result<void> settle() {
    while (!flying_.empty()) TRY(settle_first());
    return {};
  }

 private:
  struct Flying {
    std::future<Result<std::vector<object::Removed>>> answer{};
    std::shared_ptr<std::vector<object::Removal>> removals{};
    std::vector<Bytes> sizes{};
  };

  Result<void> settle_first() {
    Flying batch = std::move(flying_.front());
    flying_.pop_front();
    const std::vector<object::Removed> removed = TRY(batch.answer.get());
    std::uint64_t items = 0;
    Bytes bytes{};
    for (std::size_t i = 0; i < removed.size(); ++i) {
      if (!removed[i].error) {
        ++items;
        bytes += batch.sizes[i];
      } else {
        left_over(*removed[i].error, removed[i].key);
      }
    }
    if (items > 0) run_.done(items, bytes);
    if (const auto words = store_.asked_for_less(); words && !std::exchange(said_slow_, true))
      run_.note(Level::info, fmt::format("the store asks for fewer requests at once, and gets fewer ({})", *words));
    return {};
  }

  void left_over(const Error& error, const std::string& key) {
    if (error.code == "changed") return run_.skip("overwritten since it was listed", key);
    if (error.kind == Kind::permission) {
      run_.skip(store_.shown().starts_with("s3://") ? "the bucket does not allow it (object lock or rights)"
                                                    : "no right to remove it",
                key);
    } else {
      run_.skip("the store failed to remove it", key);
    }
    if (!std::exchange(said_, true)) run_.note(Level::warning, error.message);
  }

  object::Store& store_;
  RunContext& run_;
  std::deque<Flying> flying_{};
  bool said_ = false, said_slow_ = false;
};

class ExpireObjects final : public Task {
 public:
  ExpireObjects(TaskInfo info, ObjectPolicy policy, OutOfReach out_of_reach, const StateDirectory& state)
      : info_(std::move(info)), policy_(std::move(policy)), out_of_reach_(std::move(out_of_reach)), state_(state) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    auto store = TRY(object::open(policy_.bucket));
    Needs needs = TRY(open_needs(*store));
    Step step{.target = "bucket " + store->shown(),
              .cutoff = context.cutoff.value_or(before(context.now, policy_.age)),
              .final = true};
    step.planned.bytes = Bytes{};
    Skips skips;
    OldObjects old(*store, out_of_reach_, needs, step.cutoff);
    TRY(old.go_over([&]() -> Result<Holds> { return context.holds; },
                    [&](std::vector<OldObjects::Judged>& judged) -> Result<bool> {
                      for (const auto& one : judged) add(one, step, skips);
                      return true;
                    }));
    const std::uint64_t uploads = TRY(old_uploads(*store, step.cutoff, {}));
    step.skipped = skips.list();
    step.population = old.objects_seen();
    step.reason = fmt::format("not modified for {}", format_age(policy_.age));
    step.filter = "LastModified < cutoff; not held, not steward's, not needed by a row";
    step.strategy =
        fmt::format("delete in batches of {}, on condition that each is unchanged", format_count(objects_in_batch));
    if (uploads > 0)
      step.notes.push_back(fmt::format("{} unfinished multipart uploads begun before the cutoff are aborted as well",
                                       format_count(uploads)));
    TRY(note_versions(*store, step));
    step.brake = clock_refusal(context.now, TRY(store->server_time()), "the store");
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    locks.push_back(TRY(lock_store(policy_.bucket, state_, info_.name)));
    return locks;
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    auto store = TRY(object::open(policy_.bucket));
    Needs needs = TRY(open_needs(*store));
    RemovedList list(run, info_.name);
    OldObjects old(*store, out_of_reach_, needs, step.cutoff);
    std::uint64_t left = step.planned.items;
    {
      Removals removals(*store, run);
      const auto holds = [&]() -> Result<Holds> { return *TRY(run.holds()); };
      if (left > 0)
        TRY(old.go_over(holds, [&](std::vector<OldObjects::Judged>& judged) -> Result<bool> {
          TRY(run.checkpoint("expire-objects: batch"));
          std::erase_if(judged, [](const auto& one) { return !one.reason.empty(); });
          if (judged.size() > left) judged.resize(left);
          left -= judged.size();
          TRY(begin(judged, list, removals, run));
          return left > 0;
        }));
      TRY(removals.settle());
    }
    const std::uint64_t aborted =
        TRY(old_uploads(*store, step.cutoff, [&](const object::Upload& upload) -> Result<void> {
          TRY(run.checkpoint("expire-objects: upload"));
          TRY(run.holds());  // no hold is about uploads; a freeze is about all that goes
          return store->abort_upload(upload);
        }));
    if (aborted > 0)
      run.note(Level::info, fmt::format("{} unfinished multipart uploads were aborted", format_count(aborted)));
    return {};
  }

 private:
  Result<Needs> open_needs(const object::Store& store) const {
    const std::string folder = store.shown().starts_with("file://") ? store.shown().substr(7) : std::string{};
    return Needs::open(out_of_reach_.needed, folder);
  }

  static Result<void> begin(const std::vector<OldObjects::Judged>& judged, RemovedList& list, Removals& removals,
                            RunContext& run) {
    if (judged.empty()) return {};
    std::vector<object::Removal> batch;
    std::vector<Bytes> sizes;
    for (const auto& one : judged) {
      list.add(one.address, one.object.size, one.object.modified);
      batch.push_back({.key = one.object.key, .etag = one.object.etag, .fresh = one.fresh()});
      sizes.push_back(one.object.size);
    }
    TRY(list.flush());
    TRY(run.checkpoint("expire-objects: listed"));
    return removals.begin(std::move(batch), std::move(sizes));
  }

  static void add(const OldObjects::Judged& one, Step& step, Skips& skips) {
    if (!one.reason.empty()) {
      skips.add(one.reason, one.object.key);
      return;
    }
    step.planned.add(1, one.object.size);
    if (!step.oldest || one.object.modified < *step.oldest) step.oldest = one.object.modified;
    if (!step.newest || one.object.modified > *step.newest) step.newest = one.object.modified;
    if (step.samples.size() < 3)
      step.samples.push_back({.item = printable(one.object.key), .at = one.object.modified, .size = one.object.size});
  }

  static Result<void> note_versions(object::Store& store, Step& step) {
    if (!store.shown().starts_with("s3://")) return {};
    const object::Versioning versioning = TRY(store.versioning());
    if (versioning == object::Versioning::enabled)
      step.notes.emplace_back(
          "versioning is on: the current versions go, their bytes stay as noncurrent versions until a lifecycle rule "
          "removes them");
    else if (versioning == object::Versioning::suspended)
      step.notes.emplace_back("versioning was on: older versions may lie in the bucket, and stay");
    return {};
  }

  /// Counts the uploads begun before the cutoff that are not in steward's own places, and does `act` to each.
  Result<std::uint64_t> old_uploads(object::Store& store, Instant cutoff,
                                    const std::function<Result<void>(const object::Upload&)>& act) const {
    std::vector<object::Upload> found;
    const Addresses addresses(store);
    TRY(store.list_uploads([&](const object::Upload& upload) -> Result<bool> {
      if (upload.begun < cutoff && !object_belongs_to_steward(out_of_reach_, addresses.of(upload.key)))
        found.push_back(upload);
      return true;
    }));
    if (act)
      for (const object::Upload& upload : found) TRY(act(upload));
    return found.size();
  }

  TaskInfo info_;
  ObjectPolicy policy_;
  OutOfReach out_of_reach_;
  const StateDirectory& state_;
};

}  // namespace

std::unique_ptr<Task> expire_objects(TaskInfo info, ObjectPolicy policy, OutOfReach out_of_reach,
                                     const StateDirectory& state) {
  return std::make_unique<ExpireObjects>(std::move(info), std::move(policy), std::move(out_of_reach), state);
}

}  // namespace steward::retention
