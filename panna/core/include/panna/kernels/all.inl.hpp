// All kernels of one instruction set; PANNA_VECTOR_BYTES is set by dispatch.hpp.

namespace in_double {
#define PANNA_SINGLE 0
#include "panna/kernels/vector.inl.hpp"
#include "panna/kernels/neighbours.inl.hpp"
#include "panna/kernels/pairs.inl.hpp"
#include "panna/kernels/network.inl.hpp"
#undef PANNA_SINGLE
}  // namespace in_double

namespace in_single {
#define PANNA_SINGLE 1
#include "panna/kernels/vector.inl.hpp"
#include "panna/kernels/pairs.inl.hpp"
#include "panna/kernels/blocks.inl.hpp"
#undef PANNA_SINGLE
}  // namespace in_single

#include "panna/kernels/descriptor.inl.hpp"
#include "panna/kernels/jacobian.inl.hpp"
