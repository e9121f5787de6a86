// A thin vector of doubles or floats on the compiler's vector extension, and the few functions that
// the kernels need. Included for each instruction set and precision (see dispatch.hpp) inside a
// namespace of its own. PANNA_VECTOR_BYTES: width of a register; PANNA_SINGLE: 1 for floats;
// PANNA_INTRINSICS: 0 does without, where there are none for this width.

#if PANNA_SINGLE
typedef float Real;
typedef int Integer;
#else
typedef double Real;
typedef long long Integer;
#endif
constexpr bool kSingle = PANNA_SINGLE;
constexpr int W = PANNA_VECTOR_BYTES / sizeof(Real);
typedef Real V __attribute__((vector_size(PANNA_VECTOR_BYTES)));
typedef Integer I __attribute__((vector_size(PANNA_VECTOR_BYTES)));
typedef Real VUnaligned
    __attribute__((vector_size(PANNA_VECTOR_BYTES), aligned(sizeof(Real)), may_alias));

PANNA_INLINE V load(const Real* p) { return *reinterpret_cast<const VUnaligned*>(p); }
PANNA_INLINE void store(Real* p, V x) { *reinterpret_cast<VUnaligned*>(p) = x; }
PANNA_INLINE V all(Real x) { return V{} + x; }
PANNA_INLINE V select(I mask, V yes, V no) { return mask ? yes : no; }
PANNA_INLINE V larger(V a, V b) {
#if !PANNA_INTRINSICS
  return a > b ? a : b;
#elif PANNA_VECTOR_BYTES == 64 && PANNA_SINGLE
  return (V)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);
#elif PANNA_VECTOR_BYTES == 64
  return (V)_mm512_maskz_max_pd(0xff, (__m512d)a, (__m512d)b);
#elif PANNA_VECTOR_BYTES == 32 && PANNA_SINGLE
  return (V)_mm256_max_ps((__m256)a, (__m256)b);
#elif PANNA_VECTOR_BYTES == 32
  return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif PANNA_SINGLE
  return (V)_mm_max_ps((__m128)a, (__m128)b);
#else
  return (V)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
}

// Halves are added until one number is left.
PANNA_INLINE double sum(V x) {
#if PANNA_INTRINSICS && PANNA_SINGLE && PANNA_VECTOR_BYTES > 16
  __m256 halves[W / 8];
  std::memcpy(halves, &x, sizeof x);
  const __m256 h = W == 16 ? halves[0] + halves[W / 8 - 1] : halves[0];
  const __m128 q = _mm256_castps256_ps128(h) + _mm256_extractf128_ps(h, 1);
  const __m128 two = q + _mm_movehl_ps(q, q);
  return _mm_cvtss_f32(two + _mm_shuffle_ps(two, two, 1));
#else
  Real s[W];
  store(s, x);
  for (int width = W / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) s[i] += s[i + width];
  return s[0];
#endif
}

// to[i * stride + m] = x[m][i]
template <int N>
PANNA_INLINE void store_transposed(const V (&x)[N], Real* to, long stride) {
#if PANNA_INTRINSICS && PANNA_VECTOR_BYTES == 32 && !PANNA_SINGLE
  if constexpr (N == 4) {
    const __m256d a = _mm256_unpacklo_pd((__m256d)x[0], (__m256d)x[1]),
                  b = _mm256_unpackhi_pd((__m256d)x[0], (__m256d)x[1]),
                  c = _mm256_unpacklo_pd((__m256d)x[2], (__m256d)x[3]),
                  d = _mm256_unpackhi_pd((__m256d)x[2], (__m256d)x[3]);
    store(to, (V)_mm256_permute2f128_pd(a, c, 0x20));
    store(to + stride, (V)_mm256_permute2f128_pd(b, d, 0x20));
    store(to + 2 * stride, (V)_mm256_permute2f128_pd(a, c, 0x31));
    store(to + 3 * stride, (V)_mm256_permute2f128_pd(b, d, 0x31));
    return;
  }
#endif
  for (int i = 0; i < W; ++i)
    for (int m = 0; m < N; ++m) to[i * stride + m] = x[m][i];
}

// Lanes 0 .. n-1 of a register.
PANNA_INLINE I first_lanes(int n) {
  I lane;
  for (int i = 0; i < W; ++i) lane[i] = i;
  return lane < (I{} + static_cast<Integer>(n));
}

PANNA_INLINE V square_root(V x) {
#if !PANNA_INTRINSICS
  for (int i = 0; i < W; ++i) x[i] = static_cast<Real>(__builtin_sqrt(x[i]));
  return x;
#elif PANNA_VECTOR_BYTES == 64 && PANNA_SINGLE
  return (V)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
#elif PANNA_VECTOR_BYTES == 64
  return (V)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
#elif PANNA_VECTOR_BYTES == 32 && PANNA_SINGLE
  return (V)_mm256_sqrt_ps((__m256)x);
#elif PANNA_VECTOR_BYTES == 32
  return (V)_mm256_sqrt_pd((__m256d)x);
#elif PANNA_SINGLE
  return (V)_mm_sqrt_ps((__m128)x);
#else
  return (V)_mm_sqrt_pd((__m128d)x);
#endif
}

// 1/sqrt(x) for x > 0: hardware estimate y and the series of (1 - e)^(-1/2) with e = 1 - x y^2, to
// about one unit in the last place. Divisions and square roots would take longer.
PANNA_INLINE V inverse_square_root(V x) {
#if !PANNA_INTRINSICS
  return Real(1.0) / square_root(x);
#elif PANNA_SINGLE
#if PANNA_VECTOR_BYTES == 64
  const V y = (V)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)x);
#elif PANNA_VECTOR_BYTES == 32
  const V y = (V)_mm256_rsqrt_ps((__m256)x);
#else
  const V y = (V)_mm_rsqrt_ps((__m128)x);
#endif
  return y + (y * (1.0f - x * (y * y))) * 0.5f;
#elif PANNA_VECTOR_BYTES == 64
  const V y = (V)_mm512_maskz_rsqrt14_pd(0xff, (__m512d)x);
  const V e = 1.0 - x * (y * y);  // below 1.3e-4
  return y + (y * e) * (0.5 + e * (0.375 + e * 0.3125));
#elif PANNA_VECTOR_BYTES == 32
  const V y = (V)_mm256_cvtps_pd(_mm_rsqrt_ps(_mm256_cvtpd_ps((__m256d)x)));
  const V e = 1.0 - x * (y * y);  // below 7.4e-4
  return y + (y * e) * (0.5 + e * (0.375 + e * (0.3125 + e * 0.2734375)));
#else
  return Real(1.0) / square_root(x);
#endif
}

#if PANNA_SINGLE
// exp(x) for x <= 88, relative error below 2e-7; smaller than 1e-37 becomes about 1e-38. The
// polynomial is that of expf in the Cephes library (S. Moshier).
PANNA_INLINE V exponential(V x) {
  x = larger(x, all(-87.0f));
  const V shifted = x * 1.44269504f + 12582912.0f;
  const V k = shifted - 12582912.0f;
  const V r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  V p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return (V)((I)p + ((I)shifted << 23));
}
#else
// exp(x) for x <= 709, relative error below 3e-16; smaller than 1e-307 becomes about 1e-308.
// x = k ln2 + r; polynomial of degree 11 for exp(r), Chebyshev-fitted to |r| <= ln2/2.
PANNA_INLINE V exponential(V x) {
  x = larger(x, all(-708.0));
  const V shifted = x * 1.4426950408889634 + 6755399441055744.0;
  const V k = shifted - 6755399441055744.0;
  const V r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  V p = all(2.5111259971025166e-08);
  p = p * r + 2.763265964158599e-07;
  p = p * r + 2.755723707562099e-06;
  p = p * r + 2.4801485426765809e-05;
  p = p * r + 0.0001984126989440762;
  p = p * r + 0.0013888888952372821;
  p = p * r + 0.0083333333333174206;
  p = p * r + 0.0416666666664878;
  p = p * r + 0.16666666666666685;
  p = p * r + 0.50000000000000189;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return (V)((I)p + ((I)shifted << 52));
}
#endif

// fc(r) = [1 + cos(pi r/rc)]/2 and its derivative for r < rc, zero beyond.
// cos(pi x) = -sin(pi y), sin(pi x) = cos(pi y) with y = x - 1/2: polynomials in y^2 <= 1/4.
PANNA_INLINE void cutoff(V r, Real rc, V& f, V& df) {
  const Real inv = Real(1.0) / rc;
  const V y = r * inv - Real(0.5);
  const V t = y * y;
  V s = all(Real(7.6964608167357774e-07));
  s = s * t + -Real(2.1903353185070918e-05);
  s = s * t + Real(0.00046629975461185639);
  s = s * t + -Real(0.0073704304922575107);
  s = s * t + Real(0.082145886571450139);
  s = s * t + -Real(0.59926452931884089);
  s = s * t + Real(2.5501640398772976);
  s = s * t + -Real(5.1677127800499694);
  s = s * t + Real(3.1415926535897931);
  V c = all(Real(4.1495111081755686e-06));
  c = c * t + -Real(0.00010456650158981317);
  c = c * t + Real(0.0019295562520649529);
  c = c * t + -Real(0.02580688873282137);
  c = c * t + Real(0.23533063012905936);
  c = c * t + -Real(1.335262768843418);
  c = c * t + Real(4.0587121264164958);
  c = c * t + -Real(4.9348022005446763);
  c = c * t + Real(1.0);
  const I inside = r < all(rc);
  f = select(inside, Real(0.5) - Real(0.5) * (y * s), V{});
  df = select(inside, (-Real(0.5) * Real(3.14159265358979323846) * inv) * c, V{});
}

// h[i]^n by squaring; n is the same for all lanes, so the branches are predicted. Several powers
// together hide the latency of the multiplications.
template <int N>
PANNA_INLINE void integer_powers(const V (&h)[N], int n, V (&power)[N]) {
  V square[N];
  for (int i = 0; i < N; ++i) square[i] = h[i];
  for (int i = 0; i < N; ++i) power[i] = n & 1 ? h[i] : all(Real(1.0));
  for (n >>= 1; n > 0; n >>= 1) {
    for (int i = 0; i < N; ++i) square[i] *= square[i];
    if (n & 1)
      for (int i = 0; i < N; ++i) power[i] *= square[i];
  }
}

// put(m, exp(-eta_m (x - Rs_m)^2)) for all m. Equidistant centres are taken in groups of four: one
// exponential for the second of a group, its neighbours by
//   exp(-eta (y - d)^2) = exp(-eta y^2) up,   up = exp(2 eta d y - eta d^2),
// where `up` changes by `ratio` = exp(-2 eta d^2) from one centre to the next.
template <class Put>
PANNA_INLINE void gaussians(const Gaussians<Real> s, V x, Put put) {
  auto direct = [&](int m) {
    const V y = x - s.rs[m];
    return exponential(-s.eta[m] * y * y);
  };
  if (s.step == Real(0.0)) {
    for (int m = 0; m < s.count; ++m) put(m, direct(m));
    return;
  }
  // Lanes beyond the cutoff have no weight, but must stay finite.
  x = -larger(-x, all(-s.farthest));
  const Real q = s.ratio;
  V up = exponential(s.slope * x - s.shift);
  V down = q / up;
  int m = 0;
  for (; m + 4 <= s.count; m += 4) {
    const V middle = direct(m + 1), next = middle * up;
    put(m, middle * down);
    put(m + 1, middle);
    put(m + 2, next);
    put(m + 3, next * (up * q));
    up *= s.up_change;
    down *= s.down_change;
  }
  for (; m < s.count; ++m) put(m, direct(m));
}
