// The one exception of the core. Shells (Python, LAMMPS, KIM) turn it into their own errors.
#pragma once

#include <stdexcept>
#include <string>

namespace panna {

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace panna
