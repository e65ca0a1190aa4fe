// metrics: what monitoring asks, on standard output or into a file for node_exporter

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "io/files/folder.h"

namespace steward::app {
namespace {

/// The file is replaced whole: who reads it meanwhile has the old one or the new one. Everybody may read it, since
/// node_exporter is another user.
Result<void> write_whole(const std::string& name, std::string_view text) {
  const std::filesystem::path path = std::filesystem::absolute(name);
  const files::Folder folder = TRY(files::Folder::open(path.parent_path().string()));
  auto temporary = TRY(folder.temporary_beside(path.filename().string()));
  files::FileSink sink(temporary.handle.fd());
  auto written = sink.write(std::as_bytes(std::span(text)));
  if (written && fchmod(temporary.handle.fd(), 0644) != 0)
    written = fail(Kind::permission, fmt::format("cannot make {} readable: {}", printable(name), std::strerror(errno)));
  if (written) written = folder.rename(temporary.path, path.filename().string(), true);
  if (!written) (void)folder.unlink(temporary.path);  // the first error is the one to tell
  return written;
}

}  // namespace

engine::MetricsOf metrics_of(const Settings& settings) {
  engine::MetricsOf of{.version = std::string(version), .environment = settings.environment};
  for (const std::string& name : job_names())
    if (const auto found = settings.schedules.find(name); found != settings.schedules.end())
      if (found->second.owner == engine::Owner::steward) of.schedules.insert(*found);
  of.watched = scheduled_jobs(settings);
  return of;
}

Result<int> metrics_command(const Output& output, const std::string& file) {
  const Session session = TRY(open_session_saying(output));
  const std::string text = TRY(engine::metrics(*session.ledger, metrics_of(session.settings), session.clock.now()));
  if (file.empty())
    print(text);
  else
    TRY(write_whole(file, text));
  return 0;
}

}  // namespace steward::app
