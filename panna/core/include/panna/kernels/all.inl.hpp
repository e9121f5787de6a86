// All kernels of one instruction set; PANNA_VECTOR_BYTES is set by dispatch.hpp.

namespace in_double {
#define PANNA_SINGLE 0
#include "vector.inl.hpp"
#include "neighbours.inl.hpp"
#include "pairs.inl.hpp"
#include "network.inl.hpp"
#undef PANNA_SINGLE
}  // namespace in_double

namespace in_single {
#define PANNA_SINGLE 1
#include "vector.inl.hpp"
#include "pairs.inl.hpp"
#include "half.inl.hpp"
#include "blocks.inl.hpp"
#undef PANNA_SINGLE
}  // namespace in_single

#include "descriptor.inl.hpp"
#include "jacobian.inl.hpp"
