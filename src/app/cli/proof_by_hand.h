/// A proof that somebody asks for (`backup verify`), as a run in the ledger: so the ages of proofs count it
/// (engine/freshness.h), and a fault that it finds is announced as a failed run is.
///
/// It takes no lock: the database may be gone, and tonight's backup does not wait for it. What `expire` removes
/// meanwhile is missing then, which the caller tells from a fault.
/// Where the ledger does not open, the proof is made all the same, and people are told.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "core/bytes.h"
#include "core/result.h"
#include "jobs/backup/section.h"

namespace steward::app {

struct ProofByHand {
  std::string task{};    ///< task_of_proof's.
  std::string backup{};  ///< "app/20261129T000000Z-4f2a91".
  std::string target{};  ///< Where it lies.
  std::string what{};    ///< "every object is read and hashed".
  using Progress = std::function<Result<void>(Bytes more)>;
  /// The faults that it finds.
  std::function<Result<std::vector<std::string>>(const Progress& progress)> prove{};
};

/// What such a proof is entered as: the policy's own task where it is at least as deep as the scheduled ones, else
/// NAME.verify, which counts for nothing. `database`: of several the name of the one. `copy`: what was proved is a
/// copy.
std::string task_of_proof(const backup::PolicySpec& spec, const std::string& database, backup::Depth depth, bool copy);

/// The faults.
Result<std::vector<std::string>> prove_by_hand(const Output& output, const ProofByHand& proof);

}  // namespace steward::app
