/// Mail by SMTP (RFC 5321), through libcurl. Kept apart from the rest for curl's header.
#pragma once
#include <chrono>
#include <string>

#include "engine/notify/notifier.h"

namespace steward::notify {

/// Hands the whole mail (forms.h) to the server, once, for as long as there is
/// patience. It has arrived where the server took it for
/// one recipient at least: a mistyped address must not keep the others from knowing. `later` where there was no
/// connection, it could not be encrypted, or the server said 4xx; `never` for its 5xx, a login that is wrong among
/// them.
Outcome send_mail(const Email& email, const std::string& ca_file, const std::string& mail, const Patience& patience);

}  // namespace steward::notify
