// Distances, cutoff functions and the radial terms of a descriptor, lanes over neighbours. Included
// once for each instruction set inside its namespace.

inline void geometry(const Separable& s, const Neighbours& nb) {
  for (int i = 0; i < nb.readable; i += W) {
    const V x = load(nb.x + i), y = load(nb.y + i), z = load(nb.z + i);
    const V r = square_root(x * x + y * y + z * z);
    const V inv = 1.0 / r;
    store(nb.legs.r + i, r);
    store(nb.r_inv + i, inv);
    store(nb.legs.ux + i, x * inv);
    store(nb.legs.uy + i, y * inv);
    store(nb.legs.uz + i, z * inv);
    V f, df;
    cutoff(r, s.rc_rad, f, df);
    store(nb.f_rad + i, f);
    store(nb.df_rad + i, df);
    cutoff(r, s.rc_ang, f, df);
    store(nb.legs.f + i, f);
    store(nb.legs.df + i, df);
  }
}

inline void radial_factors(const Separable& s, const Neighbours& nb) {
  const int radial = s.radial.count;
  for (int i = 0; i < nb.padded; i += W) {
    double* kept = nb.gaussians + static_cast<long>(i) * radial;
    gaussians(s.radial, load(nb.legs.r + i), [=](int m, V e) { store(kept + m * W, e); });
  }
}

inline void radial_sums(const Separable& s, const Neighbours& nb, double* g) {
  const int radial = s.radial.count;
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
  const V x = load(nb.legs.r + i) - s.radial.rs[m];
  return e * (load(nb.df_rad + i) - (2.0 * s.radial.eta[m]) * x * load(nb.f_rad + i));
}

inline void radial_backward(const Separable& s, const Neighbours& nb, const double* g_bar) {
  for (int t = 0; t < s.species; ++t) {
    const int begin = nb.begin[t], end = begin + nb.count[t];
    for (int i = begin; i < end; i += W) {
      V total{};
      for (int m = 0; m < s.radial.count; ++m)
        total += g_bar[t * s.radial.count + m] * radial_slope(s, nb, i, m);
      store(nb.legs.radial + i, total);
    }
  }
}

inline void radial_tangent(const Separable& s, const Neighbours& nb, double* dg) {
  for (int t = 0; t < s.species; ++t) {
    const int begin = nb.begin[t], end = begin + nb.count[t];
    for (int m = 0; m < s.radial.count; ++m) {
      V total{};
      for (int i = begin; i < end; i += W)
        total += radial_slope(s, nb, i, m) * load(nb.legs.radial + i);
      dg[t * s.radial.count + m] = sum(total);
    }
  }
}

// From derivatives by r and u to derivatives by the vectors: dr/d(vector) = u,
// du/d(vector) = (1 - u u)/r.
inline void to_vectors(const Neighbours& nb) {
  const Legs<double>& legs = nb.legs;
  for (int i = 0; i < nb.padded; i += W) {
    const V ux = load(legs.ux + i), uy = load(legs.uy + i), uz = load(legs.uz + i);
    const V vx = load(legs.vx + i), vy = load(legs.vy + i), vz = load(legs.vz + i);
    const V inv = load(nb.r_inv + i);
    const V along = load(legs.radial + i) - (ux * vx + uy * vy + uz * vz) * inv;
    store(legs.vx + i, ux * along + vx * inv);
    store(legs.vy + i, uy * along + vy * inv);
    store(legs.vz + i, uz * along + vz * inv);
  }
}

// From tangents of the vectors to tangents of r and u.
inline void from_vectors(const Neighbours& nb) {
  const Legs<double>& legs = nb.legs;
  for (int i = 0; i < nb.padded; i += W) {
    const V ux = load(legs.ux + i), uy = load(legs.uy + i), uz = load(legs.uz + i);
    const V tx = load(legs.vx + i), ty = load(legs.vy + i), tz = load(legs.vz + i);
    const V inv = load(nb.r_inv + i);
    const V dr = ux * tx + uy * ty + uz * tz;
    store(legs.radial + i, dr);
    store(legs.vx + i, (tx - ux * dr) * inv);
    store(legs.vy + i, (ty - uy * dr) * inv);
    store(legs.vz + i, (tz - uz * dr) * inv);
  }
}
