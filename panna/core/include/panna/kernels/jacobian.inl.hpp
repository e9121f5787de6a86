// The whole derivative dG/d(vector) of one atom's descriptor, for data that store it. Included
// once for each instruction set inside its namespace.
//
// Follows `forward`. Here lanes run over the angular factors q: for each pair of neighbours the
// derivatives of G[p][q] = w R_p T_q with respect to r_j, r_k and c are outer products of numbers
// of the pair and rows of T and T', added to the sums of the two neighbours,
//   along = sum dG/dr,   across = sum dG/dc u_(other neighbour).

using namespace in_double;

// Numbers of the pairs as the rows below need them: T and T' with q fastest (rows padded to
// `row`), dG/dr_j = x_j T, dG/dr_k = x_k T, dG/dc = y T' + z T.
struct PairRows {
  int row;
  double *t, *dt;              // [pairs][row]
  double *x_j, *x_k, *y, *z;   // [pairs][p]; z of BP only
};

template <bool IsBP>
inline void pair_rows(const Separable& s, const Pairs<double>& pr, const PairBlock& pb,
                      const PairRows& rows) {
  const int P = s.pairs.shells.count;
  for (int n = 0; n < pb.count; n += W) {
    const int at = pb.offset + n, lanes = pb.count - n < W ? pb.count - n : W;
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
      const V y = w * r;
      for (int i = 0; i < lanes; ++i) {
        const long to = static_cast<long>(n + i) * P + p;
        rows.x_j[to] = x_j[i];
        rows.x_k[to] = x_k[i];
        rows.y[to] = y[i];
        if constexpr (IsBP) rows.z[to] = z[i];
      }
    }
    const double* T = pr.T + static_cast<long>(at) * s.pairs.q_count;
    const double* dT = pr.dT + static_cast<long>(at) * s.pairs.q_count;
    for (int i = 0; i < lanes; ++i) {
      double* t = rows.t + static_cast<long>(n + i) * rows.row;
      double* dt = rows.dt + static_cast<long>(n + i) * rows.row;
      for (int q = 0; q < s.pairs.q_count; ++q) {
        t[q] = T[q * W + i];
        dt[q] = dT[q * W + i];
      }
      for (int q = s.pairs.q_count; q < rows.row; ++q) t[q] = dt[q] = 0.0;
    }
  }
}

// Adds the pairs of a block to the sums of its neighbours: [neighbour][p][along, x, y, z][row].
template <bool IsBP>
inline void sum_pairs(const Separable& s, const Neighbours& nb, const PairBlock& pb,
                      const PairRows& rows, double* sums) {
  const int P = s.pairs.shells.count, row = rows.row;
  const long size = 4L * P * row;
  int at = 0;
  for (int r = 0; r < pb.rows; ++r) {
    const int j = pb.rows_begin + r, first = pb.first_lane(r), length = pb.row_length(r);
    const V ux = all(nb.legs.ux[j]), uy = all(nb.legs.uy[j]), uz = all(nb.legs.uz[j]);
    for (int p = 0; p < P; ++p)
      for (int q = 0; q < row; q += W) {
        double* mine = sums + size * j + 4L * p * row + q;
        V along = load(mine), x = load(mine + row), y = load(mine + 2 * row),
          z = load(mine + 3 * row);
        double* other = sums + size * first + 4L * p * row + q;
        for (int k = first; k < first + length; ++k, other += size) {
          const long n = at + k - first, np = n * P + p;
          const V t = load(rows.t + n * row + q);
          V dc = rows.y[np] * load(rows.dt + n * row + q);
          if constexpr (IsBP) dc += rows.z[np] * t;
          along += rows.x_j[np] * t;
          x += dc * nb.legs.ux[k];
          y += dc * nb.legs.uy[k];
          z += dc * nb.legs.uz[k];
          store(other, load(other) + rows.x_k[np] * t);
          store(other + row, load(other + row) + dc * ux);
          store(other + 2 * row, load(other + 2 * row) + dc * uy);
          store(other + 3 * row, load(other + 3 * row) + dc * uz);
        }
        store(mine, along);
        store(mine + row, x);
        store(mine + 2 * row, y);
        store(mine + 3 * row, z);
      }
    at += length;
  }
}

// dr/d(vector) = u, dc/d(vector_j) = (u_k - c u_j)/r_j: from the sums to `out`, [p][q][3].
inline void angular_rows(const Separable& s, const Neighbours& nb, int j, const double* sums,
                         int row, double* out) {
  const V ux = all(nb.legs.ux[j]), uy = all(nb.legs.uy[j]), uz = all(nb.legs.uz[j]), inv = all(nb.r_inv[j]);
  for (int p = 0; p < s.pairs.shells.count; ++p)
    for (int q = 0; q < row; q += W) {
      const double* at = sums + 4L * p * row + q;
      const V x = load(at + row), y = load(at + 2 * row), z = load(at + 3 * row);
      const V along = load(at) - (ux * x + uy * y + uz * z) * inv;
      const V gx = ux * along + x * inv, gy = uy * along + y * inv, gz = uz * along + z * inv;
      const int lanes = s.pairs.q_count - q < W ? s.pairs.q_count - q : W;
      double* to = out + 3 * (static_cast<long>(p) * s.pairs.q_count + q);
      for (int i = 0; i < lanes; ++i) {
        to[3 * i] = gx[i];
        to[3 * i + 1] = gy[i];
        to[3 * i + 2] = gz[i];
      }
    }
}

// How many doubles of scratch memory `jacobian` needs.
inline long jacobian_scratch(const Separable& s, const Neighbours& nb, int most_pairs) {
  const long row = (s.pairs.q_count + W - 1) / W * W;
  return most_pairs * (2 * row + 4L * s.pairs.shells.count) + 4L * nb.padded * s.pairs.shells.count * row;
}

// out: for each neighbour with original[i] >= 0 the block original[i] of [size][3], zero before.
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
  rows.row = (s.pairs.q_count + W - 1) / W * W;
  const long P = s.pairs.shells.count, size = 4 * P * rows.row;
  rows.t = scratch;
  rows.dt = rows.t + most_pairs * static_cast<long>(rows.row);
  rows.x_j = rows.dt + most_pairs * static_cast<long>(rows.row);
  rows.x_k = rows.x_j + most_pairs * P;
  rows.y = rows.x_k + most_pairs * P;
  rows.z = rows.y + most_pairs * P;
  double* sums = rows.z + most_pairs * P;
  for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0) return;
    pair_rows<IsBP>(s, pr, pb, rows);
    // The two runs of neighbours; one and the same for like species.
    const int begins[2] = {pb.rows_begin, pb.lanes_begin}, counts[2] = {pb.rows, pb.lanes};
    for (int side = pb.like ? 1 : 0; side < 2; ++side)
      for (long i = size * begins[side]; i < size * (begins[side] + counts[side]); ++i)
        sums[i] = 0.0;
    sum_pairs<IsBP>(s, nb, pb, rows, sums);
    for (int side = pb.like ? 1 : 0; side < 2; ++side)
      for (int j = begins[side]; j < begins[side] + counts[side]; ++j)
        if (original[j] >= 0)
          angular_rows(s, nb, j, sums + size * j, rows.row,
                       out + 3 * (components * original[j] + component));
  });
}
