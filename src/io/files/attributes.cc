#include "io/files/attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace steward::files {

void give(int fd, const Attributes& attributes) {
  // Owner first: chown takes set-id bits away.
  if (attributes.mode) {
    (void)!::fchown(fd, attributes.owner, attributes.group);
    (void)!::fchmod(fd, *attributes.mode);
  }
  if (!attributes.modified) return;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*attributes.modified);
  const timespec time{seconds.time_since_epoch().count(), (*attributes.modified - seconds).count() * 1000};
  const std::array<timespec, 2> times{time, time};
  (void)!::futimens(fd, times.data());
}

}  // namespace steward::files
