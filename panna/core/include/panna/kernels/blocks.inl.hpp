// Products of stored derivatives with vectors. The block of one atom is [pair][xyz][component]: its
// rows are read once and in order, which is all that these loops cost: they wait for memory.
// Stored: float or Half.

// gradient[pair][xyz] = sum over components of block * g_bar
template <class Stored>
inline void block_gradient(const Stored* block, long pairs, long size, const Real* g_bar,
                           double* gradient) {
  for (long p = 0; p < pairs; ++p, block += 3 * size, gradient += 3) {
    const Stored *const x = block, *const y = block + size, *const z = block + 2 * size;
    V sx{}, sy{}, sz{};
    long i = 0;
    for (; i + W <= size; i += W) {
      const V g = load(g_bar + i);
      sx += load(x + i) * g;
      sy += load(y + i) * g;
      sz += load(z + i) * g;
    }
    gradient[0] = sum(sx);
    gradient[1] = sum(sy);
    gradient[2] = sum(sz);
    for (; i < size; ++i) {
      gradient[0] += single(x[i]) * g_bar[i];
      gradient[1] += single(y[i]) * g_bar[i];
      gradient[2] += single(z[i]) * g_bar[i];
    }
  }
}

// N registers of components, from `start` on.
template <int N, class Stored>
PANNA_INLINE void block_columns(const Stored* block, long pairs, long size, const double* tangents,
                                long start, Real* dg) {
  V total[N] = {};
  const Stored* row = block + start;
  for (long k = 0; k < 3 * pairs; ++k, row += size) {
    const Real t = static_cast<Real>(tangents[k]);
    for (int n = 0; n < N; ++n) total[n] += t * load(row + n * W);
  }
  for (int n = 0; n < N; ++n) store(dg + start + n * W, total[n]);
}

// dg[component] = sum over pairs and xyz of block * tangents
template <class Stored>
inline void block_change(const Stored* block, long pairs, long size, const double* tangents,
                         Real* dg) {
  if (size < W) {
    for (long i = 0; i < size; ++i) {
      Real total = 0;
      for (long k = 0; k < 3 * pairs; ++k)
        total += static_cast<Real>(tangents[k]) * single(block[k * size + i]);
      dg[i] = total;
    }
    return;
  }
  auto columns = [&](auto registers, long start) {
    block_columns<decltype(registers)::value>(block, pairs, size, tangents, start, dg);
  };
  long i = 0;
  for (; i + 6 * W <= size; i += 6 * W) columns(Width<6>{}, i);
  switch ((size - i) / W) {
    case 5: columns(Width<5>{}, i); break;
    case 4: columns(Width<4>{}, i); break;
    case 3: columns(Width<3>{}, i); break;
    case 2: columns(Width<2>{}, i); break;
    case 1: columns(Width<1>{}, i); break;
    default: break;
  }
  // What is left fills no register: the last one begins earlier and calculates some again.
  if (size % W != 0) columns(Width<1>{}, size - W);
}
