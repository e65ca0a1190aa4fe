// docs/emergency-restore.md, followed to the letter: a backup comes back by stock programs alone, from wherever it
// lies.

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <tuple>

#include "core/text.h"
#include "harness/backed_up.h"

namespace steward::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Where the backup lies, and what reads it there.
enum class Way { folder, aws, curl };
void PrintTo(Way way, std::ostream* out) { *out << (way == Way::folder ? "folder" : way == Way::aws ? "aws" : "curl"); }

/// The page's blocks of commands, in their order.
std::vector<std::string> blocks() {
  std::ifstream page(STEWARD_SOURCES "/docs/emergency-restore.md");
  std::vector<std::string> out;
  bool is_code = false;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("```")) {
      if (is_code) out.back() += line + '\n';
      continue;
    }
    is_code = line == "```sh";
    if (is_code) out.emplace_back();
  }
  return out;
}

/// The block that says where backups are is the reader's to choose.
std::optional<Way> way_of(const std::string& block) {
  if (!block.contains("STORE=")) return std::nullopt;
  return block.contains("--aws-sigv4") ? Way::curl : block.contains("aws s3") ? Way::aws : Way::folder;
}

void put(std::string& script, const std::string& what, const std::string& with) {
  const std::size_t at = script.find(what);
  ASSERT_NE(at, std::string::npos) << what;
  script.replace(at, what.size(), with);
}

struct EmergencyPage : testing::TestWithParam<std::tuple<Way, std::string, bool>> {
  const Way way = std::get<0>(GetParam());
  const bool is_encrypted = std::get<2>(GetParam());
  BackedUp it{in_format(std::get<1>(GetParam())), way == Way::folder ? BucketKind::folder : BucketKind::versity};
  std::string to = it.empty_database();

  /// What somebody types who follows the page: of several ways one, and what is encrypted is decrypted.
  std::string script() {
    std::string out = "set -eu\n";
    for (const std::string& block : blocks()) {
      const std::optional<Way> other = way_of(block);
      if (other ? other != way : block.contains("age -d") && !is_encrypted) continue;
      for (const std::string& line : split(block, '\n')) {
        const bool is_plain = line.contains("zstd -d") && !line.contains("age -d");
        if (!line.starts_with("createdb") && !(is_plain && is_encrypted)) out += line + '\n';
      }
    }
    put(out, "TARGET=postgresql://postgres@localhost/app_restored", "TARGET='" + to + "'");
    const std::map<std::string, std::string>& has = it.app.environment;
    if (way == Way::folder) put(out, "/srv/backups", it.app.path("backups"));
    if (way == Way::aws) put(out, "s3://acme-backups", it.app.bucket_name());
    if (way == Way::curl) {
      put(out, "https://s3.eu-central-1.amazonaws.com/acme-backups",
          has.at("AWS_ENDPOINT_URL") + '/' + it.app.bucket_name().substr(std::string_view("s3://").size()));
      put(out, "REGION=eu-central-1", "REGION=us-east-1");
      put(out, "AKIA…:SECRET", has.at("AWS_ACCESS_KEY_ID") + ':' + has.at("AWS_SECRET_ACCESS_KEY"));
    }
    return out;
  }
  Answer follow() {
    std::map<std::string, std::string> environment;
    for (const auto& [name, value] : it.app.environment)
      if (name.starts_with("AWS_")) environment.emplace(name, value);
    const char* path = std::getenv("PATH");  // where somebody may have installed aws
    environment["PATH"] = std::string("/usr/lib/postgresql/15/bin:/usr/bin:/bin:") + (path == nullptr ? "" : path);
    return run_program({"/bin/sh", "-c", script()}, environment, it.app.root());
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, EmergencyPage,
                         testing::Combine(testing::Values(Way::folder, Way::aws, Way::curl),
                                          testing::ValuesIn(dump_formats), testing::Bool()),
                         [](const auto& one) {
                           return testing::PrintToString(std::get<0>(one.param)) + "_" + std::get<1>(one.param) +
                                  (std::get<2>(one.param) ? "_encrypted" : "");
                         });

TEST_P(EmergencyPage, IsFollowedToTheLetterWithStockProgramsAlone) {
  if (way == Way::aws &&
      run_program({"/usr/bin/env", "aws", "--version"}, {{"PATH", std::getenv("PATH")}}, "/tmp").exit_code != 0)
    return;  // No package of Debian 12 has one that knows AWS_ENDPOINT_URL.
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann'); insert into signals (id) values (1)");
  if (is_encrypted) {
    ASSERT_EQ(run_program({"/usr/bin/age-keygen", "-o", it.app.path("KEY.txt")}, {}, it.app.root()).exit_code, 0);
    const Answer key = run_program({"/usr/bin/age-keygen", "-y", it.app.path("KEY.txt")}, {}, it.app.root());
    it.app.environment["BACKUP_AGE_RECIPIENTS"] = key.out.substr(0, key.out.find('\n'));
  }
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.run().exit_code, 0) << "the newest of several";
  const Answer done = follow();
  EXPECT_EQ(done.exit_code, 0) << script() << done.out << done.err;
  EXPECT_THAT(rows_of(to, "audit_logs"), ElementsAre(HasSubstr("ann")));
}

}  // namespace
}  // namespace steward::harness
