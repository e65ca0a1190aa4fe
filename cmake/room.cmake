# One room of the house: a static library of the sources in its folder, and one test program of the *_test.cc beside them.
#
#   steward_room(io_sql LINKS core PRIVATE PostgreSQL::PostgreSQL)
#
# LINKS are rooms (and libraries whose headers the room's own headers include); PRIVATE is for its .cc files alone.
# TEST_LINKS are for its tests alone.

add_library(steward_options INTERFACE)
target_include_directories(steward_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(steward_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -fno-omit-frame-pointer)
# GCC 12 sees uninitialised things in std::variant and std::expected that are not there, and overlaps in std::string's
# assignment (PR 105651).
target_compile_options(steward_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>)
if(STEWARD_WERROR)
  target_compile_options(steward_options INTERFACE -Werror)
endif()
if(STEWARD_SANITIZE STREQUAL "address")
  target_compile_options(steward_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(steward_options INTERFACE -fsanitize=address,undefined)
elseif(STEWARD_SANITIZE STREQUAL "thread")
  target_compile_options(steward_options INTERFACE -fsanitize=thread -Wno-tsan)
  target_link_options(steward_options INTERFACE -fsanitize=thread)
endif()
find_program(MOLD mold)
if(MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
  target_link_options(steward_options INTERFACE -fuse-ld=mold)
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

function(steward_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE;TEST_LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(LENGTH sources count)
  if(count EQUAL 0)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE steward_options ${ROOM_LINKS})
  else()
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC steward_options ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE})
  endif()
  if(STEWARD_TESTS AND tests)
    steward_test(${name}_test SOURCES ${tests} LINKS ${name} ${ROOM_TEST_LINKS})
  endif()
endfunction()

# What only tests have is not optimised: it compiles in two thirds of the time so, and what the tests try is optimised.
function(steward_compile_quickly target)
  if(NOT STEWARD_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# A test program whose every case is a test of ctest.
function(steward_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  steward_compile_quickly(${name})
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600 LABELS "${TEST_LABELS}")
endfunction()
