// The whole descriptor of one atom: radial terms in double, pairs of neighbours in double or, if
// `Single`, in single precision with all sums over pairs brought to double. Included once for each
// instruction set inside its namespace.

template <class Body>
inline void for_species_pairs(const Separable& s, const Neighbours& nb, Body body) {
  int index = 0;
  int component = s.species * s.radial.count;
  for (int a = 0; a < s.species; ++a)
    for (int b = a; b < s.species; ++b, ++index) {
      body(pair_block(nb, a, b, index), component);
      component += s.pairs.size();
    }
}

inline void zero(const Separable& s, double* g) {
  for (int i = 0; i < s.pairs.size(); ++i) g[i] = 0.0;
}

inline void to_single(const Neighbours& nb) {
  const double* const from[] = {nb.legs.r,  nb.legs.f,  nb.legs.df,
                                nb.legs.ux, nb.legs.uy, nb.legs.uz};
  float* const to[] = {nb.legs_single.r,  nb.legs_single.f,  nb.legs_single.df,
                       nb.legs_single.ux, nb.legs_single.uy, nb.legs_single.uz};
  for (int k = 0; k < 6; ++k)
    for (int i = 0; i < nb.readable; ++i) to[k][i] = static_cast<float>(from[k][i]);
}

// What `backward`, `tangent` and `jacobian` need, and G itself unless g is null.
template <bool IsBP, bool Single>
inline void forward(const Separable& s, const Workplace& wp, double* g) {
  const Neighbours& nb = wp.neighbours;
  in_double::geometry(s, nb);
  in_double::radial_factors(s, nb);
  if (g) in_double::radial_sums(s, nb, g);
  if constexpr (Single) to_single(nb);
  for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
    double* const mine = g ? g + component : nullptr;
    if (pb.count == 0) {
      if (g) zero(s, mine);
    } else if constexpr (Single) {
      in_single::pairs_forward<IsBP>(s.pairs_single, nb.legs_single, wp.pairs_single, pb, mine);
    } else {
      in_double::pairs_forward<IsBP>(s.pairs, nb.legs, wp.pairs, pb, mine);
    }
  });
}

// After `forward` of the same neighbours and precision: gradient with respect to their vectors,
// left in nb.legs.vx, vy, vz.
template <bool IsBP, bool Single>
inline void backward(const Separable& s, const Workplace& wp, const double* g_bar) {
  const Neighbours& nb = wp.neighbours;
  in_double::clear(nb.legs, nb.padded);
  in_double::radial_backward(s, nb, g_bar);
  if constexpr (Single) {
    in_single::clear(nb.legs_single, nb.padded);
    for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
      if (pb.count == 0) return;
      float* const bar = wp.pairs_single.g_bar;
      for (int i = 0; i < s.pairs.size(); ++i) bar[i] = static_cast<float>(g_bar[component + i]);
      in_single::pair_gradients<IsBP>(s.pairs_single, wp.pairs_single, pb, bar);
      in_single::collect(nb.legs_single, wp.pairs_single, pb);
    });
    for (int i = 0; i < nb.padded; ++i) {
      nb.legs.radial[i] += nb.legs_single.radial[i];
      nb.legs.vx[i] = nb.legs_single.vx[i];
      nb.legs.vy[i] = nb.legs_single.vy[i];
      nb.legs.vz[i] = nb.legs_single.vz[i];
    }
  } else {
    for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
      if (pb.count == 0) return;
      in_double::pair_gradients<IsBP>(s.pairs, wp.pairs, pb, g_bar + component);
      in_double::collect(nb.legs, wp.pairs, pb);
    });
  }
  in_double::to_vectors(nb);
}

// After `forward` of the same neighbours and precision: change of G for the tangents of the vectors
// that the caller left in nb.legs.vx, vy, vz.
template <bool IsBP, bool Single>
inline void tangent(const Separable& s, const Workplace& wp, double* dg) {
  const Neighbours& nb = wp.neighbours;
  in_double::from_vectors(nb);
  in_double::radial_tangent(s, nb, dg);
  if constexpr (Single) {
    const Legs<double>& from = nb.legs;
    const Legs<float>& to = nb.legs_single;
    for (int i = 0; i < nb.padded; ++i) {
      to.radial[i] = static_cast<float>(from.radial[i]);
      to.vx[i] = static_cast<float>(from.vx[i]);
      to.vy[i] = static_cast<float>(from.vy[i]);
      to.vz[i] = static_cast<float>(from.vz[i]);
    }
  }
  for_species_pairs(s, nb, [&](const PairBlock& pb, int component) {
    if (pb.count == 0)
      zero(s, dg + component);
    else if constexpr (Single)
      in_single::pairs_tangent<IsBP>(s.pairs_single, nb.legs_single, wp.pairs_single, pb,
                                     dg + component);
    else
      in_double::pairs_tangent<IsBP>(s.pairs, nb.legs, wp.pairs, pb, dg + component);
  });
}
