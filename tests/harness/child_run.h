/// A run in a child process, with a word at each of its checkpoints: where it may be killed, or where
/// somebody else may do something.
#pragma once
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/application.h"

namespace steward::harness {

/// Carries out a job in a child, which hands every checkpoint's name to `at`. The status of the child, as waitpid
/// gives it.
int in_a_child(const Application& application, const std::function<void(std::string_view)>& at,
               const std::string& job = "cleanup");

/// The names of all checkpoints of such a run, in their order; a failed test where it does not succeed.
std::vector<std::string> places_of(const Application& application, const std::string& job = "cleanup");

/// Which checkpoints to kill a run at, counted from 1: of a name that comes often the first, the middle and the last;
/// of others, each.
std::set<std::size_t> worth_trying(const std::vector<std::string>& places);

}  // namespace steward::harness
