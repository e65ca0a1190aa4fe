// What a server can do, asked by trying it once.
#include <fmt/format.h>

#include <random>

#include "core/digest.h"
#include "io/object/s3.h"
#include "io/object/s3_xml.h"

namespace steward::object {
namespace {

/// An ETag that no object has.
constexpr const char* other_etag = "\"00000000000000000000000000000000\"";

std::string random_name() {
  std::random_device device;
  return fmt::format(".steward-probe-{:08x}{:08x}", device(), device());
}

/// A key that only a store of any keys can have. Wherever a server tidies it to, it stays below the probe's name.
std::string awkward_key(const std::string& probe) { return fmt::format("{0}-keys//./a/../{0}\x01/", probe); }

}  // namespace

Result<Features> S3Store::features() { return TRY(abilities()).features; }

Result<S3Store::Abilities> S3Store::abilities() {
  const std::lock_guard lock(mutex_);
  if (!abilities_) abilities_ = TRY(probe());
  return *abilities_;
}

/// Each answer that is a plain no is "false"; only a server that cannot be reached is an error, and not remembered.
Result<S3Store::Abilities> S3Store::probe() {
  Abilities found;
  const Versioning status = TRY(versioning());
  found.features.versions = status == Versioning::enabled;
  found.features.was_versioned = status != Versioning::never;
  const std::string probe = random_name();
  found.features.probed = TRY(write_probe(probe));
  if (!found.features.probed) return found;
  const auto all = [&]() -> Result<void> {
    found.features.conditional_put = TRY(probe_conditional_put(probe));
    for (const bool bare : {false, true}) {
      if (!found.features.conditional_put || found.features.conditional_replace) break;
      found.features.conditional_replace = TRY(probe_conditional_replace(probe, bare));
      found.bare_if_match = bare;
    }
    found.features.conditional_remove = TRY(probe_conditional_remove(probe));
    found.conditional_batch = found.features.conditional_remove && TRY(probe_conditional_batch(probe));
    found.features.any_key = TRY(probe_any_key(probe));
    return {};
  }();
  clean_up_probe(probe, found.features.was_versioned);
  if (!all) return std::unexpected(all.error());
  return found;
}

Result<Versioning> S3Store::versioning() {
  const S3Answer answer =
      TRY(client_.send({.act = fmt::format("ask for the versioning of {}", shown_), .query = {{"versioning", ""}}}));
  if (answer.problem.code == "NoSuchBucket")
    return std::unexpected(client_.refusal(answer, {.act = "look at " + shown_}));
  if (!answer.ok()) return Versioning::never;  // no right to ask, or a server that has no versions
  const std::string status = TRY(read_versioning(answer.http.body));
  if (status == "Enabled") return Versioning::enabled;
  return status.empty() ? Versioning::never : Versioning::suspended;
}

Result<bool> S3Store::write_probe(const std::string& key) {
  const S3Answer answer =
      TRY(client_.send({.act = act("write", key), .method = "PUT", .key = whole_key(key), .body = "probe"}));
  return answer.ok();
}

Result<bool> S3Store::is_there(const std::string& key) {
  return TRY(client_.send({.act = act("look at", key), .method = "HEAD", .key = whole_key(key)})).ok();
}

Result<bool> S3Store::probe_conditional_put(const std::string& probe) {
  const S3Answer answer = TRY(client_.send({.act = act("write", probe),
                                            .method = "PUT",
                                            .key = whole_key(probe),
                                            .headers = {{"If-None-Match", "*"}},
                                            .body = "other"}));
  return answer.changed();
}

/// The wrong ETag has to be refused, and the right one taken.
Result<bool> S3Store::probe_conditional_replace(const std::string& probe, bool bare) {
  const auto now = head(probe);
  if (!now && now.error().kind == Kind::unavailable) return std::unexpected(now.error());
  if (!now) return false;
  const auto put_over = [&](const std::string& etag) -> Result<S3Answer> {
    return client_.send({.act = act("write", probe),
                         .method = "PUT",
                         .key = whole_key(probe),
                         .headers = {{"If-Match", if_match(etag, bare)}},
                         .body = "replaced"});
  };
  if (!TRY(put_over(other_etag)).changed()) return false;
  return TRY(put_over(now->etag)).ok();
}

Result<bool> S3Store::probe_conditional_remove(const std::string& probe) {
  const S3Answer answer = TRY(client_.send({.act = act("remove", probe),
                                            .method = "DELETE",
                                            .key = whole_key(probe),
                                            .headers = {{"If-Match", other_etag}}}));
  return answer.changed() && TRY(is_there(probe));
}

Result<bool> S3Store::probe_conditional_batch(const std::string& probe) {
  // Wrong ETag: it has to stay. Right ETag: it has to go.
  const auto removed_with = [&](const std::string& etag) -> Result<bool> {
    Abilities as_if;
    as_if.features.conditional_remove = as_if.conditional_batch = true;
    const Removal removal{.key = probe, .etag = etag};
    const auto answers = remove_batch({&removal, 1}, as_if);
    if (!answers && answers.error().kind == Kind::unavailable) return std::unexpected(answers.error());
    return !TRY(is_there(probe));
  };
  if (TRY(removed_with(other_etag))) return false;
  const auto now = head(probe);
  if (!now) return false;
  return removed_with(now->etag);
}

/// Writes one awkward key and looks whether the listing has exactly that one.
Result<bool> S3Store::probe_any_key(const std::string& probe) {
  const std::string awkward = awkward_key(probe);
  if (!TRY(write_probe(awkward))) return false;
  bool found = false;
  const auto listed = list(probe + "-keys", [&](const ObjectInfo& object) -> Result<bool> {
    found = object.key == awkward;
    return !found;
  });
  if (!listed && listed.error().kind == Kind::unavailable) return std::unexpected(listed.error());
  return listed && found;
}

/// Removes what the probes left, with their versions where there are any: nobody else has names like this one.
void S3Store::clean_up_probe(const std::string& probe, bool versioned) {
  std::vector<std::string> keys{probe, awkward_key(probe)};
  (void)list(probe, [&](const ObjectInfo& object) -> Result<bool> {
    if (object.key != keys[0] && object.key != keys[1]) keys.push_back(object.key);
    return true;
  });
  for (const std::string& key : keys) (void)remove_checked({.key = key}, false);
  if (!versioned) return;
  std::vector<Removal> versions;
  (void)list_versions(probe, [&](const ObjectVersion& version) -> Result<bool> {
    versions.push_back({.key = version.object.key, .version_id = version.object.version_id});
    return true;
  });
  for (const Removal& version : versions) (void)remove_checked(version, false);
}

}  // namespace steward::object
