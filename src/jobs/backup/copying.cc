#include "jobs/backup/copying.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "core/conduit.h"
#include "jobs/backup/framed.h"

namespace steward::backup {

namespace {

auto find(std::span<const Backup> there, const Backup& one) {
  return std::ranges::find_if(there, [&](const Backup& copy) { return copy.manifest.id() == one.manifest.id(); });
}

}  // namespace

std::vector<std::size_t> to_repair(std::span<const Backup> here, std::span<const Backup> there) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < here.size(); ++i)
    if (const auto copy = find(there, here[i]); copy != there.end() && copy->is_bad() && !here[i].is_bad())
      out.push_back(i);
  return out;
}

std::vector<std::size_t> to_copy(std::span<const Backup> here, std::span<const Backup> there, const Keep& keep,
                                 Instant now) {
  std::vector<std::size_t> out;
  // A copy whose manifest cannot be read has no time of its own.
  std::optional<Instant> newest;
  for (const Backup& one : there)
    if (!one.manifest.objects.empty()) newest = std::max(newest.value_or(one.manifest.begun), one.manifest.begun);
  for (std::size_t i = 0; i < here.size(); ++i)
    if (!here[i].is_bad() && (!newest || here[i].manifest.begun > *newest) && find(there, here[i]) == there.end())
      out.push_back(i);
  if (keep.empty()) return out;
  std::vector<Backup> all(there.begin(), there.end());
  for (const std::size_t i : out) all.push_back({.manifest = here[i].manifest});
  const std::vector<Verdict> verdicts = decide(all, keep, now);
  std::set<std::string> stay;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (verdicts[i].stays) stay.insert(all[i].manifest.id());
  std::erase_if(out, [&](std::size_t i) { return !stay.contains(here[i].manifest.id()); });
  return out;
}

Result<bool> copy_object(const ObjectCopy& how, const StoredObject& object) {
  const std::string key = how.folder + '/' + object.key;
  Conduit conduit(std::size_t{32} << 20, [&] { return how.check(Bytes{}); });
  std::jthread reader([&] {
    HashingSink hashing(&conduit.in());
    const auto got = how.from.get(key, hashing);
    conduit.end(got ? hashing.compare(key, object) : Result<void>(std::unexpected(got.error())));
  });
  struct Checked final : Source {
    Result<std::size_t> read(std::span<std::byte> buffer) override {
      const std::size_t n = TRY(next->read(buffer));
      TRY(check(Bytes{n}));
      return n;
    }
    Source* next = nullptr;
    std::function<Result<void>(Bytes)> check{};
  } source;
  source.next = &conduit.out();
  source.check = how.check;
  const auto put = how.to.put(key, source,
                              // Of a known size: in equal parts, and whole where it is small.
                              {.only_if_absent = !how.replace, .size = object.size, .locked_until = how.locked_until});
  if (!put) conduit.abandon(put.error());
  reader.join();
  const bool was_there = !put && put.error().code == "exists";
  if (!put && !was_there) return std::unexpected(put.error());
  TRY(read_back(how.to, how.folder, object, [&](Bytes) { return how.check(Bytes{}); }));
  return !was_there;
}

Result<bool> repair_object(const ObjectCopy& how, const StoredObject& object) {
  const auto whole = read_back(how.to, how.folder, object, [&](Bytes) { return how.check(Bytes{}); });
  if (whole) return false;
  if (whole.error().kind != Kind::corrupt && whole.error().kind != Kind::not_found)
    return std::unexpected(whole.error());
  ObjectCopy anew = how;
  anew.replace = true;
  return copy_object(anew, object);
}

}  // namespace steward::backup
