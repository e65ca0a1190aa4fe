#include "io/object/key_ranges.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace steward::object {
namespace {

constexpr Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};
constexpr std::size_t keys_in_page = 10;

using Order = std::function<bool(const std::string&, const std::string&)>;

bool by_bytes(const std::string& a, const std::string& b) { return a < b; }

/// As a walk through folders gives them: name after name, "a/b" before "a.b".
bool by_folders(std::string a, std::string b) {
  std::ranges::replace(a, '/', '\0');
  std::ranges::replace(b, '/', '\0');
  return a < b;
}

/// A bucket that lists in the order given.
struct Bucket {
  std::vector<std::string> keys;
  Order before;
  bool ignores_after = false;
  bool waits_for_a_cut = false;
  std::atomic<std::size_t> under_way = 0, most_under_way = 0, pages = 0, ranges = 0, looks = 0;
  std::mutex mutex{};
  std::set<std::string> removed{};

  explicit Bucket(std::vector<std::string> all, Order order = by_bytes)
      : keys(std::move(all)), before(std::move(order)) {
    std::ranges::sort(keys, before);
  }

  Result<ObjectPage> page(const PageQuestion& question) {
    const std::size_t now = ++under_way;
    for (std::size_t most = most_under_way; now > most && !most_under_way.compare_exchange_weak(most, now);) {
    }
    ++pages;
    if (!question.after.empty() && !question.one_key) ++ranges;
    if (question.one_key) ++looks;
    // A listing that is over at once is never cut: whoever goes on waits for somebody who has tried to.
    if (waits_for_a_cut && !question.next.empty() && pages > 2)
      while (ranges == 0 && looks < 200) std::this_thread::yield();
    const std::string& after = question.next.empty() ? question.after : question.next;
    auto it = keys.begin();
    if (!after.empty() && !(question.next.empty() && ignores_after)) it = std::ranges::upper_bound(keys, after, before);
    ObjectPage page{.encoded = true};
    {
      const std::lock_guard lock(mutex);
      for (; it != keys.end() && page.objects.size() < (question.one_key ? 1 : keys_in_page); ++it)
        if (!removed.contains(*it)) page.objects.push_back({.key = *it, .modified = noon - std::chrono::hours(999)});
    }
    if (it != keys.end() && !page.objects.empty()) page.next = page.objects.back().key;
    --under_way;
    return page;
  }
  PagedListing listing() {
    return {.page = [this](const PageQuestion& question) { return page(question); },
            .is_gone = [this](const std::string& key) -> Result<bool> {
              const std::lock_guard lock(mutex);
              return removed.contains(key);
            },
            .begun = noon};
  }
};

struct Listed {
  Result<Ranged> answer = Ranged::whole;
  std::vector<std::string> keys{};
};
Listed listed(Bucket& bucket, unsigned threads = 6) {
  Listed out;
  out.answer = list_by_ranges(bucket.listing(), threads, [&](const ObjectInfo& object) -> Result<bool> {
    out.keys.push_back(object.key);
    return true;
  });
  EXPECT_TRUE(out.answer) << out.answer.error().message;
  return out;
}

std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::ranges::sort(keys);
  return keys;
}

struct Shape {
  const char* name;
  std::function<std::string(std::mt19937&, int)> key;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

std::string random_from(std::mt19937& random, const std::vector<std::string>& parts, int most) {
  std::string out;
  for (int i = std::uniform_int_distribution(1, most)(random); i > 0; --i)
    out += parts[std::uniform_int_distribution<std::size_t>(0, parts.size() - 1)(random)];
  return out;
}

const Shape shapes[] = {
    {"numbers", [](std::mt19937&, int i) { return fmt::format("exports/{}.csv", i); }},
    {"days", [](std::mt19937&, int i) { return fmt::format("logs/2026/{:02}/{:02}/web-{:06}.gz", i % 12, i % 28, i); }},
    {"digests", [](std::mt19937& random, int) { return fmt::format("{:08x}{:08x}", random(), random()); }},
    {"umlauts_and_marks",
     [](std::mt19937& random, int) {
       return random_from(
           random, {"\xc3\xa9", "\xc3\xa8", "\xf0\x9f\x98\x80", "/", "//", " ", "~", ".", "a", "z", "\x01", "\x7f"}, 9);
     }},
    {"control_characters",
     [](std::mt19937& random, int) { return random_from(random, {"\x01", "\x02", "\t", "\n", "\x1f"}, 12); }},
    {"one_within_the_other",
     [](std::mt19937&, int i) { return std::string(static_cast<std::size_t>(i % 900) + 1, 'a'); }},
};

struct Ranges : testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Object, Ranges, testing::ValuesIn(shapes), [](const auto& s) { return s.param.name; });

TEST_P(Ranges, GiveEachKeyOnceHoweverKeysAreSpread) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  std::set<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.insert(GetParam().key(random, i));
  Bucket bucket({keys.begin(), keys.end()});
  bucket.waits_for_a_cut = true;
  const Listed all = listed(bucket);
  EXPECT_EQ(*all.answer, Ranged::whole);
  EXPECT_EQ(sorted(all.keys), bucket.keys);
  EXPECT_GT(bucket.ranges, 0U) << "then this shows nothing";
}

TEST_P(Ranges, WithEndsOfTheirOwnThatMeetGiveTogetherEachKeyOnce) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  std::set<std::string> keys;
  for (int i = 0; i < 2'000; ++i) keys.insert(GetParam().key(random, i));
  Bucket bucket({keys.begin(), keys.end()});
  std::set<std::string> cuts;
  for (int i = 0; i < 4; ++i) cuts.insert(bucket.keys[random() % bucket.keys.size()]);
  cuts.insert(GetParam().key(random, 7'777));  // one that need not be there
  std::vector<std::string> given;
  KeyRange range;
  const auto list = [&] {
    PagedListing listing = bucket.listing();
    listing.keys = range;
    const auto answer = list_by_ranges(listing, 4, [&](const ObjectInfo& object) -> Result<bool> {
      EXPECT_TRUE(range.has(object.key)) << object.key;
      given.push_back(object.key);
      return true;
    });
    EXPECT_EQ(*answer, Ranged::whole);
  };
  for (const std::string& cut : cuts) {
    range.last = cut;
    list();
    range = {.after = cut};
  }
  list();
  EXPECT_EQ(sorted(given), bucket.keys);
}

TEST(RangesWithEnds, OfAServerThatIgnoresThemOrListsInAnotherOrderAreSeen) {
  Bucket deaf({"a", "b", "c", "d"});
  deaf.ignores_after = true;
  PagedListing listing = deaf.listing();
  listing.keys = {.after = "b", .last = "c"};
  const auto nothing = [](const ObjectInfo&) -> Result<bool> { return true; };
  EXPECT_EQ(*list_by_ranges(listing, 2, nothing), Ranged::unordered);
  Bucket folders({"a/b", "a.b", "a.c", "b"}, by_folders);
  listing = folders.listing();
  listing.keys = {.last = "a.b"};
  EXPECT_EQ(*list_by_ranges(listing, 2, nothing), Ranged::unordered);
}

TEST_P(Ranges, GiveWhatStaysOnceWhileWhatIsListedIsRemoved) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  std::set<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.insert(GetParam().key(random, i));
  Bucket bucket({keys.begin(), keys.end()});
  bucket.waits_for_a_cut = true;
  std::vector<std::string> given;
  const auto answer = list_by_ranges(bucket.listing(), 6, [&](const ObjectInfo& object) -> Result<bool> {
    given.push_back(object.key);
    const std::lock_guard lock(bucket.mutex);
    bucket.removed.insert(object.key);
    return true;
  });
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, Ranged::whole) << "a removal is no disorder";
  EXPECT_EQ(sorted(given), bucket.keys);
}

/// A page is asked for that crosses the end of its range; meanwhile what it crosses into is removed, and only then the
/// range is cut, so that the key behind its new end is another.
Ranged across_a_key_that_a_later_cut_does_not_see(bool is_gone) {
  std::mutex mutex;
  std::condition_variable changed;
  unsigned cuts = 0;
  PagedListing listing{.keys = {.last = "l"}, .begun = noon};
  const auto page_of = [](const std::vector<std::string>& keys, std::string next) {
    ObjectPage page{.encoded = true};
    for (const std::string& key : keys)
      page.objects.push_back({.key = key, .modified = noon - std::chrono::hours(999)});
    page.next = std::move(next);
    return page;
  };
  listing.page = [&](const PageQuestion& question) -> Result<ObjectPage> {
    if (question.after == "l") return page_of({"m"}, "m");
    if (question.one_key) {
      const std::lock_guard lock(mutex);
      ++cuts;
      changed.notify_all();
      return page_of({"n"}, "n");
    }
    if (question.next.empty()) return page_of({"a", "b"}, "b");
    // The second cut is asked for when the first is done.
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return cuts >= 2; });
    return page_of({"m", "n"}, "");
  };
  listing.is_gone = [&](const std::string& key) -> Result<bool> { return is_gone && key == "m"; };
  const auto answer = list_by_ranges(listing, 2, [](const ObjectInfo&) -> Result<bool> { return true; });
  EXPECT_TRUE(answer);
  return answer.value_or(Ranged::stopped);
}

TEST(RangesWithEnds, AreInOrderWhereTheKeyBehindOneWasRemovedBeforeItWasCut) {
  EXPECT_EQ(across_a_key_that_a_later_cut_does_not_see(true), Ranged::whole);
  EXPECT_EQ(across_a_key_that_a_later_cut_does_not_see(false), Ranged::unordered) << "then the order is another";
}

TEST(Ranges, AreListedSideBySide) {
  std::vector<std::string> keys;
  for (int i = 0; i < 20'000; ++i) keys.push_back(fmt::format("logs/2026/{:06}", i));
  Bucket bucket(keys);
  // The first range's third page waits until another request is under way with it: nobody else would ever free it.
  std::atomic<int> asked = 0, others = 0;
  PagedListing listing = bucket.listing();
  listing.page = [&](const PageQuestion& question) -> Result<ObjectPage> {
    if (!question.next.empty() && ++asked == 3)
      while (others == 0) std::this_thread::yield();
    else if (question.next.empty() && !question.after.empty() && !question.one_key)
      ++others;
    return bucket.page(question);
  };
  std::size_t count = 0;
  const auto answer = list_by_ranges(listing, 4, [&](const ObjectInfo&) -> Result<bool> { return ++count > 0; });
  EXPECT_EQ(*answer, Ranged::whole);
  EXPECT_EQ(count, keys.size());
  EXPECT_LE(bucket.most_under_way, 4U);
}

TEST(Ranges, NoneAreMadeWhereTheServerIgnoresWhereToStart) {
  std::vector<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.push_back(fmt::format("{:04}", i));
  Bucket bucket(keys);
  bucket.ignores_after = true;
  const Listed all = listed(bucket);
  EXPECT_EQ(*all.answer, Ranged::whole);
  EXPECT_EQ(sorted(all.keys), keys);
}

TEST(Ranges, OfAServerInAnotherOrderAreWholeOrSaidToBeUnordered) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  int unordered = 0;
  for (int round = 0; round < 30; ++round) {
    std::set<std::string> keys;
    for (int i = 0; i < 1'000; ++i) keys.insert(fmt::format("d{}/{:03}", random() % 90 + 10, random() % 1'000));
    for (int i = 0; i < 20; ++i)
      keys.insert(fmt::format("d{}{}{}", random() % 40 + 60, random_from(random, {".", "-", "!"}, 1), random() % 100));
    Bucket bucket({keys.begin(), keys.end()}, by_folders);
    bucket.waits_for_a_cut = true;
    const Listed all = listed(bucket);
    if (*all.answer == Ranged::unordered)
      ++unordered;
    else
      EXPECT_EQ(sorted(all.keys), std::vector<std::string>(keys.begin(), keys.end())) << "round " << round;
  }
  EXPECT_GT(unordered, 0) << "then this shows nothing";
}

TEST(Ranges, AKeyThatComesFarTooEarlyDoesNotHideThoseBehindIt) {
  std::vector<std::string> keys{"zz"};
  for (int i = 0; i < 3'000; ++i) keys.push_back(fmt::format("{:04}", i));
  // The last of its page: nothing in that page tells that there is more before the range's end.
  const auto place = [](const std::string& key) { return key == "zz" ? std::string("0048x") : key; };
  Bucket bucket(keys, [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  ASSERT_EQ(bucket.keys[49], "zz");
  bucket.waits_for_a_cut = true;
  EXPECT_EQ(*listed(bucket).answer, Ranged::unordered);
}

TEST(Ranges, StopWhenNoMoreIsWantedAndGiveErrorsOn) {
  std::vector<std::string> keys;
  for (int i = 0; i < 3'000; ++i) keys.push_back(fmt::format("{:04}", i));
  Bucket bucket(keys);
  int given = 0;
  EXPECT_EQ(*list_by_ranges(bucket.listing(), 6, [&](const ObjectInfo&) -> Result<bool> { return ++given < 55; }),
            Ranged::stopped);
  EXPECT_EQ(given, 55);
  PagedListing failing = bucket.listing();
  failing.page = [&](const PageQuestion& question) -> Result<ObjectPage> {
    if (bucket.pages > 100) return fail(Kind::unavailable, "no answer");
    return bucket.page(question);
  };
  const auto answer = list_by_ranges(failing, 6, [](const ObjectInfo&) -> Result<bool> { return true; });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer");
}

// --- memory ----------------------------------------------------------------------------------------------------------

/// The most that this process has had in memory since the last call.
std::size_t peak_since_last_call() {
  std::size_t kib = 0;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) kib = std::stoul(line.substr(6));
  std::ofstream("/proc/self/clear_refs") << "5";
  return kib << 10;
}

/// So many keys, made as they are asked for: pages of 1,000, as a server gives them.
PagedListing of_many(std::size_t keys) {
  return {
      .page = [keys](const PageQuestion& question) -> Result<ObjectPage> {
        const std::string& after = question.next.empty() ? question.after : question.next;
        std::size_t n = 0;
        const auto key_of = [](std::size_t i) { return fmt::format("exports/2026/{:08}.csv", i); };
        for (std::size_t step = std::size_t{1} << 24; step > 0; step /= 2)  // how many are not behind `after`
          if (n + step <= keys && key_of(n + step - 1) <= after) n += step;
        ObjectPage page{.encoded = true};
        for (const std::size_t most = question.one_key ? 1 : 1'000; n < keys && page.objects.size() < most; ++n)
          page.objects.push_back({.key = key_of(n), .modified = noon, .etag = "\"0123456789abcdef0123456789abcdef\""});
        if (n < keys && !page.objects.empty()) page.next = page.objects.back().key;
        return page;
      },
      .is_gone = [](const std::string&) -> Result<bool> { return false; },
      .begun = noon};
}

TEST(Ranges, MemoryIsTheSameForTenMillionKeys) {
  std::map<std::size_t, std::size_t> peak;
  for (const std::size_t keys : {20'000, 200'000, 200'000, 10'000'000}) {
    peak_since_last_call();
    std::size_t given = 0;
    ASSERT_EQ(*list_by_ranges(of_many(keys), 6, [&](const ObjectInfo&) -> Result<bool> { return ++given > 0; }),
              Ranged::whole);
    EXPECT_EQ(given, keys);
    peak[keys] = peak_since_last_call();
  }
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr std::size_t slack = 64 << 20;  // what a sanitizer remembers of memory that was given back
#else
  constexpr std::size_t slack = 8 << 20;  // an allocator's arenas, for six threads
#endif
  EXPECT_LT(peak[10'000'000], peak[200'000] + slack) << "10 M keys of 100 bytes would be 1 GB";
  EXPECT_LT(peak[200'000], peak[20'000] + slack + (8 << 20));
}

// --- where to cut
// ------------------------------------------------------------------------------------------------------

TEST(TextBetween, LiesBetweenAndIsPrintable) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  int found = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string low = random_from(random, {"\x01", " ", "!", "/", "0", "1", "a", "b", "~", "\x7f", "\xc3\xa9"}, 6);
    std::string high = random_from(random, {"\x01", " ", "!", "/", "0", "1", "a", "b", "~", "\x7f", "\xc3\xa9"}, 6);
    if (high < low) std::swap(low, high);
    if (low == high) continue;
    const auto between = text_between(low, high, 0);
    if (!between) continue;
    ++found;
    EXPECT_LT(low, *between);
    EXPECT_LT(*between, high);
    EXPECT_TRUE(between->back() >= ' ' && between->back() <= '~') << *between;
  }
  EXPECT_GT(found, 10'000);
}

TEST(TextBetween, IsInTheMiddle) {
  EXPECT_EQ(text_between("a", "q", 0), "i");
  EXPECT_EQ(text_between("logs/2024", "logs/2026", 0), "logs/2025");
  EXPECT_EQ(text_between("logs/2024", "logs/2025", 0), "logs/2024O");
  EXPECT_EQ(text_between("logs/x", std::nullopt, 5), "logs/{");
  EXPECT_EQ(text_between("logs/~a", std::nullopt, 5), "logs/~p");
  EXPECT_EQ(text_between("a", "a", 0), std::nullopt);
  EXPECT_EQ(text_between("a", "a ", 0), std::nullopt);
}

}  // namespace
}  // namespace steward::object
