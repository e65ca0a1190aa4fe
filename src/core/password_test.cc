#include "core/password.h"

#include <gtest/gtest.h>

namespace steward {
namespace {

TEST(Password, IsKnownByItsHashAndNoOtherIs) {
  const std::string hash = hash_password(Secret("correct horse battery")).value();
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=65536,t=2")) << hash;
  EXPECT_TRUE(is_password(Secret("correct horse battery"), hash));
  EXPECT_FALSE(is_password(Secret("correct horse batterY"), hash));
  EXPECT_NE(hash_password(Secret("correct horse battery")).value(), hash) << "each has a salt of its own";
}

TEST(Password, ThatIsTooShortOrTooLongIsRefusedWithoutBeingShown) {
  EXPECT_EQ(hash_password(Secret("elevenchars")).error().message, "a password needs 12 characters or more");
  EXPECT_TRUE(hash_password(Secret("twelve chars")));
  EXPECT_EQ(hash_password(Secret(std::string(1025, 'x'))).error().message, "a password has 1024 bytes at the most");
  EXPECT_TRUE(hash_password(Secret(std::string(1024, 'x'))));
}

TEST(Password, WhatIsNoHashFitsNothing) {
  EXPECT_FALSE(is_password(Secret("correct horse battery"), ""));
  EXPECT_FALSE(is_password(Secret(""), ""));
  EXPECT_FALSE(is_password(Secret("correct horse battery"), "correct horse battery"));
  EXPECT_FALSE(is_password(Secret("x"), "$argon2id$" + std::string(200, 'x')));
  EXPECT_FALSE(is_password(Secret(std::string(1025, 'x')), hash_password(Secret("correct horse battery")).value()));
}

TEST(Password, SecretsDiffer) {
  EXPECT_EQ(new_secret().reveal().size(), 64u);
  EXPECT_NE(new_secret().reveal(), new_secret().reveal());
}

}  // namespace
}  // namespace steward
