// Runs a fuzz target over files, without libFuzzer: so every seed is a test, with any compiler.
//
//   manifest_replay corpus/manifest

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "property.h"

namespace {

bool replay(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) return false;
  // Named first: where a property ends the process, this is the last line.
  std::cout << file.string() << std::endl;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int replayed = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], error)) {
      if (!replay(entry.path())) return 1;
      ++replayed;
    }
    if (error) std::cerr << argv[i] << ": " << error.message() << '\n';
  }
  std::cout << replayed << " seeds\n";
  return replayed > 0 ? 0 : 1;
}
