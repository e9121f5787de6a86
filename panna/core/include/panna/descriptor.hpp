// Descriptors of one atom's neighbourhood behind one small interface.
#pragma once

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
  AlignedBuffer neighbour_memory, pair_memory, descriptor_memory, network_memory;
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
           pairs * static_cast<int>(p_eta_.size() * q_zeta_.size());
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

 protected:
  bool is_bp_ = false;
  int n_species_ = 0;
  double rc_rad_ = 0.0, rc_ang_ = 0.0, like_factor_ = 1.0;
  bool rjk_smooth_ = true;
  std::vector<double> rad_rs_, rad_eta_, p_rs_, p_eta_;
  std::vector<double> q_cos_, q_sin_, q_eps_sin2_, q_inv_norm_, q_zeta_;
  std::vector<int> q_power_;

  void set_zeta(const std::vector<double>& zeta) {
    q_zeta_ = zeta;
    for (double z : zeta) {
      const bool integer = z >= 1.0 && z < 1e6 && std::floor(z) == z;
      q_power_.push_back(integer ? static_cast<int>(z) - 1 : -1);
    }
  }

 private:
  kernels::Separable view() const {
    return {n_species_,
            rc_rad_,
            rc_ang_,
            like_factor_,
            static_cast<int>(rad_rs_.size()),
            rad_rs_.data(),
            rad_eta_.data(),
            static_cast<int>(p_eta_.size()),
            p_rs_.data(),
            p_eta_.data(),
            static_cast<int>(q_zeta_.size()),
            q_cos_.data(),
            q_sin_.data(),
            q_eps_sin2_.data(),
            q_inv_norm_.data(),
            q_zeta_.data(),
            q_power_.data(),
            rjk_smooth_};
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
    double* p = ws.pair_memory.reserve(np * (12 + p_eta_.size() + 2 * q_zeta_.size()));
    kernels::Pairs& pr = ws.pairs;
    double** pair_arrays[] = {&pr.c,   &pr.u,   &pr.w,   &pr.w_j, &pr.w_k, &pr.w_c,
                              &pr.u_j, &pr.u_k, &pr.u_c, &pr.a,   &pr.b,   &pr.d};
    for (double** array : pair_arrays) {
      *array = p;
      p += np;
    }
    pr.R = p;
    pr.T = pr.R + np * p_eta_.size();
    pr.dT = pr.T + np * q_zeta_.size();

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
    for (double theta : p.thetas) {
      const double s = std::sin(theta), s2 = s * s;
      q_cos_.push_back(std::cos(theta));
      q_sin_.push_back(s);
      q_eps_sin2_.push_back(p.eps * s2);
      q_inv_norm_.push_back(1.0 / (1.0 + std::sqrt(1.0 + p.eps * s2)));
    }
    set_zeta(p.zeta);
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
    std::vector<double> zeta;
    for (double z : p.zeta)
      for (double lambda : {1.0, -1.0}) {
        zeta.push_back(z);
        q_cos_.push_back(lambda);
      }
    q_sin_.assign(zeta.size(), 0.0);
    q_eps_sin2_.assign(zeta.size(), 0.0);
    q_inv_norm_.assign(zeta.size(), 0.5);
    set_zeta(zeta);
  }
};

}  // namespace panna
