#include "run/store_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/random.h"
#include "core/text.h"
#include "run/runner.h"

namespace steward {
namespace {
using nlohmann::json;

constexpr int tries_to_take = 5;
constexpr std::chrono::hours longest_lease{1};  // what another version may have chosen, and no typing error
constexpr Bytes largest_lock = 64_KiB;
/// Between the key of the whole's lease and a part's name. No task's name has a dot before "part".
constexpr std::string_view part_mark = ".part-";

/// Goes on while the machine sleeps, as steady_clock does not.
std::chrono::nanoseconds since_boot() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// What a lock's object says of its holder. Whatever else lies there reads as a holder of whom nothing is known.
struct Holder {
  ledger::Process process{};
  std::string pid_namespace{};
  std::string agent{};
  std::chrono::seconds length{};
};

std::string text_in(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::int64_t number_in(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

Holder holder_in(const std::string& text, std::chrono::seconds usual_length) {
  const json document = json::parse(text, nullptr, false);
  Holder holder{.length = usual_length};
  if (!document.is_object() || text_in(document, "steward") != "lock") return holder;
  holder.process = {.host = text_in(document, "host"),
                    .boot = text_in(document, "boot"),
                    .pid = number_in(document, "pid"),
                    .started_ticks = number_in(document, "started_ticks")};
  holder.pid_namespace = text_in(document, "pid_namespace");
  holder.agent = text_in(document, "agent");
  if (const std::int64_t seconds = number_in(document, "lease_seconds"); seconds > 0)
    holder.length = std::min(std::chrono::seconds(seconds), std::chrono::seconds(longest_lease));
  return holder;
}

std::string shown(const Holder& holder) {
  if (holder.process.host.empty()) return "somebody";
  return fmt::format("{}, process {} on {}", printable(holder.agent), holder.process.pid,
                     printable(holder.process.host));
}

/// Takes no more of an object than a lock may be long: nobody else's gigabytes are read for one.
struct SmallSink final : Sink {
  std::string text{};
  Result<void> write(std::span<const std::byte> bytes) override {
    const std::size_t room = largest_lock.count - std::min<std::size_t>(text.size(), largest_lock.count);
    text.append(reinterpret_cast<const char*>(bytes.data()), std::min(room, bytes.size()));
    return {};
  }
};

std::unexpected<Error> no_lease(std::string why) { return fail(Kind::refused, std::move(why), "", "no-lease"); }

}  // namespace

StoreLease::StoreLease(std::unique_ptr<object::Store> store, const std::string& name, const std::string& part,
                       std::string agent, const LeaseTerms& terms)
    : store_(std::move(store)),
      whole_(std::string(lease_prefix) + name),
      key_(part.empty() ? whole_ : whole_ + std::string(part_mark) + part),
      agent_(std::move(agent)),
      token_(random_hex(16)),
      terms_(terms) {}

Result<std::unique_ptr<StoreLease>> StoreLease::take(const object::StoreTarget& target, const std::string& name,
                                                     const LeaseTerms& terms) {
  return take(target, name, "", terms);
}

Result<std::unique_ptr<StoreLease>> StoreLease::take_part(const object::StoreTarget& target, const std::string& name,
                                                          const std::string& part, const LeaseTerms& terms) {
  return take(target, name, part, terms);
}

Result<std::unique_ptr<StoreLease>> StoreLease::take(const object::StoreTarget& target, const std::string& name,
                                                     const std::string& part, const LeaseTerms& terms) {
  object::StoreTarget patient = target;
  patient.attempts = 2;  // of each renewal: a new one comes soon
  auto store = TRY(object::open(patient));
  const object::Features features = TRY(store->features());
  const std::string missing_right = fmt::format(
      "the bucket does not let steward put its lock: runs of other machines are not kept out of {} (it "
      "takes s3:PutObject and s3:DeleteObject for .steward-*)",
      store->shown());
  if (!features.probed) return no_lease(missing_right);
  if (!features.conditional_put || !features.conditional_replace)
    return no_lease(fmt::format(
        "the server of {} checks no conditions of a PUT, so that it can have no lock: runs of other machines are not "
        "kept out",
        store->shown()));
  std::unique_ptr<StoreLease> lease(new StoreLease(std::move(store), name, part, target.agent, terms));
  const auto acquired = lease->acquire();
  if (!acquired && acquired.error().kind == Kind::permission) return no_lease(missing_right);
  if (!acquired) return std::unexpected(acquired.error());
  TRY(lease->keep_out_others());
  lease->keeper_ = std::jthread([&held = *lease](const std::stop_token& stop) { held.keep(stop); });
  return lease;
}

StoreLease::~StoreLease() {
  keeper_.request_stop();
  if (keeper_.joinable()) keeper_.join();
  if (etag_.empty() || lost_) return;
  // A version that is removed leaves no delete marker. What cannot be removed at all ends by itself.
  const auto gone = version_.empty() ? Result<void>(fail(Kind::not_found, "there are no versions"))
                                     : store_->remove({.key = key_, .version_id = version_});
  if (!gone) (void)store_->remove({.key = key_, .etag = etag_});
}

std::string StoreLease::content() const {
  const ledger::Process here = this_process();
  return json{{"steward", "lock"},
              {"format", 1},
              {"agent", printable(agent_)},
              {"host", printable(here.host)},
              {"boot", here.boot},
              {"pid_namespace", pid_namespace()},
              {"pid", here.pid},
              {"started_ticks", here.started_ticks},
              {"token", token_},
              {"renewed", renewed_},  // so that no two have the same ETag
              {"lease_seconds", terms_.length.count()}}
             .dump(1) +
         '\n';
}

Result<void> StoreLease::put(const object::PutOptions& condition) {
  const std::string text = content();
  StringSource source(text);
  object::PutOptions options = condition;
  options.size = Bytes{text.size()};
  // Before the request: LastModified can only be later.
  const std::chrono::nanoseconds sent = since_boot();
  const object::ObjectInfo written = TRY(store_->put(key_, source, options));
  std::string before;
  {
    const std::lock_guard lock(mutex_);
    etag_ = written.etag;
    before = std::exchange(version_, written.version_id);
    valid_until_ = sent + terms_.length;
  }
  forget_version(key_, before);
  return {};
}

/// A version that nobody needs. What cannot be removed stays for the bucket's lifecycle rule.
void StoreLease::forget_version(const std::string& key, const std::string& version) {
  if (!version.empty()) (void)store_->remove({.key = key, .version_id = version});
}

Result<void> StoreLease::acquire() {
  for (int i = 0; i < tries_to_take; ++i) {
    const auto taken = put({.only_if_absent = true});
    if (taken || taken.error().code != "exists") return taken;
    SmallSink there;
    const auto seen = store_->get(key_, there);
    if (!seen && (seen.error().kind == Kind::not_found || seen.error().code == "changed")) continue;
    if (!seen) return std::unexpected(seen.error());
    std::string holder;
    if (!TRY(may_take_over(*seen, there.text, holder))) return taken_by(holder);
    const auto over = put({.if_etag = seen->etag});
    if (over) forget_version(key_, seen->version_id);  // or it would come to light again when ours goes
    if (over || over.error().code != "changed") return over;
  }
  return fail(Kind::busy, fmt::format("other runs are taking the lock of {}", store_->shown()),
              "Let them finish (`steward runs` shows them).");
}

std::unexpected<Error> StoreLease::taken_by(const std::string& holder) const {
  return fail(Kind::busy, fmt::format("another run is working on {}: {}", store_->shown(), holder),
              "Let it finish (`steward runs` shows it), or `steward runs cancel` it. If it is gone, its lock ends "
              "by itself.");
}

/// After its own is put. The whole looks at all parts, a part at the whole.
Result<void> StoreLease::keep_out_others() {
  if (key_ != whole_) return clear(whole_);
  std::vector<std::string> parts;
  TRY(store_->list(whole_ + std::string(part_mark), [&](const object::ObjectInfo& part) -> Result<bool> {
    parts.push_back(part.key);
    return true;
  }));
  for (const std::string& part : parts) TRY(clear(part));
  return {};
}

/// Nobody has that lease from now on: busy where somebody has. One that is over is taken over before it is removed: no
/// server is trusted to compare in a DELETE, and whoever slept through its end could renew it in between.
Result<void> StoreLease::clear(const std::string& key) {
  for (int i = 0; i < tries_to_take; ++i) {
    SmallSink there;
    const auto seen = store_->get(key, there);
    if (!seen && seen.error().kind == Kind::not_found) return {};
    if (!seen) return std::unexpected(seen.error());
    std::string holder;
    if (!TRY(may_take_over(*seen, there.text, holder))) return taken_by(holder);
    const std::string text = content();
    StringSource source(text);
    const auto over = store_->put(key, source, {.if_etag = seen->etag, .size = Bytes{text.size()}});
    if (!over && over.error().code != "changed" && over.error().kind != Kind::not_found)
      return std::unexpected(over.error());
    if (!over) continue;
    // The older version first, or it would come to light again.
    forget_version(key, seen->version_id);
    const bool has_versions = !over->version_id.empty();
    return store_->remove({.key = key, .etag = has_versions ? "" : over->etag, .version_id = over->version_id});
  }
  return fail(Kind::busy, fmt::format("other runs are taking the lock of {}", store_->shown()),
              "Let them finish (`steward runs` shows them).");
}

Result<bool> StoreLease::may_take_over(const object::ObjectInfo& there, const std::string& text, std::string& holder) {
  const Holder found = holder_in(text, terms_.length);
  if (is_gone_here(found.process, found.pid_namespace)) return true;
  const Instant now = TRY(store_->server_time());
  const Instant end = there.modified + found.length;
  holder = fmt::format("{}; its lock ends at {} unless it is renewed", shown(found),
                       format_instant(std::chrono::floor<std::chrono::seconds>(end)));
  return now > end + terms_.margin;
}

Result<void> StoreLease::renew() {
  const std::lock_guard one_at_a_time(renewing_);
  object::PutOptions condition;
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return std::unexpected(*lost_);
    condition.if_etag = etag_;
  }
  ++renewed_;
  auto done = put(condition);
  if (done || done.error().code != "changed") return done;
  // A renewal that nobody answered may have come through all the same.
  if (const std::string own = TRY(etag_of_own()); !own.empty()) return put({.if_etag = own});
  const std::lock_guard lock(mutex_);
  lost_ = Error{Kind::interrupted, fmt::format("the lock of {} is lost: another run has taken it", store_->shown()),
                "Nothing is lost. Run it again when the other one has ended (`steward runs`)."};
  return std::unexpected(*lost_);
}

/// The ETag of what is there, if this run put it; else nothing.
Result<std::string> StoreLease::etag_of_own() {
  SmallSink there;
  const auto seen = store_->get(key_, there);
  if (!seen && seen.error().kind != Kind::not_found) return std::unexpected(seen.error());
  const json document = json::parse(there.text, nullptr, false);
  const bool own = seen && document.is_object() && text_in(document, "token") == token_;
  return own ? seen->etag : std::string{};
}

Result<void> StoreLease::alive() {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return std::unexpected(*lost_);
    if (since_boot() < valid_until_) return {};
  }
  // Perhaps this process, or the whole machine, was stopped: it holds still if what it put last is still there.
  const auto renewed = renew();
  if (renewed || renewed.error().kind == Kind::interrupted) return renewed;
  return fail(Kind::interrupted,
              fmt::format("the lock of {} may be lost, it could not be renewed for {} s: {}", store_->shown(),
                          terms_.length.count(), renewed.error().message),
              "Nothing is lost. Run it again when the store is back.");
}

void StoreLease::keep(const std::stop_token& stop) {
  // After a failure the next attempt comes soon; there is time for several.
  const std::chrono::milliseconds usual = terms_.renew_every;
  const std::chrono::milliseconds soon = usual / 6;
  auto wait = usual;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, wait, [&] { return stop.stop_requested(); });
      if (stop.stop_requested() || lost_) return;
    }
    wait = renew() ? usual : soon;
  }
}

}  // namespace steward
