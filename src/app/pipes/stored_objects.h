/// The objects of a Pipes session in S3, through steward's own store.
#pragma once
#include <memory>

#include "app/pipes/pipes.h"
#include "io/object/store.h"

namespace steward::pipes {

/// Any bucket of that endpoint, with those credentials.
std::unique_ptr<Objects> stored_objects(object::S3Settings s3);

}  // namespace steward::pipes
