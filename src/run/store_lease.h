/// The lock of an S3 bucket, which runs of every machine see: a lease, kept as one object beside what it guards.
///
///   .steward-lock-expire-objects   {"steward": "lock", "host": …, "pid": …, "token": …, "lease_seconds": 120, …}
///
/// It is put if absent, and put again every 30 s in the place of what was put last (If-Match on its own ETag), from a
/// thread of its own: no act between two checkpoints is too long for it. It is over 120 s after its LastModified, by
/// the server's Date; 15 s later another run may put its own in its place. Where the holder was a process of this very
/// boot and PID namespace, and is gone, the next run takes it at once.
///
/// Promises  - Of two runs that take it at the same moment, or take it over, one gets it: each act is a conditional
/// PUT.
///           - No clock but the server's is compared with the server's. The holder measures durations alone, with a
///             clock that goes on while the machine sleeps.
///           - Who may have lost it hears of it from `alive`, at the latest 120 s after the last renewal was sent.
///           - Of a whole and its parts, which have leases of their own, two parts may be held beside one another, and
///           the
///             whole beside none: each puts its own first and looks at the others then, so that of two at least one
///             sees the other. What is over by then is taken over and removed, so that it cannot be renewed.
///           - It is removed at the end only if it is still what this run put last. Where the bucket keeps versions,
///           none
///             of it is left either, if the right to remove versions is there.
/// Does not  - stop what is under way when it is lost: that is what the condition on each removal is for.
/// Errors    busy: another run has it. refused (code "no-lease"): this bucket cannot have one, and the message says
/// why:
///           the server does not check conditions of a PUT, or the right to put is missing. Others as io/object.
/// Threads   Any.
#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "core/result.h"
#include "io/object/store.h"
#include "run/job.h"

namespace steward {

/// What every lease's key begins with. The lock of a purge lies in the bucket that it purges: it is no item of it.
inline constexpr std::string_view lease_prefix = ".steward-lock-";

/// How long a lease lasts. A killed run of another machine keeps the next one out for `length` and `margin`.
struct LeaseTerms {
  std::chrono::seconds length{120};
  /// Three renewals may fail before it is lost.
  std::chrono::seconds renew_every{30};
  /// Beyond `length` before another takes it: LastModified and Date are whole seconds, and gateways' clocks differ.
  std::chrono::seconds margin{15};
};

class StoreLease final : public Lock {
 public:
  /// Takes the lease `name` in a store. `target.agent` is what others are shown of this run.
  static Result<std::unique_ptr<StoreLease>> take(const object::StoreTarget& target, const std::string& name,
                                                  const LeaseTerms& terms = {});
  /// The lease of one part of what `name` stands for as a whole.
  static Result<std::unique_ptr<StoreLease>> take_part(const object::StoreTarget& target, const std::string& name,
                                                       const std::string& part, const LeaseTerms& terms = {});
  ~StoreLease() override;
  StoreLease(const StoreLease&) = delete;
  StoreLease& operator=(const StoreLease&) = delete;

  Result<void> alive() override;
  /// What the thread does every `renew_every`: puts it again. An error is `alive`'s only once the lease may be lost.
  Result<void> renew();

 private:
  StoreLease(std::unique_ptr<object::Store> store, const std::string& name, const std::string& part, std::string agent,
             const LeaseTerms& terms);
  static Result<std::unique_ptr<StoreLease>> take(const object::StoreTarget& target, const std::string& name,
                                                  const std::string& part, const LeaseTerms& terms);
  Result<void> acquire();
  Result<void> keep_out_others();
  Result<void> clear(const std::string& key);
  std::unexpected<Error> taken_by(const std::string& holder) const;
  Result<bool> may_take_over(const object::ObjectInfo& there, const std::string& text, std::string& holder);
  Result<void> put(const object::PutOptions& condition);
  Result<std::string> etag_of_own();
  void forget_version(const std::string& key, const std::string& version);
  std::string content() const;
  void keep(const std::stop_token& stop);

  std::unique_ptr<object::Store> store_;
  std::string whole_;  ///< The key of the whole's lease: its own, or that of which it is a part.
  std::string key_, agent_, token_;
  LeaseTerms terms_;
  std::mutex renewing_{};  ///< One renewal at a time; taken before `mutex_`.
  std::uint64_t renewed_ = 0;
  std::mutex mutex_{};
  std::condition_variable_any wake_{};
  std::string etag_{};                      ///< Of what this run put last.
  std::string version_{};                   ///< Likewise, where the bucket has versions.
  std::chrono::nanoseconds valid_until_{};  ///< On the clock of `since_boot`.
  std::optional<Error> lost_{};
  std::jthread keeper_{};
};

}  // namespace steward
