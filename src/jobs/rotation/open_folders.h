/// The two folders of a policy.
#pragma once
#include <optional>

#include "io/files/folder.h"
#include "jobs/rotation/rotation.h"

namespace steward::rotation {

/// not_found, with the variable to set, where it is not there.
Result<files::Folder> open_logs(const Policy& policy);
/// Empty where there is no archive yet.
Result<std::optional<files::Folder>> open_archive(const Policy& policy);
/// Makes it where it is absent, with owner and mode of the folder of the logs.
Result<files::Folder> make_archive(const Policy& policy, const files::Folder& logs);

}  // namespace steward::rotation
