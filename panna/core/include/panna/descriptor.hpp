// Descriptors of one atom's neighbourhood behind one small interface.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "panna/aligned.hpp"
#include "panna/error.hpp"
#include "panna/kernels/dispatch.hpp"

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
  kernels::Neighbours neighbours{};
  kernels::Pairs pairs{};
  std::vector<int> counts;    // begin, count, angular of the species; begin, count of the pairs
  std::vector<int> original;  // place in the environment of each sorted neighbour, -1 for padding
};

class Descriptor {
 public:
  virtual ~Descriptor() = default;
  virtual int species() const = 0;
  virtual int size() const = 0;
  virtual double cutoff() const = 0;

  // G (size) of one atom.
  virtual void forward(const Environment& env, Workspace& ws, double* g) const = 0;
  // Of the atom last given to `forward`: gradient of sum g_bar G with respect to the vectors,
  // [count][3].
  virtual void vjp(const Environment& env, Workspace& ws, const double* g_bar,
                   double* gradient) const = 0;
  // Of the atom last given to `forward`: change of G (size) when the vectors change by `tangents`.
  virtual void jvp(const Environment& env, Workspace& ws, const double* tangents,
                   double* dg) const = 0;
  // Of the atom last given to `forward`: derivative of G with respect to the vectors,
  // [count][size][3]; `out` must be zero.
  virtual void jacobian(const Environment& env, Workspace& ws, double* out) const = 0;
};

// mBP and BP: radial terms and three-body terms that are products of a radial and an angular
// factor (kernels/types.hpp gives the formulas).
class SeparableDescriptor : public Descriptor {
 public:
  int species() const override { return n_species_; }
  double cutoff() const override { return rc_rad_ > rc_ang_ ? rc_rad_ : rc_ang_; }
  int size() const override {
    const int pairs = n_species_ * (n_species_ + 1) / 2;
    return n_species_ * static_cast<int>(rad_rs_.size()) +
           pairs * static_cast<int>(p_eta_.size()) * q_count_;
  }

  void forward(const Environment& env, Workspace& ws, double* g) const override {
    const kernels::Separable s = view();
    sort(s, env, ws);
    kernels::active().forward[is_bp_](s, ws.neighbours, ws.pairs, g);
  }

  void vjp(const Environment& env, Workspace& ws, const double* g_bar,
           double* gradient) const override {
    kernels::active().backward[is_bp_](view(), ws.neighbours, ws.pairs, g_bar);
    for (int i = 0; i < 3 * env.count; ++i) gradient[i] = 0.0;
    const kernels::Neighbours& nb = ws.neighbours;
    for (int i = 0; i < nb.padded; ++i) {
      if (ws.original[i] < 0) continue;
      double* out = gradient + 3 * ws.original[i];
      out[0] = nb.vx[i];
      out[1] = nb.vy[i];
      out[2] = nb.vz[i];
    }
  }

  void jvp(const Environment&, Workspace& ws, const double* tangents, double* dg) const override {
    const kernels::Neighbours& nb = ws.neighbours;
    for (int i = 0; i < nb.padded; ++i) {
      const double* t = ws.original[i] < 0 ? nullptr : tangents + 3 * ws.original[i];
      nb.vx[i] = t ? t[0] : 0.0;
      nb.vy[i] = t ? t[1] : 0.0;
      nb.vz[i] = t ? t[2] : 0.0;
    }
    kernels::active().tangent[is_bp_](view(), nb, ws.pairs, dg);
  }

  void jacobian(const Environment&, Workspace& ws, double* out) const override {
    const kernels::Separable s = view();
    const kernels::Neighbours& nb = ws.neighbours;
    const int* counts = nb.pairs_count;
    const int most = *std::max_element(counts, counts + s.species * (s.species + 1) / 2);
    const kernels::Table& k = kernels::active();
    const long size = k.jacobian_scratch(s, nb, most);
    double* scratch = ws.jacobian_memory.reserve(static_cast<std::size_t>(size));
    k.jacobian[is_bp_](s, nb, ws.pairs, ws.original.data(), most, scratch, out);
  }

 protected:
  bool is_bp_ = false;
  int n_species_ = 0;
  double rc_rad_ = 0.0, rc_ang_ = 0.0, like_factor_ = 1.0;
  bool rjk_smooth_ = true;
  std::vector<double> rad_rs_, rad_eta_, p_rs_, p_eta_;
  int q_count_ = 0;
  std::vector<kernels::MirroredAngles> angles_;

  struct Angle {
    double cos, sin, eps_sin2, inv_norm, zeta;
  };

  // Angular factors in the order of the components; finds those that mirror each other.
  void set_angles(const std::vector<Angle>& single) {
    q_count_ = static_cast<int>(single.size());
    std::vector<bool> used(single.size(), false);
    for (std::size_t i = 0; i < single.size(); ++i) {
      if (used[i]) continue;
      const Angle& a = single[i];
      const double z = a.zeta;
      kernels::MirroredAngles both{};
      for (int lane = 0; lane < kernels::MirroredAngles::kLanes; ++lane) {
        both.eps_sin2[lane] = a.eps_sin2;
        both.norm[lane] = a.inv_norm;
        both.sin[lane] = a.inv_norm * a.sin;
        both.cos[lane] = a.inv_norm * a.cos;
        both.slope_sin[lane] = -z * a.inv_norm * a.sin;
        both.slope_cos[lane] = z * a.inv_norm * a.cos;
      }
      both.zeta = z;
      both.power = z >= 1.0 && z < 1e6 && std::floor(z) == z ? static_cast<int>(z) - 1 : -1;
      both.q = both.mirror = static_cast<int>(i);
      for (std::size_t k = i + 1; k < single.size(); ++k)
        if (!used[k] && single[k].zeta == z && std::abs(single[k].cos + a.cos) < 1e-15 &&
            std::abs(single[k].sin - a.sin) < 1e-15) {
          both.mirror = static_cast<int>(k);
          used[k] = true;
          break;
        }
      angles_.push_back(both);
    }
    std::stable_sort(angles_.begin(), angles_.end(),
                     [](const auto& a, const auto& b) { return a.zeta < b.zeta; });
  }

 private:
  kernels::Separable view() const {
    return {n_species_,
            rc_rad_,
            rc_ang_,
            like_factor_,
            gaussians(rad_rs_, rad_eta_, rc_rad_),
            gaussians(p_rs_, p_eta_, rc_ang_),
            q_count_,
            static_cast<int>(angles_.size()),
            angles_.data(),
            rjk_smooth_};
  }

  static kernels::Gaussians gaussians(const std::vector<double>& rs,
                                      const std::vector<double>& eta, double cutoff) {
    kernels::Gaussians s{};
    s.count = static_cast<int>(rs.size());
    s.rs = rs.data();
    s.eta = eta.data();
    s.farthest = cutoff;
    if (rs.size() < 4) return s;
    const double step = (rs.back() - rs.front()) / static_cast<double>(rs.size() - 1);
    bool regular = step > 0.0;
    for (std::size_t m = 0; m < rs.size(); ++m)
      regular = regular && eta[m] == eta[0] &&
                std::abs(rs[m] - rs[0] - static_cast<double>(m) * step) < 1e-14 * cutoff;
    // Beyond these limits exponentials of single factors would leave the range of doubles.
    const double far = std::max(cutoff - rs.front(), rs.back());
    if (!regular || eta[0] * far * far > 600.0 || eta[0] * step * (2.0 * far + 8.0 * step) > 600.0)
      return s;
    s.step = step;
    s.slope = 2.0 * eta[0] * step;
    s.shift = s.slope * rs[1] + eta[0] * step * step;
    s.ratio = std::exp(-s.slope * step);
    s.up_change = std::exp(-4.0 * s.slope * step);
    s.down_change = 1.0 / s.up_change;
    return s;
  }

  // Sort the neighbours within the cutoff by species, those that take part in three-body terms
  // first, and lay out the memory of the kernels.
  void sort(const kernels::Separable& s, const Environment& env, Workspace& ws) const {
    const double far2 = cutoff() * cutoff(), angular2 = rc_ang_ * rc_ang_;
    const int n_pairs = s.species * (s.species + 1) / 2;
    ws.counts.assign(static_cast<std::size_t>(4 * s.species + 2 * n_pairs), 0);
    int* begin = ws.counts.data();
    int* count = begin + s.species;
    int* angular = count + s.species;
    int* filled = angular + s.species;
    int* pairs_begin = filled + s.species;
    int* pairs_count = pairs_begin + n_pairs;

    for (int i = 0; i < env.count; ++i) {
      const double* v = env.vectors + 3 * i;
      const double r2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      if (r2 >= far2) continue;
      ++count[env.species[i]];
      if (r2 < angular2) ++angular[env.species[i]];
    }
    int total = 0;
    for (int t = 0; t < s.species; ++t) {
      begin[t] = total;
      total += padded(count[t]);
    }
    int pairs = 0, index = 0;
    for (int a = 0; a < s.species; ++a)
      for (int b = a; b < s.species; ++b, ++index) {
        pairs_begin[index] = pairs;
        pairs_count[index] =
            a == b ? angular[a] * (angular[a] - 1) / 2 : angular[a] * angular[b];
        // Room for the lanes behind the last pair.
        if (pairs_count[index] > 0) pairs += padded(pairs_count[index]) + kPadding;
      }

    // Kernels read up to one register behind a block.
    const std::size_t row = static_cast<std::size_t>(total) + kPadding;
    double* m = ws.neighbour_memory.reserve(row * (16 + rad_rs_.size()));
    kernels::Neighbours& nb = ws.neighbours;
    double** arrays[] = {&nb.x,  &nb.y,     &nb.z,      &nb.r,     &nb.r_inv,  &nb.ux,
                         &nb.uy, &nb.uz,    &nb.f_rad,  &nb.df_rad, &nb.f_ang, &nb.df_ang,
                         &nb.radial, &nb.vx, &nb.vy, &nb.vz, &nb.gaussians};
    for (double** array : arrays) {
      *array = m;
      m += row;
    }
    nb.padded = total;
    nb.begin = begin;
    nb.count = count;
    nb.angular = angular;
    nb.pairs_begin = pairs_begin;
    nb.pairs_count = pairs_count;

    const std::size_t np = static_cast<std::size_t>(pairs) + kPadding;
    double* p = ws.pair_memory.reserve(np * (12 + p_eta_.size() + 2 * static_cast<std::size_t>(q_count_)));
    kernels::Pairs& pr = ws.pairs;
    double** pair_arrays[] = {&pr.c,   &pr.u,   &pr.w,   &pr.w_j, &pr.w_k, &pr.w_c,
                              &pr.u_j, &pr.u_k, &pr.u_c, &pr.a,   &pr.b,   &pr.d};
    for (double** array : pair_arrays) {
      *array = p;
      p += np;
    }
    pr.R = p;
    pr.T = pr.R + np * p_eta_.size();
    pr.dT = pr.T + np * static_cast<std::size_t>(q_count_);

    const double beyond = 2.0 * cutoff();
    for (int i = 0; i < total + kPadding; ++i) {
      nb.x[i] = beyond;
      nb.y[i] = 0.0;
      nb.z[i] = 0.0;
    }
    ws.original.assign(static_cast<std::size_t>(total), -1);
    for (int t = 0; t < s.species; ++t) filled[t] = begin[t] + angular[t];
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
    for (int t = 0; t < s.species; ++t) begin[t] -= angular[t];
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
  explicit MBP(const MBPParameters& p) {
    n_species_ = p.species;
    rc_rad_ = p.rc_rad;
    rc_ang_ = p.rc_ang;
    rad_rs_ = p.rs_rad;
    rad_eta_ = p.eta_rad;
    p_rs_ = p.rs_ang;
    p_eta_ = p.eta_ang;
    like_factor_ = p.like_pairs_twice ? 2.0 : 1.0;
    if (rad_rs_.size() != rad_eta_.size() || p_rs_.size() != p_eta_.size() ||
        p.thetas.size() != p.zeta.size())
      throw Error("mBP descriptor: one eta for each centre and one zeta for each angle expected");
    std::vector<Angle> angles;
    for (std::size_t q = 0; q < p.thetas.size(); ++q) {
      const double sin = std::sin(p.thetas[q]), x = p.eps * sin * sin;
      angles.push_back(
          {std::cos(p.thetas[q]), sin, x, 1.0 / (1.0 + std::sqrt(1.0 + x)), p.zeta[q]});
    }
    set_angles(angles);
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
  explicit BP(const BPParameters& p) {
    is_bp_ = true;
    n_species_ = p.species;
    rc_rad_ = p.rc_rad;
    rc_ang_ = p.rc_ang;
    rjk_smooth_ = p.rjk_smooth;
    for (double eta : p.eta_rad)
      for (double rs : p.rs_rad) {
        rad_eta_.push_back(eta);
        rad_rs_.push_back(rs);
      }
    p_eta_ = p.eta_ang;
    p_rs_.assign(p_eta_.size(), 0.0);
    std::vector<Angle> angles;
    for (double zeta : p.zeta)
      for (double lambda : {1.0, -1.0}) angles.push_back({lambda, 0.0, 0.0, 0.5, zeta});
    set_angles(angles);
  }
};

}  // namespace panna
