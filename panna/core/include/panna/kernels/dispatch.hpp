// The kernels, compiled for several instruction sets from one source, and the choice at run time.
//
// Each instruction set includes the .inl.hpp files again in a namespace of its own, under the
// compiler's target pragma: one binary, made without -march flags, runs anywhere and is as fast
// as one made for the machine. Environment: PANNA_ISA = baseline | avx2 | avx512 forces a set; the
// baseline, what every processor of the architecture has, is called neon on aarch64.
#pragma once

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../error.hpp"
#include "types.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#define PANNA_INTRINSICS 1  // what the kernels use beyond the compiler's vector extension
#else
#define PANNA_INTRINSICS 0
#endif

#if defined(__aarch64__)
#define PANNA_BASELINE "neon"
#else
#define PANNA_BASELINE "baseline"
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace panna {
namespace kernels {

template <int N>
struct Width {
  static constexpr int value = N;
};

// What one instruction set offers. `backward`, `tangent` and `jacobian` follow a `forward` of the
// same atom; with g = null that `forward` only prepares for them.
struct Table {
  const char* name;
  // [is BP][single precision]
  void (*forward[2][2])(const Separable&, const Workplace&, double* g);
  void (*backward[2][2])(const Separable&, const Workplace&, const double* g_bar);
  void (*tangent[2][2])(const Separable&, const Workplace&, double* dg);
  // [is BP]
  void (*jacobian[2])(const Separable&, const Workplace&, const int* original, int most_pairs,
                      double* scratch, double* out);
  long (*jacobian_scratch)(const Separable&, int most_pairs);
  double (*network_forward)(const Layer*, int, const double* g, double* values, double* slopes);
  void (*network_backward)(const Layer*, int, const double* g, const double* values,
                           const double* slopes, double* scratch, int widest, double* g_bar);
  void (*block_gradient)(const float* block, long pairs, long size, const float* g_bar,
                         double* gradient);
  void (*block_change)(const float* block, long pairs, long size, const double* tangents,
                       float* dg);
  void (*half_block_gradient)(const Half* block, long pairs, long size, const float* g_bar,
                              double* gradient);
  void (*half_block_change)(const Half* block, long pairs, long size, const double* tangents,
                            float* dg);
  void (*to_half)(const float* from, long count, Half* to);
};

#define PANNA_INLINE inline __attribute__((always_inline))
#define PANNA_KERNEL_TABLE(NAME)                                                   \
  inline const Table table = {NAME,                                                \
                              {{forward<false, false>, forward<false, true>},      \
                               {forward<true, false>, forward<true, true>}},       \
                              {{backward<false, false>, backward<false, true>},    \
                               {backward<true, false>, backward<true, true>}},     \
                              {{tangent<false, false>, tangent<false, true>},      \
                               {tangent<true, false>, tangent<true, true>}},       \
                              {jacobian<false>, jacobian<true>},                   \
                              jacobian_scratch,                                    \
                              in_double::network_forward,                          \
                              in_double::network_backward,                         \
                              in_single::block_gradient<float>,                    \
                              in_single::block_change<float>,                      \
                              in_single::block_gradient<Half>,                     \
                              in_single::block_change<Half>,                       \
                              in_single::to_half};

namespace baseline {
#define PANNA_VECTOR_BYTES 16
#include "all.inl.hpp"
PANNA_KERNEL_TABLE(PANNA_BASELINE)
#undef PANNA_VECTOR_BYTES
}  // namespace baseline

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define PANNA_X86_DISPATCH 1

#pragma GCC push_options
// Every processor with AVX2 has F16C.
#pragma GCC target("avx2,fma,f16c")
namespace avx2 {
#define PANNA_VECTOR_BYTES 32
#include "all.inl.hpp"
PANNA_KERNEL_TABLE("avx2")
#undef PANNA_VECTOR_BYTES
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma,f16c,prefer-vector-width=512")
namespace avx512 {
#define PANNA_VECTOR_BYTES 64
#include "all.inl.hpp"
PANNA_KERNEL_TABLE("avx512")
#undef PANNA_VECTOR_BYTES
}  // namespace avx512
#pragma GCC pop_options
#endif

inline const Table* find(const std::string& name) {
  if (name == "baseline" || name == PANNA_BASELINE) return &baseline::table;
#ifdef PANNA_X86_DISPATCH
  if (name == "avx2" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return &avx2::table;
  if (name == "avx512" && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return &avx512::table;
#endif
  return nullptr;
}

inline const Table* best() {
  if (const char* wanted = std::getenv("PANNA_ISA")) {
    if (const Table* table = find(wanted)) return table;
    throw Error(std::string("environment variable PANNA_ISA = ") + wanted +
                ": unknown or not supported by this processor; expected " PANNA_BASELINE
                ", avx2 or avx512");
  }
  for (const char* name : {"avx512", "avx2"})
    if (const Table* table = find(name)) return table;
  return &baseline::table;
}

inline std::atomic<const Table*>& chosen() {
  static std::atomic<const Table*> table{best()};
  return table;
}

inline const Table& active() { return *chosen().load(std::memory_order_relaxed); }

// Choose an instruction set by name; for tests and benchmarks.
inline void use(const std::string& name) {
  const Table* table = find(name);
  if (table == nullptr)
    throw Error("instruction set " + name + " is unknown or not supported by this processor");
  chosen().store(table);
}

}  // namespace kernels
}  // namespace panna

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
