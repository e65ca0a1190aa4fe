// deploy/Dockerfile and deploy/docker-compose.prod.yml: read, held against the program, and their command lines run for
// real. No image is built here.

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/config/catalogue.h"
#include "app/config/yaml.h"
#include "core/text.h"
#include "harness/backed_up.h"
#include "io/files/scratch.h"
#include "run/ledger/agenda.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const std::string compose_path = STEWARD_SOURCES "/deploy/docker-compose.prod.yml";

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What a person's prod.env has.
const std::map<std::string, std::string> prod_env{{"DATABASE_URL", "postgresql://app:secret@db/app"},
                                                  {"BACKUP_BUCKET", "s3://acme-backups/app"},
                                                  {"BACKUP_AWS_ACCESS_KEY_ID", "AKIA"},
                                                  {"BACKUP_AWS_SECRET_ACCESS_KEY", "key"},
                                                  {"MEDIA_ROOT", "/srv/app/media"},
                                                  {"LOG_DIR", "/srv/app/logs"}};

/// The Compose file as Compose reads it: variables, anchors and all.
Node compose() {
  std::string text = text_of_file(compose_path);
  for (std::size_t at; (at = text.find(":?}")) != std::string::npos;) text.erase(at, 2);
  std::vector<Error> errors;
  const app::Environment environment = [](const std::string& name) -> std::optional<std::string> {
    const auto found = prod_env.find(name);
    return found == prod_env.end() ? std::nullopt : std::optional(found->second);
  };
  Node root = app::parse_yaml(text, compose_path, environment, errors);
  for (const Error& error : errors) ADD_FAILURE() << error.message;
  return root;
}

const Node& at(const Node& node, std::initializer_list<std::string_view> path) {
  const Node* here = &node;
  for (const std::string_view key : path) {
    const Node* next = here->find(key);
    if (next == nullptr) {
      ADD_FAILURE() << "no " << key;
      return node;
    }
    here = next;
  }
  return *here;
}

std::map<std::string, std::string> environment_of(const Node& service) {
  std::map<std::string, std::string> out;
  for (const Member& member : at(service, {"environment"}).members) out[member.key] = member.value.text;
  return out;
}

/// The Dockerfile's instructions, lines that go on put together, without comments.
std::vector<std::string> instructions() {
  std::vector<std::string> out;
  std::istringstream lines(text_of_file(STEWARD_SOURCES "/deploy/Dockerfile"));
  bool goes_on = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const bool more = line.ends_with('\\');
    if (more) line.pop_back();
    if (goes_on)
      out.back() += line;
    else
      out.push_back(line);
    goes_on = more;
  }
  return out;
}

/// Of the image itself: behind the last FROM.
std::vector<std::string> image() {
  std::vector<std::string> all = instructions();
  std::size_t last = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].starts_with("FROM ")) last = i;
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(last));
  return all;
}

std::string only(const std::vector<std::string>& all, const std::string& keyword) {
  std::vector<std::string> found;
  for (const std::string& one : all)
    if (one.starts_with(keyword + ' ')) found.push_back(one.substr(keyword.size() + 1));
  EXPECT_THAT(found, SizeIs(1)) << keyword;
  return found.empty() ? std::string{} : found.front();
}

/// ENV's.
std::map<std::string, std::string> image_environment() {
  std::map<std::string, std::string> out;
  for (const std::string& one : split(only(image(), "ENV"), ' '))
    if (const std::size_t equals = one.find('='); equals != std::string::npos)
      out[one.substr(0, equals)] = one.substr(equals + 1);
  return out;
}

TEST(Dockerfile, IsDebianSlimWithTheClientsMajorAsAnArgumentAndRunsAsNobodySpecial) {
  const std::vector<std::string> all = image();
  EXPECT_EQ(only(all, "FROM"), "debian:bookworm-slim");
  EXPECT_EQ(only(all, "ARG"), "POSTGRES_MAJOR=15");
  EXPECT_THAT(all, Contains(HasSubstr("\"postgresql-client-$POSTGRES_MAJOR\"")));
  EXPECT_EQ(only(all, "USER"), "steward");
  EXPECT_THAT(all, Contains(HasSubstr("useradd --uid 10001 --gid 10001")));
  EXPECT_EQ(json::parse(only(all, "VOLUME")), json({"/var/lib/steward", "/var/lib/steward-cold"}));
  EXPECT_EQ(image_environment()["STEWARD_STATE_DIR"], "/var/lib/steward");
  EXPECT_EQ(image_environment()["COLD_STORAGE_PATH"], "/var/lib/steward-cold");
  EXPECT_THAT(only(all, "HEALTHCHECK"), HasSubstr(R"(CMD ["steward", "healthcheck"])"));
  EXPECT_EQ(json::parse(only(all, "ENTRYPOINT")), json({"steward"}));
}

TEST(Dockerfile, HasEachLibraryThatTheProgramIsLinkedWith) {
  const std::string installed = only(image(), "RUN");
  const Answer linked = run_program({"/usr/bin/ldd", steward_binary()}, {{"PATH", "/usr/bin:/bin"}}, "/");
  ASSERT_EQ(linked.exit_code, 0) << linked.err;
  std::istringstream lines(linked.out);
  std::set<std::string> packages;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find("=> /"), end = line.find(" (", begin);
    if (begin == std::string::npos) continue;
    const std::string file = std::filesystem::canonical(line.substr(begin + 3, end - begin - 3)).filename();
    if (file.contains("asan") || file.contains("tsan") || file.contains("ubsan")) continue;
    const Answer owner = run_program({"/usr/bin/dpkg", "-S", "*/" + file}, {{"PATH", "/usr/bin:/bin"}}, "/");
    packages.insert(owner.out.substr(0, owner.out.find(':')));
  }
  // What comes with one of these: as libpq5's own.
  const Answer closure = [&] {
    std::vector<std::string> words{"/usr/bin/apt-cache", "depends",          "--recurse",   "--no-recommends",
                                   "--no-suggests",      "--no-conflicts",   "--no-breaks", "--no-replaces",
                                   "--no-enhances",      "--no-pre-depends", "--implicit"};
    for (const std::string& word : split(installed, ' '))
      if (word.starts_with("lib")) words.push_back(word);
    return run_program(words, {{"PATH", "/usr/bin:/bin"}}, "/");
  }();
  for (const std::string& package : packages)
    EXPECT_TRUE((' ' + installed).contains(' ' + package) || ('\n' + closure.out).contains('\n' + package + '\n'))
        << package;
}

TEST(ComposeFile, HasOneStewardAndABackupThatIsServeOnlyBackupOnOneLedger) {
  const Node root = compose();
  std::vector<std::string> services;
  for (const Member& service : at(root, {"services"}).members) services.push_back(service.key);
  EXPECT_THAT(services, UnorderedElementsAre("steward", "backup"));
  for (const std::string& name : services) {
    const Node& service = at(root, {"services", name});
    EXPECT_EQ(at(service, {"build", "dockerfile"}).text, "deploy/Dockerfile");
    EXPECT_EQ(at(service, {"build", "args", "POSTGRES_MAJOR"}).text, "15");
    EXPECT_EQ(service.find("entrypoint"), nullptr) << "process 1 is steward";
    EXPECT_EQ(service.find("init"), nullptr);
    EXPECT_EQ(at(service, {"restart"}).text, "unless-stopped");
    EXPECT_EQ(at(service, {"read_only"}).text, "true");
    EXPECT_THAT(at(service, {"volumes"}).texts(), Contains("state:/var/lib/steward"))
        << "the ledger, unless there is a URL";
    EXPECT_EQ(environment_of(service)["STEWARD_LEDGER_URL"], "");
    EXPECT_EQ(environment_of(service)["DATABASE_URL"], prod_env.at("DATABASE_URL"));
  }
  const Node& backup = at(root, {"services", "backup"});
  EXPECT_THAT(at(backup, {"command"}).texts(), ElementsAre("serve", "--only", "backup"));
  EXPECT_THAT(at(backup, {"healthcheck", "test"}).texts(),
              ElementsAre("CMD", "steward", "healthcheck", "--only", "backup"));
  EXPECT_EQ(environment_of(backup)["BACKUP_AWS_SECRET_ACCESS_KEY"], "key");
  const Node& steward = at(root, {"services", "steward"});
  EXPECT_FALSE(environment_of(steward).contains("BACKUP_AWS_SECRET_ACCESS_KEY")) << "the key is the backup's alone";
  EXPECT_THAT(at(steward, {"command"}).texts(), Contains("cleanup,rotate-logs"));
  EXPECT_THAT(at(steward, {"volumes"}).texts(), Contains("cold:/var/lib/steward-cold"));
  std::vector<std::string> volumes;
  for (const Member& volume : at(root, {"volumes"}).members) volumes.push_back(volume.key);
  EXPECT_THAT(volumes, UnorderedElementsAre("state", "cold", "scratch"));
}

/// Each job that there is belongs to one of the services.
TEST(ComposeFile, LeavesNoJobOut) {
  const Node root = compose();
  std::vector<std::string> served;
  for (const char* service : {"steward", "backup"})
    for (const std::string& job : split(at(root, {"services", service, "command"}).texts().back(), ','))
      served.push_back(job);
  EXPECT_THAT(served, testing::UnorderedElementsAreArray(app::job_names()));
}

TEST(ComposeFile, PassesComposesOwnLookWhereThereIsOne) {
  const std::map<std::string, std::string> stock{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", "/tmp"}};
  if (run_program({"/usr/bin/env", "docker", "compose", "version"}, stock, "/tmp").exit_code != 0) return;
  std::map<std::string, std::string> environment = prod_env;
  environment.insert(stock.begin(), stock.end());
  const Answer config =
      run_program({"/usr/bin/env", "docker", "compose", "-f", compose_path, "config", "--quiet"}, environment, "/tmp");
  EXPECT_EQ(config.exit_code, 0) << config.err;
  environment.erase("DATABASE_URL");
  EXPECT_NE(
      run_program({"/usr/bin/env", "docker", "compose", "-f", compose_path, "config", "--quiet"}, environment, "/tmp")
          .exit_code,
      0)
      << "what has no default is asked for";
}

/// The services of the Compose file as they run, but for what a container has of its own: each steward is process 1 of
/// a namespace, and the volumes are folders of the application.
struct ComposedServices : testing::Test {
  BackedUp it;
  Application& app = it.app;
  Node root = compose();

  void SetUp() override {
    files::need_root();
    std::filesystem::create_directories(app.path("scratch"));
    std::filesystem::permissions(app.path("scratch"), std::filesystem::perms::all);
    std::filesystem::permissions(app.root(), std::filesystem::perms::others_exec, std::filesystem::perm_options::add);
  }

  /// The container's paths here.
  std::string here(std::string text) const {
    const std::array<std::pair<std::string_view, std::string>, 5> mounts{
        {{"/var/lib/steward-cold", app.path("cold")},
         {"/var/lib/steward-scratch", app.path("scratch")},
         {"/var/lib/steward", app.path("state")},
         {"/app/media", app.path("media")},
         {"/app/logs", app.path("logs")}}};
    for (const auto& [inside, outside] : mounts)
      if (text == inside) return outside;
    return text;
  }
  std::map<std::string, std::string> environment(const std::string& service) const {
    std::map<std::string, std::string> out = image_environment();
    for (const auto& [name, value] : environment_of(at(root, {"services", service}))) out[name] = value;
    for (auto& [name, value] : out) value = here(value);
    for (const char* name : {"DATABASE_URL", "BACKUP_BUCKET", "PATH", "ASAN_OPTIONS"})
      out[name] = app.environment.at(name);
    out["BACKUP_AWS_ACCESS_KEY_ID"] = out["BACKUP_AWS_SECRET_ACCESS_KEY"] = "";  // a folder needs none
    if (out["STEWARD_LISTEN"] != "off") out["STEWARD_LISTEN"] = "127.0.0.1:0";
    out["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    out["FAKETIME"] = "+" + std::to_string(ahead_.count());
    out["DONT_FAKE_MONOTONIC"] = "1";
    return out;
  }
  std::unique_ptr<Started> up(const std::string& service) const {
    std::vector<std::string> words{"/usr/bin/unshare", "--pid",        "--fork",
                                   "--mount-proc",     "--kill-child", steward_binary()};
    for (const std::string& word : at(root, {"services", service, "command"}).texts()) words.push_back(word);
    return std::make_unique<Started>(words, environment(service), app.root());
  }
  Answer health(const std::string& service) const {
    std::vector<std::string> words = at(root, {"services", service, "healthcheck", "test"}).texts();
    words.erase(words.begin(), words.begin() + 2);
    words.insert(words.begin(), steward_binary());
    return run_program(words, environment(service), app.root());
  }
  static pid_t first_child(const Started& parent) {
    const std::string pid = std::to_string(parent.pid());
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    pid_t child = 0;
    children >> child;
    return child;
  }

  // So much before it that both serve by then, however busy the machine is: a tick that was missed is made up for
  // later.
  Instant midnight = std::chrono::ceil<std::chrono::days>(SystemClock().now() + std::chrono::minutes{1});
  std::chrono::seconds ahead_ =
      std::chrono::floor<std::chrono::seconds>(midnight - std::chrono::seconds{25} - SystemClock().now());
};

TEST_F(ComposedServices, AsProcess1MakeABackupAtMidnightUtcAndAreHealthyOnOneLedger) {
  const auto steward = up("steward"), backup = up("backup");
  await(
      [&] {
        return steward->said().contains("serves, with the ledger") &&
               backup->said().contains("serves, with the ledger");
      },
      "both serve");
  EXPECT_EQ(health("backup").exit_code, 0) << health("backup").out;
  EXPECT_FALSE(backup->said().contains("cleanup")) << backup->said();
  await([&] { return it.list().size() == 1; }, "it has become midnight");
  await([&] { return it.list()[0]["standing"] == "restored"; }, "BACKUP_PROOF is given: it has been proved, too");
  const auto ledger = ledger::open({.url = "sqlite:///" + app.path("state/ledger.db")}).value();
  const std::vector<ledger::Tick> ticks = ledger->agenda().ticks({}).value();
  ASSERT_THAT(ticks, SizeIs(1));
  EXPECT_EQ(ticks[0].job, "backup");
  EXPECT_EQ(ticks[0].due, midnight);
  EXPECT_EQ(health("backup").exit_code, 0) << health("backup").out;
  EXPECT_EQ(health("steward").exit_code, 0) << health("steward").out;
  for (const auto* service : {&steward, &backup}) {
    const pid_t first = first_child(**service);
    ASSERT_GT(first, 0);
    ::kill(first, SIGTERM);
    EXPECT_EQ((*service)->wait().exit_code, 0);
  }
}

}  // namespace
}  // namespace steward::harness
