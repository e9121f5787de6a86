// The whole derivative dG/d(vector) of one atom's descriptor, for data that store it. Included
// once for each instruction set inside its namespace.
//
// Follows `forward`. Here lanes run over the angular factors q. For each neighbour j the
// derivatives of G[p][q] = sum w R_p T_q over its pairs are summed up in registers,
//   along = sum dG/dr_j,   across = sum dG/dc u_k,
// as products of numbers of the pair and rows of T and T'.

using namespace in_double;

// Numbers of the pairs of a block as the sums need them, those of one pair next to each other:
// T and T' of a register of angles, and dG/dr_j = x_j T, dG/dr_k = x_k T, dG/dc = y T' + z T.
struct PairRows {
  long pairs;      // stride; a multiple of W
  double* angles;  // [q / W][pair][T, T'][W]; zero for q beyond the last
  double* shells;  // [pair][p][x_j, x_k, y, z]; z of BP only
};

inline long angle_registers(const Separable& s) { return (s.pairs.q_count + W - 1) / W; }

template <bool IsBP>
inline void pair_rows(const Separable& s, const Pairs<double>& pr, const PairBlock& pb,
                      const PairRows& rows) {
  const int P = s.pairs.shells.count, Q = s.pairs.q_count;
  for (int n = 0; n < pb.count; n += W) {
    const int at = pb.offset + n;
    const V u = load(pr.u + at), w = load(pr.w + at);
    const V w_j = load(pr.w_j + at), w_k = load(pr.w_k + at);
    for (int p = 0; p < P; ++p) {
      const V r = load(pr.R + static_cast<long>(at) * P + p * W);
      const V slope = IsBP ? all(-s.pairs.shells.eta[p])
                           : (-2.0 * s.pairs.shells.eta[p]) * (u - s.pairs.shells.rs[p]);
      const V wdr = w * slope * r;
      V x_j, x_k, z{};
      if constexpr (IsBP) {
        x_j = w_j * r + wdr * load(pr.u_j + at);
        x_k = w_k * r + wdr * load(pr.u_k + at);
        z = load(pr.w_c + at) * r + wdr * load(pr.u_c + at);
      } else {
        x_j = w_j * r + 0.5 * wdr;
        x_k = w_k * r + 0.5 * wdr;
      }
      const V columns[4] = {x_j, x_k, w * r, z};
      store_transposed(columns, rows.shells + 4L * (static_cast<long>(n) * P + p), 4 * P);
    }
    const double* T = pr.T + static_cast<long>(at) * Q;
    const double* dT = pr.dT + static_cast<long>(at) * Q;
    for (int q = 0; q < Q; q += W) {
      V t[W], dt[W];
      for (int i = 0; i < W; ++i) {
        t[i] = q + i < Q ? load(T + (q + i) * W) : V{};
        dt[i] = q + i < Q ? load(dT + (q + i) * W) : V{};
      }
      double* to = rows.angles + 2 * (q * rows.pairs + static_cast<long>(W) * n);
      store_transposed(t, to, 2 * W);
      store_transposed(dt, to + W, 2 * W);
    }
  }
}

// Pairs of one neighbour with a run of others: pair, pair + step, pair + 2 step + change, ...
// `side` tells whether it is the j (0) or the k (1) of them.
struct PairRun {
  int partner, count;
  long pair, step, change;
  int side;
};

// The pairs of neighbour j with those before and those behind it in a block.
inline void pair_runs(const PairBlock& pb, int j, PairRun (&runs)[2]) {
  runs[0] = runs[1] = {};
  if (pb.like) {
    const int row = j - pb.rows_begin;
    runs[0] = {pb.rows_begin, row, row - 1, pb.rows - 2, -1, 1};
    const long behind = row * (2L * pb.rows - row - 1) / 2;
    runs[1] = {j + 1, pb.rows - row - 1, behind, 1, 0, 0};
  } else if (j >= pb.rows_begin && j < pb.rows_begin + pb.rows) {
    runs[1] = {pb.lanes_begin, pb.lanes, static_cast<long>(j - pb.rows_begin) * pb.lanes, 1, 0, 0};
  } else {
    runs[0] = {pb.rows_begin, pb.rows, j - pb.lanes_begin, pb.lanes, 0, 1};
  }
}

// dG/d(vector_j) of N shells and one register of angles, into out[shell][q][3]. With
// dr/d(vector) = u and dc/d(vector_j) = (u_k - c u_j) / r_j.
template <bool IsBP, int N>
PANNA_INLINE void neighbour_rows(const Neighbours& nb, int j, const PairRun (&runs)[2],
                                 const double* angles, const double* shells, int shell_count,
                                 int lanes, int q_count, double* out) {
  const double *const uxs = nb.legs.ux, *const uys = nb.legs.uy, *const uzs = nb.legs.uz;
  V along[N] = {}, x[N] = {}, y[N] = {}, z[N] = {};
  for (const PairRun& run : runs) {
    long n = run.pair, step = run.step;
    for (int k = run.partner; k < run.partner + run.count; ++k, n += step, step += run.change) {
      const V t = load(angles + 2 * W * n), dt = load(angles + 2 * W * n + W);
      const double* shell = shells + 4 * shell_count * n;
      for (int p = 0; p < N; ++p, shell += 4) {
        V dc = shell[2] * dt;
        if constexpr (IsBP) dc += shell[3] * t;
        along[p] += shell[run.side] * t;
        x[p] += dc * uxs[k];
        y[p] += dc * uys[k];
        z[p] += dc * uzs[k];
      }
    }
  }
  const double ux = uxs[j], uy = uys[j], uz = uzs[j], inv = nb.r_inv[j];
  for (int p = 0; p < N; ++p, out += 3 * q_count) {
    const V radial = along[p] - (ux * x[p] + uy * y[p] + uz * z[p]) * inv;
    const V gx = ux * radial + x[p] * inv, gy = uy * radial + y[p] * inv,
            gz = uz * radial + z[p] * inv;
    for (int i = 0; i < lanes; ++i) {
      out[3 * i] = gx[i];
      out[3 * i + 1] = gy[i];
      out[3 * i + 2] = gz[i];
    }
  }
}

inline long padded_pairs(int most_pairs) { return (most_pairs + W - 1L) / W * W; }

// How many doubles of scratch memory `jacobian` needs.
inline long jacobian_scratch(const Separable& s, int most_pairs) {
  return padded_pairs(most_pairs) * (2 * W * angle_registers(s) + 4L * s.pairs.shells.count);
}

// out: for each neighbour with original[i] >= 0 the block original[i] of [size][3]. Components that
// no pair of this neighbour contributes to are left as they are.
template <bool IsBP>
inline void jacobian(const Separable& s, const Workplace& wp, const int* original, int most_pairs,
                     double* scratch, double* out) {
  const Neighbours& nb = wp.neighbours;
  const Pairs<double>& pr = wp.pairs;
  const int radial = s.radial.count, angular = s.pairs.shells.count * s.pairs.q_count;
  const long components =
      static_cast<long>(s.species) * radial + s.species * (s.species + 1) / 2 * angular;
  for (int t = 0; t < s.species; ++t)
    for (int i = nb.begin[t]; i < nb.begin[t] + nb.count[t]; i += W)
      for (int m = 0; m < radial; ++m) {
        const V slope = radial_slope(s, nb, i, m);
        for (int l = 0; l < W; ++l) {
          if (original[i + l] < 0) continue;
          double* to = out + 3 * (components * original[i + l] + t * radial + m);
          to[0] = slope[l] * nb.legs.ux[i + l];
          to[1] = slope[l] * nb.legs.uy[i + l];
          to[2] = slope[l] * nb.legs.uz[i + l];
        }
      }

  PairRows rows;
  rows.pairs = padded_pairs(most_pairs);
  rows.angles = scratch;
  rows.shells = rows.angles + 2 * W * angle_registers(s) * rows.pairs;
  constexpr int N = W >= 8 ? 4 : 2;
  const int P = s.pairs.shells.count, Q = s.pairs.q_count;
  for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0) return;
    pair_rows<IsBP>(s, pr, pb, rows);
    // The two runs of neighbours; one and the same for like species.
    const int begins[2] = {pb.rows_begin, pb.lanes_begin}, counts[2] = {pb.rows, pb.lanes};
    for (int side = pb.like ? 1 : 0; side < 2; ++side)
      for (int j = begins[side]; j < begins[side] + counts[side]; ++j) {
        if (original[j] < 0) continue;
        PairRun runs[2];
        pair_runs(pb, j, runs);
        double* mine = out + 3 * (components * original[j] + component);
        for (int q = 0; q < Q; q += W) {
          const int lanes = Q - q < W ? Q - q : W;
          const double* angles = rows.angles + 2 * q * rows.pairs;
          int p = 0;
          for (; p + N <= P; p += N)
            neighbour_rows<IsBP, N>(nb, j, runs, angles, rows.shells + 4 * p, P, lanes, Q,
                                    mine + 3 * (p * Q + q));
          for (; p < P; ++p)
            neighbour_rows<IsBP, 1>(nb, j, runs, angles, rows.shells + 4 * p, P, lanes, Q,
                                    mine + 3 * (p * Q + q));
        }
      }
  });
}
