#include "jobs/retention/system_folders.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "jobs/retention/needs.h"

namespace steward::retention {
namespace {

constexpr std::array folders{"/",    "/home", "/media",     "/mnt", "/opt",       "/root",    "/run",    "/srv",
                             "/tmp", "/usr",  "/usr/local", "/var", "/var/cache", "/var/lib", "/var/tmp"};
constexpr std::array trees{"/bin",         "/boot",    "/dev",         "/etc",      "/lib",      "/lib32",
                           "/lib64",       "/libx32",  "/proc",        "/sbin",     "/sys",      "/usr/bin",
                           "/usr/include", "/usr/lib", "/usr/libexec", "/usr/sbin", "/usr/share"};

bool is_one(const std::string& path) {
  const auto below = [&](std::string_view tree) {
    return path == tree || (path.starts_with(tree) && path[tree.size()] == '/');
  };
  return std::ranges::any_of(folders, [&](std::string_view folder) { return path == folder; }) ||
         std::ranges::any_of(trees, below);
}

}  // namespace

bool is_system_folder(const std::string& path) {
  const std::string real = resolved(path);
  return is_one(path) || (!real.empty() && is_one(real));
}

}  // namespace steward::retention
