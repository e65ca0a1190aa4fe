/// The schemas of what planning, running and looking come to: the documents of `--json`, for the API's declarations.
/// tests/openapi_test.cc holds them against the real program.
#pragma once
#include "app/api/schema.h"

namespace steward::api {

Schema amount_schema();   ///< {"items", "bytes"}
Schema failure_schema();  ///< What went wrong, with kind, code and hint.
Schema plan_schema();
Schema task_result_schema();
Schema progress_schema();
Schema overview_schema();  ///< As `steward status --json`.

// What operations have as their results.
Schema archive_list_schema();
Schema archive_page_schema();
Schema archive_verdict_schema();
Schema run_result_schema();
Schema backup_list_schema();
Schema channel_test_schema();

}  // namespace steward::api
