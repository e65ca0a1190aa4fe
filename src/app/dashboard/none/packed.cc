// A program without the dashboard: -DSTEWARD_WEB=OFF.
#include "app/dashboard/dashboard.h"

namespace steward::dashboard {
std::span<const Asset> assets() { return {}; }
}  // namespace steward::dashboard
