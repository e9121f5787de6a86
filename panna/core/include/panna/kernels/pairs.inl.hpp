// Pairs of neighbours, lanes over pairs: three-body terms forward, backward (vjp) and in forward
// mode (jvp). Included for each instruction set and precision (Real) inside a namespace of its own.
//
// For each pair of species the pairs are first packed into dense arrays (cosine, argument of the
// radial factors, weight); then R_p and T_q are computed once for a block of lanes and kept; then
// G[p][q] is their outer product, summed over blocks in registers. The backward pass reads the
// kept factors: it needs no transcendental function. Nothing of the size (neighbours x components)
// is ever formed.
// Cost for n neighbours: n^2/2 (2 exponentials + q_count/2 square roots + q_count powers + p_count
// q_count multiply-adds). Memory: n^2/2 (p_count + 2 q_count) numbers.

// fc(r_jk) of BP. The published formula is not cut: between rc and 2 rc it rises again.
template <bool Smooth>
PANNA_INLINE void third_side_cutoff(V r, Real rc, V& f, V& df) {
  if constexpr (Smooth) {
    cutoff(r, rc, f, df);
  } else {
    const I beyond = r >= all(rc);
    cutoff(select(beyond, Real(2.0) * rc - r, r), rc, f, df);
    df = select(beyond, -df, df);
  }
}

template <bool IsBP, bool Smooth>
inline void pack(const ThreeBody<Real>& s, const Legs<Real>& nb, const Pairs<Real>& pr,
                 const PairBlock& pb) {
  const Real two = Real(2.0) * (pb.like ? s.like_factor : Real(1.0));
  int at = pb.offset;
  for (int row = 0; row < pb.rows; ++row) {
    const int j = pb.rows_begin + row;
    const Real rj = nb.r[j], fj = nb.f[j], dfj = nb.df[j];
    const Real ux = nb.ux[j], uy = nb.uy[j], uz = nb.uz[j];
    const int first = pb.first_lane(row), length = pb.row_length(row);
    // The last store of a row runs over its end; the next row, or the padding, overwrites it.
    for (int l = 0; l < length; l += W) {
      const int k = first + l, n = at + l;
      const V rk = load(nb.r + k), fk = load(nb.f + k), dfk = load(nb.df + k);
      V c = ux * load(nb.ux + k) + uy * load(nb.uy + k) + uz * load(nb.uz + k);
      store(pr.c + n, c);
      if constexpr (!IsBP) {
        if constexpr (kSingle) {
          const V ux_k = load(nb.ux + k), uy_k = load(nb.uy + k), uz_k = load(nb.uz + k);
          const V x = uy * uz_k - uz * uy_k, y = uz * ux_k - ux * uz_k, z = ux * uy_k - uy * ux_k;
          store(pr.sin2 + n, x * x + y * y + z * z);
        }
        store(pr.u + n, Real(0.5) * (rj + rk));
        store(pr.w + n, (two * fj) * fk);
        store(pr.w_j + n, (two * dfj) * fk);
        store(pr.w_k + n, (two * fj) * dfk);
      } else {
        const V rjrk = rj * rk;
        const V rjk2 = larger(rj * rj + rk * rk - Real(2.0) * rjrk * c, all(Real(1e-12)));
        const V rjk = square_root(rjk2), inv = Real(1.0) / rjk;
        V f, df;
        third_side_cutoff<Smooth>(rjk, s.rc, f, df);
        const V fjfk = (two * fj) * fk, slope = fjfk * df * inv;
        store(pr.u + n, rj * rj + rk * rk + rjk2);
        store(pr.u_j + n, Real(4.0) * rj - Real(2.0) * rk * c);
        store(pr.u_k + n, Real(4.0) * rk - Real(2.0) * rj * c);
        store(pr.u_c + n, -Real(2.0) * rjrk);
        store(pr.w + n, fjfk * f);
        store(pr.w_j + n, (two * dfj) * fk * f + slope * (rj - rk * c));
        store(pr.w_k + n, (two * fj) * dfk * f + slope * (rk - rj * c));
        store(pr.w_c + n, -slope * rjrk);
      }
    }
    at += length;
  }
  // Lanes behind the last pair: weightless and harmless.
  store(pr.c + at, V{});
  store(pr.u + at, all(s.rc));
  if constexpr (kSingle) store(pr.sin2 + at, all(Real(1.0)));
  store(pr.w + at, V{});
  store(pr.w_j + at, V{});
  store(pr.w_k + at, V{});
  if constexpr (IsBP) {
    store(pr.u_j + at, V{});
    store(pr.u_k + at, V{});
    store(pr.u_c + at, V{});
    store(pr.w_c + at, V{});
  }
}

PANNA_INLINE V real_power(V h, Real exponent) {
  for (int i = 0; i < W; ++i) h[i] = __builtin_pow(h[i] > 0 ? h[i] : Real(0.0), exponent);
  return h;
}

// T_q and dT_q/dc of N / 2 pairs of mirrored angles with the same power, for one block of lanes.
template <bool IsBP, int N>
PANNA_INLINE void angular_factors(const MirroredAngles<Real>* angles, V c, V sin2, Real* T,
                                  Real* dT) {
  V h[N], dh[N], power[N];
  for (int i = 0; i < N; i += 2) {
    const MirroredAngles<Real>& t = angles[i / 2];
    V even, slope;  // what does not change sign with the cosine, and its derivative
    if constexpr (IsBP) {
      even = load(t.norm);
      slope = V{};
    } else {
      // Clamped so that eps = 0 and collinear neighbours stay finite.
      const V x = larger(sin2 + load(t.eps_sin2), all(Real(1e-20)));
      const V inv = inverse_square_root(x);
      even = load(t.norm) + load(t.sin) * (x * inv);
      slope = load(t.slope_sin) * (c * inv);
    }
    h[i] = even + load(t.cos) * c;
    h[i + 1] = even - load(t.cos) * c;
    dh[i] = slope + load(t.slope_cos);
    dh[i + 1] = slope - load(t.slope_cos);
  }
  if (angles[0].power >= 0)
    integer_powers(h, angles[0].power, power);
  else
    for (int i = 0; i < N; ++i) power[i] = real_power(h[i], angles[0].zeta - Real(1.0));
  // Mirrors first: an angle without a partner overwrites what was computed for its mirror.
  for (int i = N - 1; i >= 0; --i) {
    const MirroredAngles<Real>& t = angles[i / 2];
    const int q = i % 2 ? t.mirror : t.q;
    store(T + q * W, power[i] * h[i]);
    store(dT + q * W, power[i] * dh[i]);
  }
}

template <bool IsBP>
inline void factors(const ThreeBody<Real>& s, const Pairs<Real>& pr, const PairBlock& pb) {
  // Copies: the compiler must assume that stores change what is behind a pointer.
  const Gaussians<Real> shells = s.shells;
  const MirroredAngles<Real>* const angle = s.angle;
  const int angles = s.angles;
  const long r_step = W * shells.count, t_step = W * s.q_count;
  const int begin = pb.offset, end = pb.offset + pb.count;
  const Real *const us = pr.u, *const cs = pr.c;
  Real* R = pr.R + static_cast<long>(begin) * shells.count;
  Real* T = pr.T + static_cast<long>(begin) * s.q_count;
  Real* dT = pr.dT + static_cast<long>(begin) * s.q_count;
  for (int n = begin; n < end; n += W) {
    const V u = load(us + n), c = load(cs + n);
    if constexpr (IsBP)
      for (int p = 0; p < shells.count; ++p) store(R + p * W, exponential(-shells.eta[p] * u));
    else
      gaussians(shells, u, [=](int p, V e) { store(R + p * W, e); });
    const V sin2 = kSingle ? load(pr.sin2 + n) : Real(1.0) - c * c;
    int t = 0;
    for (; t + 1 < angles; t += 2)
      if (angle[t].zeta == angle[t + 1].zeta) {
        angular_factors<IsBP, 4>(angle + t, c, sin2, T, dT);
      } else {
        angular_factors<IsBP, 2>(angle + t, c, sin2, T, dT);
        angular_factors<IsBP, 2>(angle + t + 1, c, sin2, T, dT);
      }
    if (t < angles) angular_factors<IsBP, 2>(angle + t, c, sin2, T, dT);
    R += r_step;
    T += t_step;
    dT += t_step;
  }
}

// Outer products of P radial and Q angular factors, summed over the pairs of a block:
//   G[p][q] = sum w R_p T_q
template <int P, int Q>
inline void outer_tile(const ThreeBody<Real>& s, const Pairs<Real>& pr, const PairBlock& pb, int p0, int q0,
                       double* g) {
  V total[P][Q] = {};
  const Real* R = pr.R + static_cast<long>(pb.offset) * s.shells.count + p0 * W;
  const Real* T = pr.T + static_cast<long>(pb.offset) * s.q_count + q0 * W;
  for (int n = pb.offset; n < pb.offset + pb.count; n += W) {
    const V w = load(pr.w + n);
    V t[Q];
    for (int q = 0; q < Q; ++q) t[q] = load(T + q * W);
    for (int p = 0; p < P; ++p) {
      const V wr = w * load(R + p * W);
      for (int q = 0; q < Q; ++q) total[p][q] += wr * t[q];
    }
    R += s.shells.count * W;
    T += s.q_count * W;
  }
  for (int p = 0; p < P; ++p)
    for (int q = 0; q < Q; ++q) g[(p0 + p) * s.q_count + q0 + q] = sum(total[p][q]);
}

// dG[p][q] = sum (a R_p + b R'_p) T_q + d R_p dT_q with the tangents a of w, b of u (times w) and
// d of c (times w).
template <bool IsBP, int P, int Q>
inline void tangent_tile(const ThreeBody<Real>& s, const Pairs<Real>& pr, const PairBlock& pb, int p0, int q0,
                         double* dg) {
  V total[P][Q] = {};
  const Real* R = pr.R + static_cast<long>(pb.offset) * s.shells.count + p0 * W;
  const Real* T = pr.T + static_cast<long>(pb.offset) * s.q_count + q0 * W;
  const Real* dT = pr.dT + static_cast<long>(pb.offset) * s.q_count + q0 * W;
  for (int n = pb.offset; n < pb.offset + pb.count; n += W) {
    const V a = load(pr.a + n), b = load(pr.b + n), d = load(pr.d + n), u = load(pr.u + n);
    for (int p = 0; p < P; ++p) {
      const V r = load(R + p * W);
      const V slope = IsBP ? all(-s.shells.eta[p0 + p])
                           : (-Real(2.0) * s.shells.eta[p0 + p]) * (u - s.shells.rs[p0 + p]);
      const V left = (a + b * slope) * r, right = d * r;
      for (int q = 0; q < Q; ++q)
        total[p][q] += left * load(T + q * W) + right * load(dT + q * W);
    }
    R += s.shells.count * W;
    T += s.q_count * W;
    dT += s.q_count * W;
  }
  for (int p = 0; p < P; ++p)
    for (int q = 0; q < Q; ++q) dg[(p0 + p) * s.q_count + q0 + q] = sum(total[p][q]);
}

// Cover all (p, q) with tiles as large as the registers hold.
template <class Tile>
inline void for_tiles(const ThreeBody<Real>& s, Tile tile) {
  constexpr int P = W >= 8 ? 2 : 1;
  int p = 0;
  auto rows = [&](auto height) {
    constexpr int H = decltype(height)::value;
    int q = 0;
    for (; q + 8 <= s.q_count; q += 8) tile.template operator()<H, 8>(p, q);
    for (; q + 4 <= s.q_count; q += 4) tile.template operator()<H, 4>(p, q);
    for (; q < s.q_count; ++q) tile.template operator()<H, 1>(p, q);
  };
  for (; p + P <= s.shells.count; p += P) rows(Width<P>{});
  for (; p < s.shells.count; ++p) rows(Width<1>{});
}

struct OuterTile {
  const ThreeBody<Real>& s;
  const Pairs<Real>& pr;
  const PairBlock& pb;
  double* g;
  template <int P, int Q>
  void operator()(int p, int q) const { outer_tile<P, Q>(s, pr, pb, p, q, g); }
};

template <bool IsBP>
struct TangentTile {
  const ThreeBody<Real>& s;
  const Pairs<Real>& pr;
  const PairBlock& pb;
  double* dg;
  template <int P, int Q>
  void operator()(int p, int q) const { tangent_tile<IsBP, P, Q>(s, pr, pb, p, q, dg); }
};

// Gradients of sum g_bar[p][q] G[p][q] with respect to r_j, r_k and c of each pair.
template <bool IsBP>
inline void pair_gradients(const ThreeBody<Real>& s, const Pairs<Real>& pr, const PairBlock& pb,
                           const Real* g_bar) {
  for (int n = pb.offset; n < pb.offset + pb.count; n += W) {
    const V u = load(pr.u + n), w = load(pr.w + n);
    const Real* R = pr.R + static_cast<long>(n) * s.shells.count;
    const Real* T = pr.T + static_cast<long>(n) * s.q_count;
    const Real* dT = pr.dT + static_cast<long>(n) * s.q_count;
    V value{}, du{}, dc{};  // sums of g R T, g R' T, g R T'
    auto columns = [&](int q0, auto width) {
      constexpr int N = decltype(width)::value;
      V t[N], b[N] = {};
      for (int q = 0; q < N; ++q) t[q] = load(T + (q0 + q) * W);
      for (int p = 0; p < s.shells.count; ++p) {
        const Real* g = g_bar + p * s.q_count + q0;
        const V r = load(R + p * W);
        V a{};
        for (int q = 0; q < N; ++q) {
          a += g[q] * t[q];
          b[q] += g[q] * r;
        }
        const V ar = a * r;
        value += ar;
        du += ar * (IsBP ? all(-s.shells.eta[p]) : (-Real(2.0) * s.shells.eta[p]) * (u - s.shells.rs[p]));
      }
      for (int q = 0; q < N; ++q) dc += b[q] * load(dT + (q0 + q) * W);
    };
    int q = 0;
    for (; q + 8 <= s.q_count; q += 8) columns(q, Width<8>{});
    for (; q + 4 <= s.q_count; q += 4) columns(q, Width<4>{});
    for (; q < s.q_count; ++q) columns(q, Width<1>{});
    const V wdu = w * du;
    if constexpr (IsBP) {
      store(pr.a + n, wdu * load(pr.u_j + n) + value * load(pr.w_j + n));
      store(pr.b + n, wdu * load(pr.u_k + n) + value * load(pr.w_k + n));
      store(pr.d + n, w * dc + wdu * load(pr.u_c + n) + value * load(pr.w_c + n));
    } else {
      store(pr.a + n, Real(0.5) * wdu + value * load(pr.w_j + n));
      store(pr.b + n, Real(0.5) * wdu + value * load(pr.w_k + n));
      store(pr.d + n, w * dc);
    }
  }
}

// Sum the gradients of pairs into their neighbours, row by row: no gather, no scatter.
inline void collect(const Legs<Real>& nb, const Pairs<Real>& pr, const PairBlock& pb) {
  int at = pb.offset;
  for (int row = 0; row < pb.rows; ++row) {
    const int j = pb.rows_begin + row;
    const Real ux = nb.ux[j], uy = nb.uy[j], uz = nb.uz[j];
    const int first = pb.first_lane(row), length = pb.row_length(row);
    V radial{}, vx{}, vy{}, vz{};
    for (int l = 0; l < length; l += W) {
      const int k = first + l, n = at + l;
      V a = load(pr.a + n), b = load(pr.b + n), d = load(pr.d + n);
      if (l + W > length) {
        const I mine = first_lanes(length - l);
        a = select(mine, a, V{});
        b = select(mine, b, V{});
        d = select(mine, d, V{});
      }
      radial += a;
      vx += d * load(nb.ux + k);
      vy += d * load(nb.uy + k);
      vz += d * load(nb.uz + k);
      store(nb.radial + k, load(nb.radial + k) + b);
      store(nb.vx + k, load(nb.vx + k) + d * ux);
      store(nb.vy + k, load(nb.vy + k) + d * uy);
      store(nb.vz + k, load(nb.vz + k) + d * uz);
    }
    nb.radial[j] += sum(radial);
    nb.vx[j] += sum(vx);
    nb.vy[j] += sum(vy);
    nb.vz[j] += sum(vz);
    at += length;
  }
}

// Tangents of (w, u, c) of each pair from those of the neighbours.
template <bool IsBP>
inline void pair_tangents(const Legs<Real>& nb, const Pairs<Real>& pr, const PairBlock& pb) {
  int at = pb.offset;
  for (int row = 0; row < pb.rows; ++row) {
    const int j = pb.rows_begin + row;
    const int first = pb.first_lane(row), length = pb.row_length(row);
    for (int l = 0; l < length; l += W) {
      const int k = first + l, n = at + l;
      const V dc = nb.vx[j] * load(nb.ux + k) + nb.ux[j] * load(nb.vx + k) +
                   nb.vy[j] * load(nb.uy + k) + nb.uy[j] * load(nb.vy + k) +
                   nb.vz[j] * load(nb.uz + k) + nb.uz[j] * load(nb.vz + k);
      const V drk = load(nb.radial + k);
      const Real drj = nb.radial[j];
      V du, dw = drj * load(pr.w_j + n) + load(pr.w_k + n) * drk;
      if constexpr (IsBP) {
        du = drj * load(pr.u_j + n) + load(pr.u_k + n) * drk + load(pr.u_c + n) * dc;
        dw += load(pr.w_c + n) * dc;
      } else {
        du = Real(0.5) * (drj + drk);
      }
      const V w = load(pr.w + n);
      store(pr.a + n, dw);
      store(pr.b + n, w * du);
      store(pr.d + n, w * dc);
    }
    at += length;
  }
  store(pr.a + at, V{});
  store(pr.b + at, V{});
  store(pr.d + at, V{});
}

// G is summed up unless g is null; the factors stay for what follows.
template <bool IsBP>
inline void pairs_forward(const ThreeBody<Real>& s, const Legs<Real>& nb, const Pairs<Real>& pr,
                          const PairBlock& pb, double* g) {
  if (IsBP && !s.rjk_smooth)
    pack<IsBP, false>(s, nb, pr, pb);
  else
    pack<IsBP, true>(s, nb, pr, pb);
  factors<IsBP>(s, pr, pb);
  if (g) for_tiles(s, OuterTile{s, pr, pb, g});
}

template <bool IsBP>
inline void pairs_tangent(const ThreeBody<Real>& s, const Legs<Real>& nb, const Pairs<Real>& pr,
                          const PairBlock& pb, double* dg) {
  pair_tangents<IsBP>(nb, pr, pb);
  for_tiles(s, TangentTile<IsBP>{s, pr, pb, dg});
}

// Zeroes what `collect` adds to.
inline void clear(const Legs<Real>& nb, int count) {
  for (Real* sums : {nb.radial, nb.vx, nb.vy, nb.vz})
    for (int i = 0; i < count; ++i) sums[i] = Real(0.0);
}
