#include "app/config/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "app/config/locations.h"
#include "app/config/variables.h"
#include "app/config/yaml.h"
#include "core/text.h"
#include "core/url.h"
#include "core/zone.h"
#include "io/sql/database_url.h"

namespace steward::app {
namespace {

/// Keys that a variable of steward's own overrides; `config show` lists them under the variable's name.
/// Parts of an upload: fewer than these make them too large, and AWS allows no more than those.
constexpr unsigned least_parts = 100, most_parts = 10'000;

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> own_keys{
    {{"state", "STEWARD_STATE_DIR"},
     {"ledger", "STEWARD_LEDGER_URL"},
     {"environment", "STEWARD_ENV"},
     {"serve.listen", "STEWARD_LISTEN"},
     {"serve.public_url", "STEWARD_PUBLIC_URL"}}};

std::string folder_of(const std::string& file, const std::string& directory) {
  const std::string whole = absolute(file, directory);
  const std::size_t slash = whole.rfind('/');
  return slash == 0 ? "/" : whole.substr(0, slash);
}

std::uint64_t number(const Node& node, std::string_view key, std::uint64_t fallback) {
  const std::string text = node.text_at(key);
  std::uint64_t n = fallback;
  if (!text.empty()) std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// Lists the values of a document for `config show`, with the defaults of its shape.
class Listing {
 public:
  explicit Listing(std::vector<Shown>& shown) : shown_(shown) {}

  void list(const Node& node, const Shape& shape, const std::string& path, const std::string& what) {
    switch (shape.kind) {
      case Shape::Kind::scalar:
      case Shape::Kind::choice: return add(path, value_of(node, shape), origin_of(node), what);
      case Shape::Kind::list:
        for (std::size_t i = 0; i < node.items.size(); ++i)
          list(node.items[i], shape.element.front(), fmt::format("{}[{}]", path, i), what);
        return;
      case Shape::Kind::map:
        for (const Member& member : node.members)
          list(member.value, shape.element.front(), joined(path, member.key), "");
        return;
      case Shape::Kind::record: return record(node, shape, path);
      case Shape::Kind::variants:
        for (const auto& [name, one] : shape.variants)
          if (node.text_at(shape.tag) == name) {
            add(joined(path, shape.tag), name, origin_of(*node.find(shape.tag)), "");
            record(node, one, path);
          }
        return;
    }
  }

 private:
  static std::string joined(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + '.' + key;
  }
  static std::string origin_of(const Node& node) {
    return node.from.empty() ? text_of(node.at) : fmt::format("{}, {}", node.from, text_of(node.at));
  }
  static std::string value_of(const Node& node, const Shape& shape) {
    if (shape.scalar == Scalar::secret && shape.kind == Shape::Kind::scalar) return "***";
    return shape.scalar == Scalar::url ? masked(node.text) : node.text;
  }
  void add(std::string path, const std::string& value, std::string origin, std::string what) {
    shown_.push_back(
        {.name = std::move(path), .value = printable(value), .origin = std::move(origin), .what = std::move(what)});
  }
  void record(const Node& node, const Shape& shape, const std::string& path) {
    for (const Field& field : shape.fields) {
      const std::string whole = joined(path, field.key);
      if (std::ranges::any_of(own_keys, [&](const auto& own) { return own.first == whole; })) continue;
      const Node* value = node.find(field.key);
      if (value != nullptr)
        list(*value, field.shape, joined(path, field.key), field.what);
      else if (!field.fallback.empty())
        add(joined(path, field.key), field.fallback, "default", field.what);
    }
  }

  std::vector<Shown>& shown_;
};

class FileReader {
 public:
  FileReader(const Environment& environment, const std::string& directory, std::vector<Error>& errors)
      : environment_(environment), directory_(directory), errors_(errors) {}

  Settings read(const std::vector<std::string>& files) {
    settings_.files = files;
    Node document;
    for (const std::string& file : files)
      document = merged(std::move(document), read_yaml(file, environment_, errors_));
    if (document.empty() && errors_.empty())
      errors_.push_back(
          error_at({files.front()}, "the file is empty", "`steward config init` writes one to begin with."));
    const Shape shape = configuration_shape();
    if (!document.empty()) check(document, shape, "the configuration", errors_);
    own(document);
    tasks(document, shape);
    Listing(settings_.shown).list(document, shape, "", "");
    return std::move(settings_);
  }

 private:
  /// What does not fit its shape cannot be read further, and its mistakes have been told: it is taken out. Its names.
  static std::vector<std::string> take_out_misfits(Node& section, const Shape& shape) {
    std::vector<std::string> names;
    std::erase_if(section.members, [&](Member& member) {
      std::vector<Error> errors;
      if (!member.value.empty()) check(member.value, shape.element.front(), "", errors);
      const bool misfit = member.value.empty() || !errors.empty();
      if (misfit) names.push_back(member.key);
      return misfit;
    });
    return names;
  }

  /// A section at the top, without its misfits; their names stay known, with nothing behind them.
  template <class Known>
  Node section(const Node& document, const Shape& shape, std::string_view key, Known* known) {
    const Node* found = document.find(key);
    if (found == nullptr || found->kind != Node::Kind::map) return {};
    Node copy = *found;
    const auto field = std::ranges::find(shape.fields, key, &Field::key);
    for (const std::string& name : take_out_misfits(copy, field->shape))
      if (known != nullptr) (*known)[name] = {};
    return copy;
  }

  void wrong(const Node& node, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(node.at, why, std::move(hint)));
  }
  std::string folder_at(const Node& node) const { return folder_of(node.at.file, directory_); }
  std::string path(const Node& node) const { return absolute(node.text, folder_at(node)); }

  void keep(Result<void> result) {
    if (!result) errors_.push_back(std::move(result).error());
  }

  void own(const Node& document) {
    if (const Node* version = document.find("version"); version != nullptr && version->text != "1")
      wrong(*version, fmt::format("the format of this file is {}, this program knows 1", printable(version->text)),
            "Upgrade steward, or write version: 1.");
    if (const Node* state = document.find("state")) settings_.state_dir = path(*state);
    if (const Node* ledger = document.find("ledger"))
      settings_.ledger_url = database_url(*ledger, "ledger").value_or("");
    settings_.environment = document.text_at("environment");
    const Node* const serve = document.find("serve");
    const bool has_serve = serve != nullptr && serve->kind == Node::Kind::map;
    if (has_serve) settings_.serve = server::read_serve(*serve, errors_);
    for (const auto& [key, variable] : own_keys) {
      const bool below = key.starts_with("serve.");
      const Node* value = !below ? document.find(key) : has_serve ? serve->find(key.substr(6)) : nullptr;
      if (value != nullptr) settings_.origins[std::string(variable)] = text_of(value->at);
    }
    keep(read_own_variables(environment_, directory_, settings_));
    if (const Node* rules = document.find("throttle"); rules != nullptr && rules->kind == Node::Kind::map)
      throttle(*rules);
    if (const Node* brakes = document.find("brakes")) {
      const Brakes defaults;
      settings_.brakes = {.from = number(*brakes, "from", defaults.from),
                          .share = parse_share(brakes->text_at("share")).value_or(defaults.share),
                          .times_median = static_cast<double>(
                              number(*brakes, "times_median", static_cast<std::uint64_t>(defaults.times_median))),
                          .runs_for_median = number(*brakes, "runs_for_median", defaults.runs_for_median)};
    }
  }

  void throttle(const Node& node) {
    ThrottleRules& rules = settings_.throttle;
    rules.batch = std::chrono::milliseconds(number(node, "batch_ms", static_cast<std::uint64_t>(rules.batch.count())));
    rules.wal_files =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(number(node, "wal_files", rules.wal_files), 1U << 20));
    if (const auto size = parse_bytes(node.text_at("replica_behind"))) rules.replica_behind = *size;
    if (const auto size = parse_bytes(node.text_at("free_disk"))) rules.free_disk = *size;
    const Node* lag = node.find("replica_lag");
    const auto age = lag == nullptr ? Result<Age>(Age{}) : parse_age(lag->text);
    if (lag == nullptr || !age) return;
    if (const auto* span = std::get_if<std::chrono::microseconds>(&age->span))
      rules.replica_lag = std::chrono::ceil<std::chrono::seconds>(*span);
    else
      wrong(*lag, "replica_lag is a span of time, not calendar months", "Write it like 10 s or 2m.");
  }

  /// A database's URL with an absolute path, where it is a file.
  std::optional<std::string> database_url(const Node& node, std::string_view what) {
    auto url = sql::parse_database_url(node.text);
    if (!url) {
      wrong(node, fmt::format("{}: {}", what, url.error().message), url.error().hint);
      return {};
    }
    for (const std::string& note : url->notes) settings_.notes.push_back(fmt::format("{}: {}", what, note));
    if (url->dialect != sql::Dialect::sqlite) return node.text;
    return "sqlite:///" + percent_encode(absolute(url->path, folder_at(node)), true);
  }

  void tasks(const Node& document, const Shape& shape) {
    retention::Names names{.s3 = settings_.s3,
                           .path = [this](const Node& node) { return path(node); },
                           .time_zone = document.text_at("time_zone", "UTC")};
    if (const Node* zone = document.find("time_zone"))
      if (const auto known = Zone::load(zone->text); !known && known.error().kind == Kind::bad_input)
        errors_.push_back(error_at(zone->at, known.error().message, known.error().hint));
    for (const Member& member : section(document, shape, "databases", &names.databases).members)
      database(member, names);
    for (const Member& member : section(document, shape, "stores", &names.stores).members) store(member, names);
    for (const Member& member :
         section(document, shape, "urls", static_cast<std::map<std::string, int>*>(nullptr)).members)
      url(member, names);
    settings_.databases = names.databases;
    settings_.cleanup = retention::read_cleanup(
        section(document, shape, "cleanup", static_cast<std::map<std::string, int>*>(nullptr)), names, errors_);
    settings_.rotation = rotation::read_rotation(
        section(document, shape, "rotate-logs", static_cast<std::map<std::string, int>*>(nullptr)),
        [this](const Node& node) { return path(node); }, errors_);
    settings_.backup =
        backup::read_backup(section(document, shape, "backup", static_cast<std::map<std::string, int>*>(nullptr)),
                            {.databases = names.databases, .stores = names.stores, .path = names.path}, errors_);
    settings_.schedules = engine::read_schedules(
        section(document, shape, "jobs", static_cast<std::map<std::string, int>*>(nullptr)), errors_);
    notifications(document);
    keep(read_disabled(environment_, settings_));
    for (const retention::TaskSpec& spec : settings_.cleanup)
      if (const retention::ArchiveRules* archive = spec.policy ? retention::archive_of(*spec.policy) : nullptr)
        add_archive(archive->store);
    overlaps();
  }

  /// A section that does not fit its shape is not read further. Without one, SLACK_WEBHOOK_URL makes a channel.
  void notifications(const Node& document) {
    std::vector<std::string> jobs;
    for (const auto& [job, schedule] : settings_.schedules) jobs.push_back(job);
    if (const Node* found = document.find("notifications")) {
      Node copy = *found;
      std::vector<Error> misfits;
      check(copy, notify::notifications_shape(), "", misfits);
      settings_.notifications = {};  // this section counts, and SLACK_WEBHOOK_URL where it names it
      if (misfits.empty())
        settings_.notifications =
            notify::read_notifications(copy, jobs, [this](const Node& node) { return path(node); }, errors_);
    }
    settings_.notifications.pings = notify::read_pings(
        section(document, configuration_shape(), "jobs", static_cast<std::map<std::string, int>*>(nullptr)), errors_);
  }

  void database(const Member& member, retention::Names& names) {
    const Node& url = *member.value.find("url");
    if (auto text = database_url(url, "the database " + member.key)) names.databases[member.key] = {.url = *text};
  }

  void store(const Member& member, retention::Names& names) {
    const Node& node = member.value;
    const Node& url = *node.find("url");
    const auto absolute_url = store_url(url.text, folder_at(url), false);
    if (!absolute_url)
      return wrong(url,
                   fmt::format("the store {} is \"{}\": {}", member.key, printable(masked(url.text)),
                               absolute_url.error().message),
                   fmt::format("Write it like {}.", absolute_url.error().hint));
    object::StoreTarget target{.url = *absolute_url, .s3 = settings_.s3};
    object::S3Settings& s3 = target.s3;
    const Node* endpoint = node.find("endpoint");
    if (endpoint != nullptr) s3.endpoint = endpoint->text;
    if (const Node* region = node.find("region")) s3.region = region->text;
    if (const Node* addressing = node.find("addressing")) s3.virtual_host = addressing->text == "virtual";
    if (const Node* ca = node.find("ca_bundle")) s3.ca_file = path(*ca);
    if (const Node* parts = node.find("max_parts")) {
      std::from_chars(parts->text.data(), parts->text.data() + parts->text.size(), s3.most_parts);
      if (s3.most_parts < least_parts || s3.most_parts > most_parts)
        wrong(*parts, fmt::format("an upload cannot be limited to {} parts", printable(parts->text)),
              fmt::format("Write a number from {} to {}.", least_parts, most_parts));
    }
    const Node *access = node.find("access_key"), *secret = node.find("secret_key");
    if ((access == nullptr) != (secret == nullptr))
      wrong(access != nullptr ? *access : *secret, "access_key and secret_key go together",
            "Give both, or neither: then AWS's chain of variables, profiles and roles is asked.");
    if (access != nullptr) s3.access_key = access->text;
    if (secret != nullptr) s3.secret_key = Secret(secret->text);
    if (const Node* token = node.find("session_token")) s3.session_token = Secret(token->text);
    if (!absolute_url->starts_with("s3://") && (endpoint != nullptr || access != nullptr))
      wrong(node, fmt::format("the store {} is a folder: it has no endpoint and no keys", member.key));
    names.stores[member.key] = std::move(target);
  }

  void url(const Member& member, retention::Names& names) {
    const auto prefix = retention::url_prefix(member.key);
    if (!prefix) {
      errors_.push_back(error_at(member.at, prefix.error().message, prefix.error().hint));
      return;
    }
    const auto known = names.stores.find(member.value.text);
    if (known == names.stores.end()) {
      std::vector<std::string> all;
      for (const auto& [name, store] : names.stores) all.push_back(name);
      return wrong(member.value, fmt::format("there is no store \"{}\"", printable(member.value.text)),
                   all.empty() ? "Name it under stores at the top." : fmt::format("The stores are {}.", join_and(all)));
    }
    const object::StoreTarget& store = known->second;
    if (store.url.empty()) return;  // a misfit, of which its own errors tell
    for (const retention::UrlPrefix& other : names.urls) {
      if (other.prefix == *prefix)
        return wrong(member.value, fmt::format("\"{}\" stands here twice", printable(member.key)));
      // Manifests name an object by its bucket: what is brought back has to find the way.
      const auto bucket = [](const std::string& url) { return url.substr(0, url.find('/', 5)); };
      if (store.url.starts_with("s3://") && bucket(other.store.url) == bucket(store.url) &&
          other.store.s3.endpoint != store.s3.endpoint)
        return wrong(member.value,
                     fmt::format("URLs lead to buckets of one name, {}, at two endpoints", bucket(store.url)));
    }
    names.urls.push_back({.prefix = *prefix, .store = store});
  }

  void add_archive(const object::StoreTarget& store) {
    const auto same = [&](const object::StoreTarget& known) {
      return known.url == store.url && known.s3.endpoint == store.s3.endpoint;
    };
    if (std::ranges::none_of(settings_.archives, same)) settings_.archives.push_back(store);
  }

  /// Targets that no prefix can tell apart.
  void overlaps() {
    for (const retention::TaskSpec& spec : settings_.cleanup) {
      const auto* objects = spec.policy ? std::get_if<retention::ObjectPolicy>(&*spec.policy) : nullptr;
      if (objects == nullptr) continue;
      for (const object::StoreTarget& archive : settings_.archives)
        if (archive.s3.endpoint == objects->bucket.s3.endpoint && at_or_below(objects->bucket.url, archive.url))
          errors_.push_back(
              error_at(spec.at,
                       fmt::format("{} expires objects of {}, and an archive is at {}: nothing in it could be "
                                   "told from what expires",
                                   spec.info.name, objects->bucket.url, archive.url),
                       "Give the archive a prefix of its own, like s3://bucket/cold."));
    }
  }

  const Environment& environment_;
  const std::string& directory_;
  std::vector<Error>& errors_;
  Settings settings_{};
};

}  // namespace

Settings read_files(const std::vector<std::string>& files, const Environment& environment, const std::string& directory,
                    std::vector<Error>& errors) {
  return FileReader(environment, directory, errors).read(files);
}

}  // namespace steward::app
