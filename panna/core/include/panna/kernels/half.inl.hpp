// Numbers of half precision: 5 bits of exponent, which count from 15 in place of 127, 10 of fraction.
// Numbers below 2^-14 have the exponent 0 and no leading 1.

PANNA_INLINE V load(const Half* p) {
#if PANNA_INTRINSICS && PANNA_VECTOR_BYTES == 64
  return (V)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256((const __m256i*)p));
#elif PANNA_INTRINSICS && PANNA_VECTOR_BYTES == 32
  return (V)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#else
  I bits{};
  for (int i = 0; i < W; ++i) bits[i] = p[i].bits;
  const I rest = (bits & 0x7fff) << 13;
  const V normal = (V)(rest + (112 << 23)), small = (V)(rest + (113 << 23)) - 6.103515625e-05f;
  return (V)((I)select(rest < 0x00800000, small, normal) | (bits & 0x8000) << 16);
#endif
}

PANNA_INLINE Real single(Real x) { return x; }
PANNA_INLINE Real single(Half x) {
  const Half lanes[W] = {x};
  return load(lanes)[0];
}

// Rounded to the nearest; numbers beyond 65504 become infinite.
PANNA_INLINE void store(Half* p, V x) {
#if PANNA_INTRINSICS && PANNA_VECTOR_BYTES == 64
  _mm256_storeu_si256((__m256i*)p, _mm512_maskz_cvtps_ph(0xffff, (__m512)x, 0));
#elif PANNA_INTRINSICS && PANNA_VECTOR_BYTES == 32
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph((__m256)x, 0));
#else
  const I largest = I{} + 0x47800000;  // 65536
  I size = (I)x & 0x7fffffff;
  size = size < largest ? size : largest;
  const I normal = (size - (112 << 23) + 0xfff + ((size >> 13) & 1)) >> 13;
  // The sum with 1/2 has the digits of a number below 2^-14 where they belong.
  const I small = (I)((V)size + 0.5f) - 0x3f000000;
  const I bits = (size < 0x38800000 ? small : normal) | (((I)x >> 16) & 0x8000);
  for (int i = 0; i < W; ++i) p[i].bits = static_cast<std::uint16_t>(bits[i]);
#endif
}

inline void to_half(const Real* from, long count, Half* to) {
  long i = 0;
  for (; i + W <= count; i += W) store(to + i, load(from + i));
  if (i == count) return;
  Real rest[W] = {};
  Half rounded[W];
  for (long k = i; k < count; ++k) rest[k - i] = from[k];
  store(rounded, load(rest));
  for (long k = i; k < count; ++k) to[k] = rounded[k - i];
}
