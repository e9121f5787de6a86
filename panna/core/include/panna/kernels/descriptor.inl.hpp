// Separable two- and three-body descriptors (mBP and BP): forward, backward (vjp) and forward
// mode (jvp). Included once for each instruction set inside its namespace.
//
// Lanes run over neighbours in the radial part and over *pairs* of neighbours in the angular
// part. For each pair of species the pairs are first packed into dense arrays (cosine, argument
// of the radial factors, weight); then R_p and T_q are computed once for a block of lanes and
// kept; then G[p][q] is their outer product, summed over blocks in registers. The backward pass
// reads the kept factors: it needs no transcendental function. Nothing of the size
// (neighbours x components) is ever formed.
// Cost for n neighbours: n radial exponentials; n^2/2 (p_count exponentials + q_count square
// roots + p_count q_count multiply-adds). Memory: n^2/2 (p_count + 2 q_count) doubles.

// ---- neighbours --------------------------------------------------------------------------------

inline void geometry(const Separable& s, const Neighbours& nb) {
  for (int i = 0; i < nb.padded; i += W) {
    const V x = load(nb.x + i), y = load(nb.y + i), z = load(nb.z + i);
    const V r = square_root(x * x + y * y + z * z);
    const V inv = 1.0 / r;
    store(nb.r + i, r);
    store(nb.r_inv + i, inv);
    store(nb.ux + i, x * inv);
    store(nb.uy + i, y * inv);
    store(nb.uz + i, z * inv);
    V f, df;
    cutoff(r, s.rc_rad, f, df);
    store(nb.f_rad + i, f);
    store(nb.df_rad + i, df);
    cutoff(r, s.rc_ang, f, df);
    store(nb.f_ang + i, f);
    store(nb.df_ang + i, df);
  }
}

// ---- radial part -------------------------------------------------------------------------------

inline void radial_forward(const Separable& s, const Neighbours& nb, double* g) {
  const int radial = s.radial.count;
  for (int i = 0; i < nb.padded; i += W) {
    double* kept = nb.gaussians + static_cast<long>(i) * radial;
    gaussians(s.radial, load(nb.r + i), [=](int m, V e) { store(kept + m * W, e); });
  }
  for (int t = 0; t < s.species; ++t) {
    const int begin = nb.begin[t], end = begin + nb.count[t];
    for (int m = 0; m < radial; ++m) {
      V total{};
      for (int i = begin; i < end; i += W)
        total += load(nb.gaussians + static_cast<long>(i) * radial + m * W) * load(nb.f_rad + i);
      g[t * radial + m] = sum(total);
    }
  }
}

// d/dr of exp(-eta (r - Rs)^2) fc(r), from the kept exponential.
PANNA_INLINE V radial_slope(const Separable& s, const Neighbours& nb, int i, int m) {
  const V e = load(nb.gaussians + static_cast<long>(i) * s.radial.count + m * W);
  const V x = load(nb.r + i) - s.radial.rs[m];
  return e * (load(nb.df_rad + i) - (2.0 * s.radial.eta[m]) * x * load(nb.f_rad + i));
}

inline void radial_backward(const Separable& s, const Neighbours& nb, const double* g_bar) {
  for (int t = 0; t < s.species; ++t) {
    const int begin = nb.begin[t], end = begin + nb.count[t];
    for (int i = begin; i < end; i += W) {
      V total{};
      for (int m = 0; m < s.radial.count; ++m)
        total += g_bar[t * s.radial.count + m] * radial_slope(s, nb, i, m);
      store(nb.radial + i, total);
    }
  }
}

inline void radial_tangent(const Separable& s, const Neighbours& nb, double* dg) {
  for (int t = 0; t < s.species; ++t) {
    const int begin = nb.begin[t], end = begin + nb.count[t];
    for (int m = 0; m < s.radial.count; ++m) {
      V total{};
      for (int i = begin; i < end; i += W)
        total += radial_slope(s, nb, i, m) * load(nb.radial + i);
      dg[t * s.radial.count + m] = sum(total);
    }
  }
}

// ---- pairs of neighbours -----------------------------------------------------------------------

// The pairs of one pair of species: row j against a run of lanes k. For two species the longer
// block is in the lanes.
struct PairBlock {
  int rows_begin, rows, lanes_begin, lanes;
  bool like;
  int offset, count;

  PANNA_INLINE int first_lane(int row) const { return like ? lanes_begin + row + 1 : lanes_begin; }
  PANNA_INLINE int row_length(int row) const { return like ? lanes - row - 1 : lanes; }
};

inline PairBlock pair_block(const Neighbours& nb, int a, int b, int index) {
  if (nb.angular[a] > nb.angular[b]) {
    const int swap = a;
    a = b;
    b = swap;
  }
  return {nb.begin[a], nb.angular[a], nb.begin[b], nb.angular[b], a == b,
          nb.pairs_begin[index], nb.pairs_count[index]};
}

// fc(r_jk) of BP. The published formula is not cut: between rc and 2 rc it rises again.
template <bool Smooth>
PANNA_INLINE void third_side_cutoff(V r, double rc, V& f, V& df) {
  if constexpr (Smooth) {
    cutoff(r, rc, f, df);
  } else {
    const I beyond = r >= all(rc);
    cutoff(select(beyond, 2.0 * rc - r, r), rc, f, df);
    df = select(beyond, -df, df);
  }
}

template <bool IsBP, bool Smooth>
inline void pack(const Separable& s, const Neighbours& nb, const Pairs& pr, const PairBlock& pb) {
  const double two = 2.0 * (pb.like ? s.like_factor : 1.0);
  int at = pb.offset;
  for (int row = 0; row < pb.rows; ++row) {
    const int j = pb.rows_begin + row;
    const double rj = nb.r[j], fj = nb.f_ang[j], dfj = nb.df_ang[j];
    const double ux = nb.ux[j], uy = nb.uy[j], uz = nb.uz[j];
    const int first = pb.first_lane(row), length = pb.row_length(row);
    // The last store of a row runs over its end; the next row, or the padding, overwrites it.
    for (int l = 0; l < length; l += W) {
      const int k = first + l, n = at + l;
      const V rk = load(nb.r + k), fk = load(nb.f_ang + k), dfk = load(nb.df_ang + k);
      V c = ux * load(nb.ux + k) + uy * load(nb.uy + k) + uz * load(nb.uz + k);
      store(pr.c + n, c);
      if constexpr (!IsBP) {
        store(pr.u + n, 0.5 * (rj + rk));
        store(pr.w + n, (two * fj) * fk);
        store(pr.w_j + n, (two * dfj) * fk);
        store(pr.w_k + n, (two * fj) * dfk);
      } else {
        const V rjrk = rj * rk;
        const V rjk2 = larger(rj * rj + rk * rk - 2.0 * rjrk * c, all(1e-12));
        const V rjk = square_root(rjk2), inv = 1.0 / rjk;
        V f, df;
        third_side_cutoff<Smooth>(rjk, s.rc_ang, f, df);
        const V fjfk = (two * fj) * fk, slope = fjfk * df * inv;
        store(pr.u + n, rj * rj + rk * rk + rjk2);
        store(pr.u_j + n, 4.0 * rj - 2.0 * rk * c);
        store(pr.u_k + n, 4.0 * rk - 2.0 * rj * c);
        store(pr.u_c + n, -2.0 * rjrk);
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
  store(pr.u + at, all(s.rc_ang));
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

PANNA_INLINE V real_power(V h, double exponent) {
  for (int i = 0; i < W; ++i) h[i] = __builtin_pow(h[i] > 0 ? h[i] : 0.0, exponent);
  return h;
}

// T_q and dT_q/dc of N / 2 pairs of mirrored angles with the same power, for one block of lanes.
template <bool IsBP, int N>
PANNA_INLINE void angular_factors(const MirroredAngles* angles, V c, V sin2, double* T,
                                  double* dT) {
  V h[N], dh[N], power[N];
  for (int i = 0; i < N; i += 2) {
    const MirroredAngles& t = angles[i / 2];
    V even, slope;  // what does not change sign with the cosine, and its derivative
    if constexpr (IsBP) {
      even = load(t.norm);
      slope = V{};
    } else {
      // Clamped so that eps = 0 and collinear neighbours stay finite.
      const V x = larger(sin2 + load(t.eps_sin2), all(1e-20));
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
    for (int i = 0; i < N; ++i) power[i] = real_power(h[i], angles[0].zeta - 1.0);
  // Mirrors first: an angle without a partner overwrites what was computed for its mirror.
  for (int i = N - 1; i >= 0; --i) {
    const MirroredAngles& t = angles[i / 2];
    const int q = i % 2 ? t.mirror : t.q;
    store(T + q * W, power[i] * h[i]);
    store(dT + q * W, power[i] * dh[i]);
  }
}

template <bool IsBP>
inline void factors(const Separable& s, const Pairs& pr, const PairBlock& pb) {
  // Copies: the compiler must assume that stores change what is behind a pointer.
  const Gaussians shells = s.shells;
  const MirroredAngles* const angle = s.angle;
  const int angles = s.angles;
  const long r_step = W * shells.count, t_step = W * s.q_count;
  const int begin = pb.offset, end = pb.offset + pb.count;
  const double *const us = pr.u, *const cs = pr.c;
  double* R = pr.R + static_cast<long>(begin) * shells.count;
  double* T = pr.T + static_cast<long>(begin) * s.q_count;
  double* dT = pr.dT + static_cast<long>(begin) * s.q_count;
  for (int n = begin; n < end; n += W) {
    const V u = load(us + n), c = load(cs + n);
    if constexpr (IsBP)
      for (int p = 0; p < shells.count; ++p) store(R + p * W, exponential(-shells.eta[p] * u));
    else
      gaussians(shells, u, [=](int p, V e) { store(R + p * W, e); });
    const V sin2 = 1.0 - c * c;
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
inline void outer_tile(const Separable& s, const Pairs& pr, const PairBlock& pb, int p0, int q0,
                       double* g) {
  V total[P][Q] = {};
  const double* R = pr.R + static_cast<long>(pb.offset) * s.shells.count + p0 * W;
  const double* T = pr.T + static_cast<long>(pb.offset) * s.q_count + q0 * W;
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
inline void tangent_tile(const Separable& s, const Pairs& pr, const PairBlock& pb, int p0, int q0,
                         double* dg) {
  V total[P][Q] = {};
  const double* R = pr.R + static_cast<long>(pb.offset) * s.shells.count + p0 * W;
  const double* T = pr.T + static_cast<long>(pb.offset) * s.q_count + q0 * W;
  const double* dT = pr.dT + static_cast<long>(pb.offset) * s.q_count + q0 * W;
  for (int n = pb.offset; n < pb.offset + pb.count; n += W) {
    const V a = load(pr.a + n), b = load(pr.b + n), d = load(pr.d + n), u = load(pr.u + n);
    for (int p = 0; p < P; ++p) {
      const V r = load(R + p * W);
      const V slope = IsBP ? all(-s.shells.eta[p0 + p])
                           : (-2.0 * s.shells.eta[p0 + p]) * (u - s.shells.rs[p0 + p]);
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
inline void for_tiles(const Separable& s, Tile tile) {
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
  const Separable& s;
  const Pairs& pr;
  const PairBlock& pb;
  double* g;
  template <int P, int Q>
  void operator()(int p, int q) const { outer_tile<P, Q>(s, pr, pb, p, q, g); }
};

template <bool IsBP>
struct TangentTile {
  const Separable& s;
  const Pairs& pr;
  const PairBlock& pb;
  double* dg;
  template <int P, int Q>
  void operator()(int p, int q) const { tangent_tile<IsBP, P, Q>(s, pr, pb, p, q, dg); }
};

// Gradients of sum g_bar[p][q] G[p][q] with respect to r_j, r_k and c of each pair.
template <bool IsBP>
inline void pair_gradients(const Separable& s, const Pairs& pr, const PairBlock& pb,
                           const double* g_bar) {
  for (int n = pb.offset; n < pb.offset + pb.count; n += W) {
    const V u = load(pr.u + n), w = load(pr.w + n);
    const double* R = pr.R + static_cast<long>(n) * s.shells.count;
    const double* T = pr.T + static_cast<long>(n) * s.q_count;
    const double* dT = pr.dT + static_cast<long>(n) * s.q_count;
    V value{}, du{}, dc{};  // sums of g R T, g R' T, g R T'
    auto columns = [&](int q0, auto width) {
      constexpr int N = decltype(width)::value;
      V t[N], b[N] = {};
      for (int q = 0; q < N; ++q) t[q] = load(T + (q0 + q) * W);
      for (int p = 0; p < s.shells.count; ++p) {
        const double* g = g_bar + p * s.q_count + q0;
        const V r = load(R + p * W);
        V a{};
        for (int q = 0; q < N; ++q) {
          a += g[q] * t[q];
          b[q] += g[q] * r;
        }
        const V ar = a * r;
        value += ar;
        du += ar * (IsBP ? all(-s.shells.eta[p]) : (-2.0 * s.shells.eta[p]) * (u - s.shells.rs[p]));
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
      store(pr.a + n, 0.5 * wdu + value * load(pr.w_j + n));
      store(pr.b + n, 0.5 * wdu + value * load(pr.w_k + n));
      store(pr.d + n, w * dc);
    }
  }
}

// Sum the gradients of pairs into their neighbours, row by row: no gather, no scatter.
inline void collect(const Neighbours& nb, const Pairs& pr, const PairBlock& pb) {
  int at = pb.offset;
  for (int row = 0; row < pb.rows; ++row) {
    const int j = pb.rows_begin + row;
    const double ux = nb.ux[j], uy = nb.uy[j], uz = nb.uz[j];
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
inline void pair_tangents(const Neighbours& nb, const Pairs& pr, const PairBlock& pb) {
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
      const double drj = nb.radial[j];
      V du, dw = drj * load(pr.w_j + n) + load(pr.w_k + n) * drk;
      if constexpr (IsBP) {
        du = drj * load(pr.u_j + n) + load(pr.u_k + n) * drk + load(pr.u_c + n) * dc;
        dw += load(pr.w_c + n) * dc;
      } else {
        du = 0.5 * (drj + drk);
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

// ---- the whole descriptor ----------------------------------------------------------------------

template <bool IsBP, class Body>
inline void for_species_pairs(const Separable& s, const Neighbours& nb, Body body) {
  int index = 0;
  int component = s.species * s.radial.count;
  for (int a = 0; a < s.species; ++a)
    for (int b = a; b < s.species; ++b, ++index) {
      body(pair_block(nb, a, b, index), component);
      component += s.shells.count * s.q_count;
    }
}

template <bool IsBP>
inline void forward(const Separable& s, const Neighbours& nb, const Pairs& pr, double* g) {
  geometry(s, nb);
  radial_forward(s, nb, g);
  for_species_pairs<IsBP>(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0) {
      for (int i = 0; i < s.shells.count * s.q_count; ++i) g[component + i] = 0.0;
      return;
    }
    if (IsBP && !s.rjk_smooth)
      pack<IsBP, false>(s, nb, pr, pb);
    else
      pack<IsBP, true>(s, nb, pr, pb);
    factors<IsBP>(s, pr, pb);
    for_tiles(s, OuterTile{s, pr, pb, g + component});
  });
}

// After `forward` of the same neighbours: gradient with respect to their vectors, left in
// nb.vx, nb.vy, nb.vz.
template <bool IsBP>
inline void backward(const Separable& s, const Neighbours& nb, const Pairs& pr,
                     const double* g_bar) {
  for (int i = 0; i < nb.padded; i += W) {
    store(nb.radial + i, V{});
    store(nb.vx + i, V{});
    store(nb.vy + i, V{});
    store(nb.vz + i, V{});
  }
  radial_backward(s, nb, g_bar);
  for_species_pairs<IsBP>(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0) return;
    pair_gradients<IsBP>(s, pr, pb, g_bar + component);
    collect(nb, pr, pb);
  });
  // dr/d(vector) = u, dc/d(vector_j) = (u_k - c u_j)/r_j.
  for (int i = 0; i < nb.padded; i += W) {
    const V ux = load(nb.ux + i), uy = load(nb.uy + i), uz = load(nb.uz + i);
    const V vx = load(nb.vx + i), vy = load(nb.vy + i), vz = load(nb.vz + i);
    const V inv = load(nb.r_inv + i);
    const V along = load(nb.radial + i) - (ux * vx + uy * vy + uz * vz) * inv;
    store(nb.vx + i, ux * along + vx * inv);
    store(nb.vy + i, uy * along + vy * inv);
    store(nb.vz + i, uz * along + vz * inv);
  }
}

// After `forward` of the same neighbours: change of G for the tangents of the vectors that the
// caller left in nb.vx, nb.vy, nb.vz.
template <bool IsBP>
inline void tangent(const Separable& s, const Neighbours& nb, const Pairs& pr, double* dg) {
  for (int i = 0; i < nb.padded; i += W) {
    const V ux = load(nb.ux + i), uy = load(nb.uy + i), uz = load(nb.uz + i);
    const V tx = load(nb.vx + i), ty = load(nb.vy + i), tz = load(nb.vz + i);
    const V inv = load(nb.r_inv + i);
    const V dr = ux * tx + uy * ty + uz * tz;
    store(nb.radial + i, dr);
    store(nb.vx + i, (tx - ux * dr) * inv);
    store(nb.vy + i, (ty - uy * dr) * inv);
    store(nb.vz + i, (tz - uz * dr) * inv);
  }
  radial_tangent(s, nb, dg);
  for_species_pairs<IsBP>(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0) {
      for (int i = 0; i < s.shells.count * s.q_count; ++i) dg[component + i] = 0.0;
      return;
    }
    pair_tangents<IsBP>(nb, pr, pb);
    for_tiles(s, TangentTile<IsBP>{s, pr, pb, dg + component});
  });
}
