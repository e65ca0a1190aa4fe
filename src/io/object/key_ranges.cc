#include "io/object/key_ranges.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "core/text.h"
#include "io/files/thread_pool.h"

namespace steward::object {
namespace {

constexpr std::chrono::minutes just_written{5};  // as much as clocks may differ

std::size_t shared_length(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// The keys in (…, last] that have not been listed yet are those behind `at`.
struct Range {
  std::string at{};                     ///< The last key that was listed, or the place to start after.
  std::string first{};                  ///< The first that was listed.
  std::string next{};                   ///< Where its listing goes on; empty before its first page.
  std::optional<std::string> last{};    ///< Inclusive. None: to the end.
  std::optional<std::string> beyond{};  ///< The first key behind `last`, as it was when `last` became the end.
  std::size_t pages = 0;                ///< Since it was last cut.
  bool being_cut = false;
  bool uncuttable = false;
  bool over = false;
};

class RangeListing {
 public:
  RangeListing(const PagedListing& listing, unsigned threads) : listing_(listing), threads_(threads) {}
  RangeListing(const RangeListing&) = delete;
  RangeListing& operator=(const RangeListing&) = delete;
  ~RangeListing() { end(); }

  Result<Ranged> go_over(const std::function<Result<bool>(const ObjectInfo&)>& take) {
    TRY(begin());
    free_.push_back(&ranges_.back());
    unfinished_ = 1;
    for (unsigned i = 0; i < threads_; ++i) {
      auto thread = files::quiet_thread([this] { work(); });
      if (!thread) break;
      workers_.push_back(std::move(*thread));
    }
    if (workers_.empty()) return fail(Kind::unavailable, "no thread can be had to list objects");
    while (auto page = next_page())
      for (const ObjectInfo& object : *page)
        if (!TRY(take(object))) return Ranged::stopped;
    const std::lock_guard lock(mutex_);
    if (error_) return std::unexpected(*error_);
    return unordered_ ? Ranged::unordered : Ranged::whole;
  }

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Page = std::vector<ObjectInfo>;

  /// The whole range. One with ends of its own relies on the order from the start: what comes behind it is asked for,
  /// as for an end that a cut has made.
  Result<void> begin() {
    Range range{.at = listing_.keys.after.value_or(std::string{}), .last = listing_.keys.last};
    cut_ever_ = !listing_.keys.is_whole();
    if (range.last) {
      ObjectPage behind = TRY(listing_.page({.after = *range.last, .one_key = true}));
      if (!behind.objects.empty()) range.beyond = std::move(behind.objects.front().key);
      if (range.beyond && *range.beyond <= *range.last) unordered_ = true;  // it ignores the place to start after
    }
    ranges_.push_back(std::move(range));
    return {};
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::optional<Page> next_page() {
    Lock lock(mutex_);
    changed_.wait(lock, [&] { return !pages_.empty() || unfinished_ == 0 || failed(); });
    if (failed() || pages_.empty()) return {};
    Page page = std::move(pages_.front());
    pages_.pop_front();
    changed_.notify_all();
    return page;
  }

  bool failed() const { return error_ || unordered_; }

  /// Lists a range that nobody lists, or cuts one off another, until there is none.
  void work() {
    Lock lock(mutex_);
    while (!ending_ && !failed() && unfinished_ > 0) {
      Result<void> done{};
      if (!free_.empty()) {
        Range& range = *free_.front();
        free_.pop_front();
        done = list(range, lock);
      } else if (Range* range = to_be_cut()) {
        done = cut(*range, lock);
      } else {
        changed_.wait(lock);
      }
      if (!done && !error_) error_ = std::move(done).error();
    }
    changed_.notify_all();
  }

  /// Page after page, to its end.
  Result<void> list(Range& range, Lock& lock) {
    bool more = true;
    while (more && !ending_ && !failed()) {
      const PageQuestion question{.next = range.next, .after = range.next.empty() ? range.at : std::string{}};
      lock.unlock();
      auto page = listing_.page(question);
      lock.lock();
      if (!page) return std::unexpected(std::move(page).error());
      more = TRY(take_in(range, *page, lock));
    }
    --unfinished_;
    range.over = true;
    forget_if_over(range);
    changed_.notify_all();
    return {};
  }

  /// Whoever is the last to need it.
  void forget_if_over(const Range& range) {
    if (range.over && !range.being_cut) std::erase_if(ranges_, [&](const Range& one) { return &one == &range; });
  }

  /// Whether the range goes on.
  Result<bool> take_in(Range& range, ObjectPage& page, Lock& lock) {
    for (const ObjectInfo& object : page.objects) {
      if (object.key <= range.at) {
        unordered_ = cut_ever_;
        orderly_ = false;  // if nobody has relied on it, it is well
      }
      range.at = object.key;
      if (range.first.empty()) range.first = object.key;
    }
    range.next = page.next;
    ++range.pages;
    std::optional<ObjectInfo> crossed;
    if (range.last) {
      const auto end = std::ranges::find_if(page.objects, [&](const ObjectInfo& one) { return one.key > *range.last; });
      if (end != page.objects.end()) crossed = std::move(*end);
      page.objects.erase(end, page.objects.end());
    }
    const bool more = !crossed && !range.next.empty();
    if (!more) range.next.clear();
    if (!more && range.last && !TRY(ends_well(range, crossed, lock))) unordered_ = true;
    if (unordered_) return false;
    changed_.notify_all();
    changed_.wait(lock, [&] { return pages_.size() < 2 * std::size_t{threads_} || ending_ || failed(); });
    if (!page.objects.empty()) pages_.push_back(std::move(page.objects));
    changed_.notify_all();
    return more;
  }

  /// What comes first behind the end of a range is what came first when that became its end: else the server counts
  /// something as behind it that is not, or the other way round.
  Result<bool> ends_well(const Range& range, const std::optional<ObjectInfo>& crossed, Lock& lock) {
    const std::optional<std::string> beyond = range.beyond;
    if (!crossed && !beyond) return true;
    if (crossed && beyond && crossed->key == *beyond) return true;
    if (crossed && crossed->modified >= listing_.begun - just_written) return true;  // it was not there then
    // The later of the two answers left out what had been removed since the earlier one.
    const std::string& left_out = !beyond || (crossed && crossed->key < *beyond) ? crossed->key : *beyond;
    lock.unlock();
    auto gone = listing_.is_gone(left_out);
    lock.lock();
    return gone;
  }

  /// The range of which most has been listed: what is left of it is most likely much.
  Range* to_be_cut() {
    if (!orderly_) return nullptr;
    Range* most = nullptr;
    for (Range& range : ranges_)
      if (range.pages > 0 && !range.next.empty() && !range.being_cut && !range.uncuttable &&
          (most == nullptr || range.pages > most->pages))
        most = &range;
    return most;
  }

  std::optional<std::string> place_to_cut(const Range& range) const {
    if (!range.last) {
      // Keys mostly begin alike: whether there are others is worth one question.
      std::string alike = range.first.substr(0, shared_length(range.first, range.at)) + '~';
      if (alike > range.at && is_utf8(alike)) return alike;
    }
    auto place = text_between(range.at, range.last, listing_.prefix.size());
    if (place && !is_utf8(*place)) place.reset();
    return place;
  }

  Result<void> cut(Range& range, Lock& lock) {
    const auto place = place_to_cut(range);
    if (!place) {
      range.uncuttable = true;
      return {};
    }
    range.being_cut = true;
    lock.unlock();
    auto answer = listing_.page({.after = *place, .one_key = true});
    lock.lock();
    range.being_cut = false;
    changed_.notify_all();
    if (!answer) forget_if_over(range);
    if (!answer) return std::unexpected(std::move(answer).error());
    const bool passed = range.next.empty() || range.at >= *place;
    if (!answer->objects.empty() && answer->objects.front().key <= *place) orderly_ = false;  // it ignores the place
    if (orderly_ && !passed) {
      std::optional<std::string> found;
      if (!answer->objects.empty()) found = std::move(answer->objects.front().key);
      divide(range, *place, std::move(found));
    }
    forget_if_over(range);
    return {};
  }

  void divide(Range& range, const std::string& place, std::optional<std::string> found) {
    cut_ever_ = true;
    if (found && (!range.last || *found <= *range.last)) {
      ranges_.push_back({.at = place, .last = range.last, .beyond = range.beyond});
      free_.push_back(&ranges_.back());
      ++unfinished_;
      range.pages = 0;
    }
    range.last = place;
    range.beyond = std::move(found);
  }

  const PagedListing& listing_;
  unsigned threads_;
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::list<Range> ranges_{};  ///< Those that are not over.
  std::deque<Range*> free_{};  ///< Of them, those that nobody lists.
  std::size_t unfinished_ = 0;
  std::deque<Page> pages_{};
  std::optional<Error> error_{};
  bool orderly_ = true;    ///< Nothing speaks against cutting.
  bool cut_ever_ = false;  ///< Something relies on the order.
  bool unordered_ = false;
  bool ending_ = false;
  std::vector<std::thread> workers_{};
};

}  // namespace

Result<Ranged> list_by_ranges(const PagedListing& listing, unsigned threads,
                              const std::function<Result<bool>(const ObjectInfo&)>& take) {
  return RangeListing(listing, threads).go_over(take);
}

std::optional<std::string> text_between(std::string_view low, std::optional<std::string_view> high,
                                        std::size_t prefix) {
  constexpr int least = 0x1f, most = 0x7f;  // what is between is printable
  std::size_t at = high ? shared_length(low, *high) : std::min(prefix, low.size());
  if (high && at == high->size()) return {};
  int above = high ? std::min(most, int{static_cast<unsigned char>((*high)[at])}) : most;
  for (;; ++at, above = most) {
    const int below = at < low.size() ? std::max(least, int{static_cast<unsigned char>(low[at])}) : least;
    if (above - below >= 2) return std::string(low.substr(0, at)) + static_cast<char>((below + above) / 2);
    if (at >= low.size()) return {};
  }
}

}  // namespace steward::object
