// Removing: one, or many at once.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "core/text.h"
#include "io/object/s3.h"
#include "io/object/s3_xml.h"

namespace steward::object {
namespace {

constexpr std::size_t largest_batch = 1'000;
constexpr std::size_t smallest_batch = 100;

/// Calls `act(i)` for each i below `count`, on up to `threads` threads, this one among them.
void in_parallel(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& act) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) act(i);
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min<std::size_t>(threads, count); ++i) helpers.emplace_back(work);
  work();
}

std::optional<Error> error_of(Result<void> result) {
  if (result) return std::nullopt;
  return std::move(result).error();
}

std::unexpected<Error> has_changed(const std::string& act) {
  return fail(Kind::refused, fmt::format("cannot {}: it has changed since it was looked at", act), "", "changed");
}

bool is_fresh(const Removal& removal, std::chrono::steady_clock::time_point now) {
  return removal.listed && now - *removal.listed < std::chrono::minutes(1);
}

/// The indices in `all`, in runs of up to `size`.
std::vector<std::vector<std::size_t>> in_runs(const std::vector<std::size_t>& all, std::size_t size) {
  std::vector<std::vector<std::size_t>> runs;
  for (std::size_t i = 0; i < all.size(); i += size)
    runs.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(i),
                      all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), i + size)));
  return runs;
}

/// A whole batch that a server cannot take may still go key by key.
bool is_no_batch_server(const S3Answer& answer) {
  const std::string& code = answer.problem.code;
  return answer.http.status == 501 || answer.http.status == 405 || code == "MalformedXML" || code == "NotImplemented" ||
         code == "InvalidRequest" || (answer.http.status == 400 && code.empty());
}

}  // namespace

/// Looks at the object where a condition is one that the server cannot check. not_found: it is gone. What was seen
/// becomes the removal's etag, so that a server with conditions closes the gap between look and act.
Result<void> S3Store::check_before_removal(Removal& removal) {
  const ObjectInfo now = TRY(head(removal.key));
  const bool other = !removal.etag.empty() && now.etag != removal.etag;
  const bool later = removal.not_modified_since && now.modified > *removal.not_modified_since;
  if (other || later) return has_changed(act("remove", removal.key));
  removal.etag = now.etag;
  return {};
}

/// refused (code "changed") where the version has become the current one: whoever removes a delete marker brings back
/// what it hid.
Result<void> S3Store::check_noncurrent(const Removal& removal) {
  const auto now = head(removal.key);
  if (!now && now.error().kind == Kind::not_found) return {};  // a marker is what is current
  if (!now) return std::unexpected(now.error());
  // What was written without versions has the id "null", and a server may leave that out.
  const std::string current = now->version_id.empty() ? "null" : now->version_id;
  return current == removal.version_id ? has_changed(act("remove", removal.key)) : Result<void>{};
}

/// `conditional`: the etag, if there is one, goes along.
Result<void> S3Store::remove_checked(const Removal& removal, bool conditional) {
  S3Call call{
      .act = act("remove", removal.key), .method = "DELETE", .key = whole_key(removal.key), .pace = removals_.get()};
  if (!removal.version_id.empty()) call.query = {{"versionId", removal.version_id}};
  if (conditional && !removal.etag.empty()) call.headers = {{"If-Match", removal.etag}};
  const S3Answer answer = TRY(client_.send(call));
  if (answer.ok() || answer.no_such_key()) return {};
  if (answer.changed()) return has_changed(call.act);
  return std::unexpected(client_.refusal(answer, call));
}

Result<void> S3Store::remove_one(const Removal& asked, const Abilities& abilities) {
  if (why_no_key(asked.key)) return {};  // nothing can be there
  Removal removal = asked;
  if (removal.noncurrent) TRY(check_noncurrent(removal));
  const bool conditional = abilities.features.conditional_remove;
  if (removal.not_modified_since || (!removal.etag.empty() && !conditional)) {
    const auto checked = check_before_removal(removal);
    if (!checked && checked.error().kind == Kind::not_found) return remove_checked({.key = removal.key}, false);
    if (!checked) return checked;
  }
  return remove_checked(removal, conditional);
}

Result<void> S3Store::remove(const Removal& removal) {
  const bool has_condition = !removal.etag.empty() || removal.not_modified_since;
  return remove_one(removal, has_condition ? TRY(abilities()) : Abilities{});
}

Result<std::vector<Removed>> S3Store::remove_many(std::span<const Removal> removals) {
  const bool has_condition =
      std::ranges::any_of(removals, [](const Removal& r) { return !r.etag.empty() || r.not_modified_since; });
  const Abilities abilities = has_condition ? TRY(this->abilities()) : Abilities{};
  const auto begun = std::chrono::steady_clock::now();
  std::vector<Removed> done(removals.size());
  in_parallel(removals.size(), client_.tuning().threads, [&](std::size_t i) {
    if (removals[i].noncurrent) done[i].error = error_of(check_noncurrent(removals[i]));
  });
  std::vector<std::size_t> batched;
  std::vector<std::size_t> single;
  for (std::size_t i = 0; i < removals.size(); ++i) {
    done[i].key = removals[i].key;
    const bool checked_by_batch = removals[i].etag.empty() || abilities.conditional_batch ||
                                  (is_fresh(removals[i], begun) && !abilities.features.conditional_remove);
    const bool plain = !removals[i].not_modified_since && checked_by_batch;
    if (done[i].error) continue;
    (plain && fits_xml(removals[i].key) && !why_no_key(removals[i].key) ? batched : single).push_back(i);
  }
  std::atomic<std::size_t> failed = 0;
  std::vector<std::optional<Error>> errors;
  // Servers work through a batch key by key: what fits one batch is spread over several all the same.
  const std::size_t spread = batched.size() / std::max(1U, client_.tuning().threads) + 1;
  const auto runs = in_runs(batched, std::clamp(spread, smallest_batch, largest_batch));
  errors.resize(runs.size());
  in_parallel(runs.size(), client_.tuning().threads, [&](std::size_t n) {
    std::vector<Removal> run;
    for (const std::size_t i : runs[n]) run.push_back(removals[i]);
    auto answers = remove_batch(run, abilities);
    for (std::size_t j = 0; j < runs[n].size(); ++j)
      done[runs[n][j]].error = answers ? std::move((*answers)[j].error) : std::optional(answers.error());
    if (!answers) errors[n] = answers.error(), ++failed;
  });
  if (failed > 0 && failed == runs.size() && single.empty()) return std::unexpected(*errors.front());
  in_parallel(single.size(), client_.tuning().threads,
              [&](std::size_t n) { done[single[n]].error = error_of(remove_one(removals[single[n]], abilities)); });
  return done;
}

Result<std::vector<Removed>> S3Store::remove_batch(std::span<const Removal> removals, const Abilities& abilities) {
  std::vector<Removed> done;
  std::vector<std::string> keys;
  std::vector<KeyToDelete> objects;
  for (const Removal& removal : removals) {
    done.push_back({.key = removal.key});
    keys.push_back(client_.address().root + removal.key);
  }
  for (std::size_t i = 0; i < keys.size(); ++i)
    objects.push_back({.key = keys[i],
                       .etag = abilities.conditional_batch ? std::string_view(removals[i].etag) : std::string_view{},
                       .version_id = removals[i].version_id});

  const auto one_by_one = [&](const std::vector<std::size_t>& indices) {
    in_parallel(indices.size(), client_.tuning().threads,
                [&](std::size_t n) { done[indices[n]].error = error_of(remove_one(removals[indices[n]], abilities)); });
  };
  const std::string body = delete_request(objects);
  const S3Call call{.act = fmt::format("remove {} objects from {}", removals.size(), shown_),
                    .method = "POST",
                    .query = {{"delete", ""}},
                    .headers = {{"Content-MD5", content_md5(body)}},
                    .body = body,
                    .pace = removals_.get()};
  const S3Answer answer = TRY(client_.send(call));
  std::vector<std::size_t> unanswered;
  if (is_no_batch_server(answer)) {
    for (std::size_t i = 0; i < keys.size(); ++i) unanswered.push_back(i);
    one_by_one(unanswered);
    return done;
  }
  if (!answer.ok()) return std::unexpected(client_.refusal(answer, call));

  std::map<std::pair<std::string_view, std::string_view>, const DeletedKey*> verdicts;
  const std::vector<DeletedKey> answered = TRY(read_deleted(answer.http.body));
  for (const DeletedKey& key : answered) {
    auto& verdict = verdicts[{key.key, key.version_id}];
    if (!verdict || key.problem) verdict = &key;
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    // Who asked for no version is content with an answer that names one: it is the one of its key that sorts first.
    auto found = verdicts.lower_bound({keys[i], removals[i].version_id});
    if (found != verdicts.end() && (found->first.first != keys[i] ||
                                    (!removals[i].version_id.empty() && found->first.second != removals[i].version_id)))
      found = verdicts.end();
    // A key that the server does not answer for is not known to be gone.
    if (found == verdicts.end() || (found->second->problem && may_help_to_retry(200, found->second->problem->code))) {
      unanswered.push_back(i);
    } else if (const auto& problem = found->second->problem; problem && !says_no_such_key(200, problem->code)) {
      S3Answer as_answer{.http = {.status = 200}, .problem = *problem};
      const std::string what = act("remove", removals[i].key);
      done[i].error =
          says_changed(200, problem->code) ? has_changed(what).error() : client_.refusal(as_answer, {.act = what});
    }
  }
  one_by_one(unanswered);
  return done;
}

}  // namespace steward::object
