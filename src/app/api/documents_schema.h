/// The schemas of the documents in app/documents, for the API's declarations. A test holds each against what
/// document_of makes.
#pragma once
#include "app/api/schema.h"

namespace steward::api {

Schema run_schema();
Schema run_detail_schema();  ///< With the tasks and how far it is.
Schema approval_schema();
Schema approval_detail_schema();  ///< With the plan.
Schema tick_schema();
Schema outlook_schema(const std::vector<Member>& more);  ///< Of a job's schedule, with these members besides.
Schema pause_schema();
Schema freeze_schema();
Schema hold_schema();
Schema audit_schema();
Schema user_schema();
Schema token_schema();
Schema token_schema_with_secret();
Schema delivery_schema();
Schema operation_schema();

/// {NAME: [ELEMENT…]}
Schema list_document(const std::string& name, const Schema& element);
/// The same with "next", the cursor of the next page, or null.
Schema page_document(const std::string& name, const Schema& element);

}  // namespace steward::api
