// Objects that go for good, by their modification time.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <future>

#include "core/text.h"
#include "core/url.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/object_survey.h"
#include "jobs/retention/old_objects.h"
#include "jobs/retention/retention.h"
#include "run/locks.h"
#include "run/manifest/removed_list.h"
#include "run/runner.h"

namespace steward::retention {
namespace {

constexpr std::size_t batches_in_flight = 8;

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
        left_over(*removed[i].error, (*batch.removals)[i]);
      }
    }
    if (items > 0) run_.done(items, bytes);
    if (const auto words = store_.asked_for_less(); words && !std::exchange(said_slow_, true))
      run_.note(Level::info, fmt::format("the store asks for fewer requests at once, and gets fewer ({})", *words));
    return {};
  }

  void left_over(const Error& error, const object::Removal& removal) {
    const std::string& key = removal.key;
    if (error.code == "changed")
      return run_.skip(removal.noncurrent ? "it has become current again" : "overwritten since it was listed", key);
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
  /// `of`: it is one shard alone.
  ExpireObjects(TaskInfo info, ObjectPolicy policy, OutOfReach out_of_reach, const StateDirectory& state,
                std::optional<ShardOf> of = {})
      : info_(std::move(info)),
        policy_(std::move(policy)),
        out_of_reach_(std::move(out_of_reach)),
        state_(state),
        shard_(std::move(of)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    auto store = TRY(object::open(policy_.bucket));
    Needs needs = TRY(open_needs(*store));
    Step step{.target = "bucket " + store->shown(),
              .cutoff = context.cutoff.value_or(before(context.now, policy_.age)),
              .final = true};
    ObjectSurvey survey;
    const object::Versioning versioning = TRY(store->versioning());
    OldObjects old(*store, policy_.versions, versioning, out_of_reach_, needs, step.cutoff, keys());
    TRY(old.go_over([&]() -> Result<Holds> { return context.holds; },
                    [&](std::vector<OldObject>& judged) -> Result<bool> {
                      for (const OldObject& one : judged) {
                        survey.add(one);
                        if (context.sample != nullptr && one.reason.empty()) context.sample->add(one.object.key);
                      }
                      return true;
                    },
                    [&]() -> Result<void> {
                      survey = {};
                      if (context.sample != nullptr) context.sample->forget();
                      return {};
                    }));
    if (context.sample != nullptr && !old.in_order()) context.sample->out_of_order();
    survey.tell(step);
    const std::uint64_t uploads = TRY(old_uploads(*store, step.cutoff, {}));
    step.population = old.seen();
    step.reason = reason();
    step.age = format_age(policy_.age);
    step.identity = TRY(store->identity());
    step.filter = filter();
    step.strategy =
        policy_.versions == Versions::current
            ? fmt::format("delete in batches of {}, on condition that each is unchanged",
                          format_count(objects_in_batch))
            : fmt::format(
                  "delete in batches of {}: versions by key and id, after a look that they are not current{}",
                  format_count(objects_in_batch),
                  policy_.versions == Versions::all ? "; current ones on condition that each is unchanged" : "");
    if (uploads > 0)
      step.notes.push_back(fmt::format("{} unfinished multipart uploads begun before the cutoff are aborted as well",
                                       format_count(uploads)));
    note_versions(versioning, survey, step);
    step.brake = clock_refusal(context.now, TRY(store->server_time()), "the store");
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    if (shard_)
      locks.push_back(TRY(lock_part_of_store(policy_.bucket, state_, info_.name,
                                             fmt::format("{}-{}", shard_->digest.substr(0, 16), shard_->number))));
    else
      locks.push_back(TRY(lock_store(policy_.bucket, state_, info_.name)));
    return locks;
  }

  Result<Split> split(const Step& step, std::uint64_t count, PlanContext& context) const override {
    auto store = TRY(object::open(policy_.bucket));
    if (!store->lists_ranges()) return in_one(step, "a folder is listed as a whole");
    if (policy_.versions != Versions::current) return in_one(step, "versions are listed from one end to the other");
    if (context.sample == nullptr || !context.sample->in_order())
      return in_one(step, "the server does not list keys in the order of their bytes");
    return cut_by(context.sample->ascending(), std::min(count, step.planned.items), step.planned);
  }
  std::unique_ptr<Task> shard(const ShardOf& of) const override {
    return std::make_unique<ExpireObjects>(info_, policy_, out_of_reach_, state_, of);
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    auto store = TRY(object::open(policy_.bucket));
    Needs needs = TRY(open_needs(*store));
    manifest::RemovedList list(run, info_.name);
    const object::Versioning versioning = TRY(store->versioning());
    OldObjects old(*store, policy_.versions, versioning, out_of_reach_, needs, step.cutoff, keys());
    std::uint64_t left = step.planned.items;
    {
      Removals removals(*store, run);
      const auto holds = [&]() -> Result<Holds> { return *TRY(run.holds()); };
      if (left > 0)
        TRY(old.go_over(
            holds,
            [&](std::vector<OldObject>& judged) -> Result<bool> {
              TRY(run.checkpoint("expire-objects: batch"));
              std::erase_if(judged, [](const auto& one) { return !one.reason.empty(); });
              if (judged.size() > left) judged.resize(left);
              left -= judged.size();
              TRY(begin(judged, list, removals, run));
              return left > 0;
            },
            // What is listed anew must not be what is being removed.
            [&] { return removals.settle(); }));
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
  /// Those that it is about.
  object::KeyRange keys() const {
    if (!shard_) return {};
    const auto name = [](const std::optional<ShardKey>& key) {
      return key && !key->empty() ? std::optional(key->front()) : std::nullopt;
    };
    return {.after = name(shard_->range.after), .last = name(shard_->range.last)};
  }

  Result<Needs> open_needs(const object::Store& store) const {
    const std::string folder = store.shown().starts_with("file://") ? store.shown().substr(7) : std::string{};
    return Needs::open(out_of_reach_.needed, folder);
  }

  static Result<void> begin(const std::vector<OldObject>& judged, manifest::RemovedList& list, Removals& removals,
                            RunContext& run) {
    if (judged.empty()) return {};
    std::vector<object::Removal> batch;
    std::vector<Bytes> sizes;
    for (const auto& one : judged) {
      list.add(one.address, one.object.size, one.object.modified, one.removal().version_id);
      batch.push_back(one.removal());
      sizes.push_back(one.object.size);
    }
    TRY(list.flush());
    TRY(run.checkpoint("expire-objects: listed"));
    return removals.begin(std::move(batch), std::move(sizes));
  }

  std::string reason() const {
    const std::string age = format_age(policy_.age);
    if (policy_.versions == Versions::current) return fmt::format("not modified for {}", age);
    return policy_.versions == Versions::noncurrent
               ? fmt::format("not current for {}", age)
               : fmt::format("not modified for {}, or not current for {}", age, age);
  }

  std::string filter() const {
    const std::string_view stays = "not held, not steward's, not needed by a row";
    const std::string_view noncurrent =
        "versions that are not current, whose successor's LastModified < cutoff; delete markers that stand alone with "
        "LastModified < cutoff";
    if (policy_.versions == Versions::current) return fmt::format("LastModified < cutoff; {}", stays);
    if (policy_.versions == Versions::noncurrent) return fmt::format("{}; {}", noncurrent, stays);
    return fmt::format("current versions with LastModified < cutoff; {}; {}", noncurrent, stays);
  }

  void note_versions(object::Versioning versioning, const ObjectSurvey& survey, Step& step) const {
    using object::Versioning;
    if (policy_.versions == Versions::current && versioning == Versioning::enabled)
      step.notes.emplace_back(
          "versioning is on: the current versions go, their bytes stay as noncurrent versions until a lifecycle rule, "
          "or "
          "a task with versions: noncurrent, removes them");
    if (policy_.versions == Versions::current && versioning == Versioning::suspended)
      step.notes.emplace_back("versioning was on: older versions may lie in the bucket, and stay");
    if (policy_.versions != Versions::current && versioning == Versioning::never)
      step.notes.emplace_back("no versions are kept here, as far as can be told: nothing is noncurrent");
    if (policy_.versions == Versions::all && versioning == Versioning::enabled && survey.current().items > 0)
      step.notes.push_back(
          fmt::format("{} of them are current: each gets a delete marker, and their {} stay until they have not been "
                      "current for {}",
                      format_count(survey.current().items), format_bytes(survey.current().bytes.value_or(Bytes{})),
                      format_age(policy_.age)));
    if (survey.markers() > 0)
      step.notes.push_back(
          fmt::format("{} of them are delete markers, which hold no bytes", format_count(survey.markers())));
  }

  /// Counts the uploads begun before the cutoff that are not in steward's own places, and does `act` to each.
  Result<std::uint64_t> old_uploads(object::Store& store, Instant cutoff,
                                    const std::function<Result<void>(const object::Upload&)>& act) const {
    std::vector<object::Upload> found;
    const Addresses addresses(store);
    const object::KeyRange range = keys();
    TRY(store.list_uploads([&](const object::Upload& upload) -> Result<bool> {
      if (upload.begun < cutoff && range.has(upload.key) &&
          !object_belongs_to_steward(out_of_reach_, addresses.of(upload.key)))
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
  std::optional<ShardOf> shard_;
};

}  // namespace

std::unique_ptr<Task> expire_objects(TaskInfo info, ObjectPolicy policy, OutOfReach out_of_reach,
                                     const StateDirectory& state) {
  return std::make_unique<ExpireObjects>(std::move(info), std::move(policy), std::move(out_of_reach), state);
}

}  // namespace steward::retention
