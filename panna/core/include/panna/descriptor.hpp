// Descriptors of one atom's neighbourhood behind one small interface.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aligned.hpp"
#include "error.hpp"
#include "kernels/dispatch.hpp"

namespace panna {

// Neighbours of one central atom. Those beyond the cutoff are ignored.
struct Environment {
  int count;
  const int* species;     // [count] index of the species
  const double* vectors;  // [count][3] from the central atom, angstrom
};

// Scratch memory of one thread. Holds what the forward pass leaves for the backward pass.
struct Workspace {
  AlignedBuffer neighbour_memory, pair_memory, descriptor_memory, network_memory, jacobian_memory;
  kernels::Workplace place{};
  std::vector<int> counts;    // begin, count, angular of the species; begin, count of the pairs
  std::vector<int> original;  // place in the environment of each sorted neighbour, -1 for padding
};

// mixed: pairs of neighbours in single precision; geometry, sums over atoms and networks in double.
enum class Precision { full, mixed };

// Derivative with respect to a distance, that of neighbours j and k, or of neighbour j and the
// centre if k = -1.
struct DistanceTerm {
  int j, k;
  double slope;
};

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  virtual ~Descriptor() = default;
  virtual int species() const = 0;
  virtual int size() const = 0;
  virtual double cutoff() const = 0;

  // Of `forward`, `vjp` and `jvp`; `jacobian` needs full precision.
  void set_precision(Precision precision) { precision_ = precision; }
  Precision precision() const { return precision_; }

  // G (size) of one atom. With g = null only what the functions below need.
  virtual void forward(const Environment& env, Workspace& ws, double* g) const = 0;
  // Of the atom last given to `forward`: gradient of sum g_bar G with respect to the vectors,
  // [count][3].
  virtual void vjp(const Environment& env, Workspace& ws, const double* g_bar,
                   double* gradient) const = 0;
  // Of the atom last given to `forward`: change of G (size) when the vectors change by `tangents`.
  virtual void jvp(const Environment& env, Workspace& ws, const double* tangents,
                   double* dg) const = 0;
  // Of the atom last given to `forward`: derivative of G with respect to the vectors,
  // [count][size][3].
  virtual void jacobian(const Environment& env, Workspace& ws, double* out) const = 0;
  // Of the atom last given to `vjp`: the derivatives of sum g_bar G with respect to the distances
  // between the atom and its neighbours and between two neighbours. Needs full precision.
  virtual void distances(Workspace& ws, std::vector<DistanceTerm>& terms) const = 0;

 private:
  Precision precision_ = Precision::full;
};

// mBP and BP: radial terms and three-body terms that are products of a radial and an angular
// factor (kernels/types.hpp gives the formulas).
class SeparableDescriptor : public Descriptor {
 public:
  int species() const override { return s_.species; }
  double cutoff() const override { return std::max(s_.rc_rad, s_.rc_ang); }
  int size() const override {
    return s_.species * s_.radial.count + s_.species * (s_.species + 1) / 2 * s_.pairs.size();
  }

  void forward(const Environment& env, Workspace& ws, double* g) const override {
    sort(env, ws);
    kernels::active().forward[is_bp_][mixed()](s_, ws.place, g);
  }

  void vjp(const Environment& env, Workspace& ws, const double* g_bar,
           double* gradient) const override {
    kernels::active().backward[is_bp_][mixed()](s_, ws.place, g_bar);
    std::fill_n(gradient, 3 * env.count, 0.0);
    const kernels::Neighbours& nb = ws.place.neighbours;
    for (int i = 0; i < nb.padded; ++i) {
      if (ws.original[i] < 0) continue;
      double* out = gradient + 3 * ws.original[i];
      out[0] = nb.legs.vx[i];
      out[1] = nb.legs.vy[i];
      out[2] = nb.legs.vz[i];
    }
  }

  void jvp(const Environment&, Workspace& ws, const double* tangents, double* dg) const override {
    const kernels::Neighbours& nb = ws.place.neighbours;
    for (int i = 0; i < nb.padded; ++i) {
      const double* t = ws.original[i] < 0 ? nullptr : tangents + 3 * ws.original[i];
      nb.legs.vx[i] = t ? t[0] : 0.0;
      nb.legs.vy[i] = t ? t[1] : 0.0;
      nb.legs.vz[i] = t ? t[2] : 0.0;
    }
    kernels::active().tangent[is_bp_][mixed()](s_, ws.place, dg);
  }

  void jacobian(const Environment& env, Workspace& ws, double* out) const override {
    if (mixed()) throw Error("the Jacobian of a descriptor needs full precision");
    const kernels::Neighbours& nb = ws.place.neighbours;
    // The kernel leaves out components that are zero for lack of a neighbour; there may be none.
    const bool complete =
        s_.species == 1 && nb.angular[0] == env.count && nb.pairs_count[0] > 0;
    if (!complete) std::fill_n(out, 3L * size() * env.count, 0.0);
    const int* counts = nb.pairs_count;
    const int most = *std::max_element(counts, counts + s_.species * (s_.species + 1) / 2);
    const kernels::Table& k = kernels::active();
    const long size = k.jacobian_scratch(s_, most);
    double* scratch = ws.jacobian_memory.reserve(static_cast<std::size_t>(size));
    k.jacobian[is_bp_](s_, ws.place, ws.original.data(), most, scratch, out);
  }

  // The backward pass has dE/dr_j, dE/dr_k and dE/dc of each pair. With
  //   c = (r_j^2 + r_k^2 - r_jk^2) / (2 r_j r_k):
  //   dc/dr_j = 1/r_k - c/r_j,   dc/dr_jk = -r_jk / (r_j r_k).
  void distances(Workspace& ws, std::vector<DistanceTerm>& terms) const override {
    if (mixed()) throw Error("derivatives with respect to distances need full precision");
    const kernels::Neighbours& nb = ws.place.neighbours;
    const kernels::Pairs<double>& pr = ws.place.pairs;
    std::vector<double> radial(nb.legs.radial, nb.legs.radial + nb.padded);
    terms.clear();
    int index = 0;
    for (int a = 0; a < s_.species; ++a)
      for (int b = a; b < s_.species; ++b, ++index) {
        const kernels::PairBlock pb = kernels::pair_block(nb, a, b, index);
        int n = pb.offset;
        for (int row = 0; row < pb.rows; ++row)
          for (int l = 0; l < pb.row_length(row); ++l, ++n) {
            const int j = pb.rows_begin + row, k = pb.first_lane(row) + l;
            const double rj = nb.legs.r[j], rk = nb.legs.r[k], c = pr.c[n], slope = pr.d[n];
            radial[static_cast<std::size_t>(j)] += slope * (1.0 / rk - c / rj);
            radial[static_cast<std::size_t>(k)] += slope * (1.0 / rj - c / rk);
            const double rjk = std::sqrt(std::max(0.0, rj * rj + rk * rk - 2.0 * rj * rk * c));
            terms.push_back({ws.original[static_cast<std::size_t>(j)],
                             ws.original[static_cast<std::size_t>(k)], -slope * rjk / (rj * rk)});
          }
      }
    for (std::size_t j = 0; j < radial.size(); ++j)
      if (ws.original[j] >= 0) terms.push_back({ws.original[j], -1, radial[j]});
  }

 protected:
  // One angular factor; mBP needs all of it, BP only cos (lambda), inv_norm (1/2) and zeta.
  struct Angle {
    double cos, sin, eps_sin2, inv_norm, zeta;
  };

  SeparableDescriptor(bool is_bp, int species, double rc_rad, double rc_ang, double like_factor,
                      bool rjk_smooth, std::vector<double> radial_rs,
                      std::vector<double> radial_eta, std::vector<double> shell_rs,
                      std::vector<double> shell_eta, const std::vector<Angle>& angles)
      : is_bp_(is_bp),
        radial_{std::move(radial_rs), std::move(radial_eta)},
        full_(shell_rs, shell_eta, angles),
        single_(shell_rs, shell_eta, angles) {
    s_.species = species;
    s_.rc_rad = rc_rad;
    s_.rc_ang = rc_ang;
    s_.radial = radial_.view(rc_rad);
    s_.pairs = full_.view(rc_ang, like_factor, rjk_smooth);
    s_.pairs_single = single_.view(rc_ang, like_factor, rjk_smooth);
  }

 private:
  template <class Real>
  struct Centres {
    std::vector<Real> rs, eta;

    kernels::Gaussians<Real> view(double cutoff) const {
      kernels::Gaussians<Real> g{};
      g.count = static_cast<int>(rs.size());
      g.rs = rs.data();
      g.eta = eta.data();
      g.farthest = static_cast<Real>(cutoff);
      if (rs.size() < 4) return g;
      const double first = rs.front(), width = eta.front();
      const double step = (rs.back() - first) / static_cast<double>(rs.size() - 1);
      bool regular = step > 0.0;
      for (std::size_t m = 0; m < rs.size(); ++m)
        regular = regular && eta[m] == eta[0] &&
                  std::abs(rs[m] - first - static_cast<double>(m) * step) <
                      50.0 * std::numeric_limits<Real>::epsilon() * cutoff;
      // Beyond these limits exponentials of single factors would leave the range of the type.
      const double far = std::max(cutoff - first, static_cast<double>(rs.back()));
      const double limit = 0.8 * std::log(std::numeric_limits<Real>::max());
      if (!regular || width * far * far > limit || width * step * (2.0 * far + 8.0 * step) > limit)
        return g;
      const double slope = 2.0 * width * step;
      g.step = static_cast<Real>(step);
      g.slope = static_cast<Real>(slope);
      g.shift = static_cast<Real>(slope * rs[1] + width * step * step);
      g.ratio = static_cast<Real>(std::exp(-slope * step));
      g.up_change = static_cast<Real>(std::exp(-4.0 * slope * step));
      g.down_change = static_cast<Real>(std::exp(4.0 * slope * step));
      return g;
    }
  };

  // Constants of the three-body terms in one precision.
  template <class Real>
  struct PairConstants {
    Centres<Real> shells;
    std::vector<kernels::MirroredAngles<Real>> angles;
    int q_count;

    PairConstants(const std::vector<double>& rs, const std::vector<double>& eta,
                  const std::vector<Angle>& single)
        : shells{{rs.begin(), rs.end()}, {eta.begin(), eta.end()}},
          q_count(static_cast<int>(single.size())) {
      std::vector<bool> used(single.size(), false);
      for (std::size_t i = 0; i < single.size(); ++i) {
        if (used[i]) continue;
        const Angle& a = single[i];
        kernels::MirroredAngles<Real> both = constants(a);
        both.q = both.mirror = static_cast<int>(i);
        for (std::size_t k = i + 1; k < single.size(); ++k)
          if (!used[k] && single[k].zeta == a.zeta && std::abs(single[k].cos + a.cos) < 1e-15 &&
              std::abs(single[k].sin - a.sin) < 1e-15) {
            both.mirror = static_cast<int>(k);
            used[k] = true;
            break;
          }
        angles.push_back(both);
      }
      std::stable_sort(angles.begin(), angles.end(),
                       [](const auto& a, const auto& b) { return a.zeta < b.zeta; });
    }

    static kernels::MirroredAngles<Real> constants(const Angle& a) {
      kernels::MirroredAngles<Real> out{};
      for (int lane = 0; lane < kernels::MirroredAngles<Real>::kLanes; ++lane) {
        out.eps_sin2[lane] = static_cast<Real>(a.eps_sin2);
        out.norm[lane] = static_cast<Real>(a.inv_norm);
        out.sin[lane] = static_cast<Real>(a.inv_norm * a.sin);
        out.cos[lane] = static_cast<Real>(a.inv_norm * a.cos);
        out.slope_sin[lane] = static_cast<Real>(-a.zeta * a.inv_norm * a.sin);
        out.slope_cos[lane] = static_cast<Real>(a.zeta * a.inv_norm * a.cos);
      }
      const double z = a.zeta;
      out.zeta = static_cast<Real>(z);
      out.power = z >= 1.0 && z < 1e6 && std::floor(z) == z ? static_cast<int>(z) - 1 : -1;
      return out;
    }

    kernels::ThreeBody<Real> view(double rc, double like_factor, bool rjk_smooth) const {
      return {static_cast<Real>(rc),
              static_cast<Real>(like_factor),
              rjk_smooth,
              shells.view(rc),
              q_count,
              static_cast<int>(angles.size()),
              angles.data()};
    }
  };

  bool mixed() const { return precision() == Precision::mixed; }

  bool is_bp_;
  Centres<double> radial_;
  PairConstants<double> full_;
  PairConstants<float> single_;
  kernels::Separable s_{};  // looks into the members above

  // Sort the neighbours within the cutoff by species, those that take part in three-body terms
  // first, and lay out the memory of the kernels.
  void sort(const Environment& env, Workspace& ws) const {
    const double far2 = cutoff() * cutoff(), angular2 = s_.rc_ang * s_.rc_ang;
    const int species = s_.species, n_pairs = species * (species + 1) / 2;
    ws.counts.assign(static_cast<std::size_t>(4 * species + 2 * n_pairs), 0);
    int* begin = ws.counts.data();
    int* count = begin + species;
    int* angular = count + species;
    int* filled = angular + species;
    int* pairs_begin = filled + species;
    int* pairs_count = pairs_begin + n_pairs;

    for (int i = 0; i < env.count; ++i) {
      const double* v = env.vectors + 3 * i;
      const double r2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      if (r2 >= far2) continue;
      ++count[env.species[i]];
      if (r2 < angular2) ++angular[env.species[i]];
    }
    int total = 0;
    for (int t = 0; t < species; ++t) {
      begin[t] = total;
      total += padded(count[t]);
    }
    int pairs = 0, index = 0;
    for (int a = 0; a < species; ++a)
      for (int b = a; b < species; ++b, ++index) {
        pairs_begin[index] = pairs;
        pairs_count[index] =
            a == b ? angular[a] * (angular[a] - 1) / 2 : angular[a] * angular[b];
        // Room for the lanes behind the last pair.
        if (pairs_count[index] > 0) pairs += padded(pairs_count[index]) + kPadding;
      }
    lay_out(ws, total, pairs);
    kernels::Neighbours& nb = ws.place.neighbours;
    nb.begin = begin;
    nb.count = count;
    nb.angular = angular;
    nb.pairs_begin = pairs_begin;
    nb.pairs_count = pairs_count;

    const double beyond = 2.0 * cutoff();
    for (int i = 0; i < nb.readable; ++i) {
      nb.x[i] = beyond;
      nb.y[i] = 0.0;
      nb.z[i] = 0.0;
    }
    ws.original.assign(static_cast<std::size_t>(total), -1);
    for (int t = 0; t < species; ++t) filled[t] = begin[t] + angular[t];
    for (int i = 0; i < env.count; ++i) {
      const double* v = env.vectors + 3 * i;
      const double r2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      if (r2 >= far2) continue;
      const int t = env.species[i];
      const int to = r2 < angular2 ? begin[t]++ : filled[t]++;
      nb.x[to] = v[0];
      nb.y[to] = v[1];
      nb.z[to] = v[2];
      ws.original[static_cast<std::size_t>(to)] = i;
    }
    for (int t = 0; t < species; ++t) begin[t] -= angular[t];
  }

  // Hands out consecutive arrays of a block of memory.
  template <class Real>
  struct Arrays {
    Real* next;
    std::size_t length;

    void give(std::initializer_list<Real**> arrays) {
      for (Real** array : arrays) *array = give(length);
    }
    Real* give(std::size_t count) {
      Real* array = next;
      next += count;
      return array;
    }
  };

  // Kernels read and write up to one register behind a block.
  void lay_out(Workspace& ws, int neighbours, int pairs) const {
    kernels::Neighbours& nb = ws.place.neighbours;
    nb.padded = neighbours;
    nb.readable = neighbours + kPadding;
    const auto row = static_cast<std::size_t>(nb.readable);
    const auto radial = static_cast<std::size_t>(s_.radial.count);
    Arrays<double> own{ws.neighbour_memory.reserve(row * (22 + radial)), row};
    own.give({&nb.x, &nb.y, &nb.z, &nb.r_inv, &nb.f_rad, &nb.df_rad});
    give(nb.legs, own);
    nb.gaussians = own.give(row * radial);
    Arrays<float> own_single{reinterpret_cast<float*>(own.next), row};
    give(nb.legs_single, own_single);

    const auto n = static_cast<std::size_t>(pairs + kPadding);
    const auto kept = static_cast<std::size_t>(s_.pairs.shells.count + 2 * s_.pairs.q_count);
    const auto size = static_cast<std::size_t>(s_.pairs.size());
    double* memory = ws.pair_memory.reserve(n * (13 + kept) + size);
    if (mixed())
      give(ws.place.pairs_single, s_.pairs_single, Arrays<float>{reinterpret_cast<float*>(memory), n});
    else
      give(ws.place.pairs, s_.pairs, Arrays<double>{memory, n});
  }

  template <class Real>
  static void give(kernels::Legs<Real>& legs, Arrays<Real>& own) {
    own.give({&legs.r, &legs.f, &legs.df, &legs.ux, &legs.uy, &legs.uz, &legs.radial, &legs.vx,
              &legs.vy, &legs.vz});
  }

  template <class Real>
  static void give(kernels::Pairs<Real>& pr, const kernels::ThreeBody<Real>& s,
                   Arrays<Real> own) {
    own.give({&pr.c, &pr.u, &pr.w, &pr.sin2, &pr.w_j, &pr.w_k, &pr.w_c, &pr.u_j, &pr.u_k, &pr.u_c,
              &pr.a, &pr.b, &pr.d});
    pr.R = own.give(own.length * static_cast<std::size_t>(s.shells.count));
    pr.T = own.give(own.length * static_cast<std::size_t>(s.q_count));
    pr.dT = own.give(own.length * static_cast<std::size_t>(s.q_count));
    pr.g_bar = own.give(static_cast<std::size_t>(s.size()));
  }
};

struct MBPParameters {
  int species = 0;
  double rc_rad = 0.0;
  std::vector<double> rs_rad, eta_rad;  // one eta for each centre
  double rc_ang = 0.0;
  std::vector<double> rs_ang, eta_ang;  // one eta for each centre
  std::vector<double> thetas, zeta;     // radians; one zeta for each angle
  double eps = 1e-2;                    // smoothing of the angular function
  bool like_pairs_twice = false;
};

// Modified Behler-Parrinello, eqs. 3 and 5 with note 63 of Lot et al., CPC 256, 107402 (2020).
class MBP : public SeparableDescriptor {
 public:
  explicit MBP(const MBPParameters& p)
      : SeparableDescriptor(false, p.species, p.rc_rad, p.rc_ang, p.like_pairs_twice ? 2.0 : 1.0,
                            true, p.rs_rad, p.eta_rad, p.rs_ang, p.eta_ang, angles(p)) {}

 private:
  static std::vector<Angle> angles(const MBPParameters& p) {
    if (p.rs_rad.size() != p.eta_rad.size() || p.rs_ang.size() != p.eta_ang.size() ||
        p.thetas.size() != p.zeta.size())
      throw Error("mBP descriptor: one eta for each centre and one zeta for each angle expected");
    std::vector<Angle> out;
    for (std::size_t q = 0; q < p.thetas.size(); ++q) {
      const double sin = std::sin(p.thetas[q]), x = p.eps * sin * sin;
      out.push_back({std::cos(p.thetas[q]), sin, x, 1.0 / (1.0 + std::sqrt(1.0 + x)), p.zeta[q]});
    }
    return out;
  }
};

struct BPParameters {
  int species = 0;
  double rc_rad = 0.0;
  std::vector<double> rs_rad, eta_rad;  // all combinations, eta slow
  double rc_ang = 0.0;
  std::vector<double> eta_ang, zeta;  // all combinations with lambda = +1, -1
  bool rjk_smooth = true;             // false: fc(r_jk) as published, not cut at rc
};

// Behler-Parrinello, eqs. 3 and 4 of Lot et al., CPC 256, 107402 (2020).
class BP : public SeparableDescriptor {
 public:
  explicit BP(const BPParameters& p)
      : SeparableDescriptor(true, p.species, p.rc_rad, p.rc_ang, 1.0, p.rjk_smooth,
                            repeated(p.rs_rad, p.eta_rad.size()),
                            each(p.eta_rad, p.rs_rad.size()),
                            std::vector<double>(p.eta_ang.size(), 0.0), p.eta_ang, angles(p)) {}

 private:
  static std::vector<double> repeated(const std::vector<double>& values, std::size_t times) {
    std::vector<double> out;
    for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), values.begin(), values.end());
    return out;
  }

  static std::vector<double> each(const std::vector<double>& values, std::size_t times) {
    std::vector<double> out;
    for (double value : values) out.insert(out.end(), times, value);
    return out;
  }

  static std::vector<Angle> angles(const BPParameters& p) {
    std::vector<Angle> out;
    for (double zeta : p.zeta)
      for (double lambda : {1.0, -1.0}) out.push_back({lambda, 0.0, 0.0, 0.5, zeta});
    return out;
  }
};

}  // namespace panna
