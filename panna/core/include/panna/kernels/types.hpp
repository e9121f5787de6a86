// Plain data that the kernels work on. The kernels are compiled once for each instruction set;
// nothing here may depend on one, and nothing here owns memory.
#pragma once

#include <cstdint>

namespace panna {
namespace kernels {

// A number of IEEE 754 binary16 (5 bits of exponent, 10 of fraction) in memory; finite.
struct Half {
  std::uint16_t bits;
};

// Descriptors whose three-body term separates:
//   G[p][q] = sum over pairs  w(r_j, r_k, c) R_p(u) T_q(c),   c = cos(j-i-k).
//   mBP: u = (r_j + r_k)/2,                R_p = exp(-eta_p (u - Rs_p)^2)
//   BP:  u = r_j^2 + r_k^2 + r_jk^2,       R_p = exp(-eta_p u)
//   mBP: T_q = ([1 + c cos t_q + S_q sin t_q] / norm_q)^zeta_q,  S_q^2 = 1 - c^2 + eps sin^2 t_q
//   BP:  T_q = ([1 + lambda_q c] / 2)^zeta_q
// w holds the factor 2 and the cutoff functions.
//
// What belongs to pairs of neighbours exists in double and in single precision (Real); distances,
// cutoff functions, radial terms and sums over atoms are always double.

// Gaussians exp(-eta_m (x - Rs_m)^2). Where the centres are equidistant with one eta, most of them
// follow from their neighbours (`step` > 0; see vector.inl.hpp).
template <class Real>
struct Gaussians {
  int count;
  const Real* rs;       // angstrom
  const Real* eta;      // 1/angstrom^2
  Real farthest;        // largest x of interest: the cutoff, angstrom
  Real step;            // d = Rs_(m+1) - Rs_m, or 0
  Real slope, shift;    // 2 eta d,  2 eta d Rs_1 + eta d^2
  Real ratio, up_change, down_change;  // q = exp(-2 eta d^2), q^4, q^-4
};

// Two angular factors at mirrored angles, t and pi - t (mBP) or lambda = 1 and -1 (BP): they share
// the square root. A factor without a partner has mirror = q. Numbers are repeated for the lanes
// of the widest register.
template <class Real>
struct MirroredAngles {
  static constexpr int kLanes = 64 / sizeof(Real);
  Real eps_sin2[kLanes];
  Real norm[kLanes];                          // 1 / norm_q
  Real sin[kLanes], cos[kLanes];              // times norm
  Real slope_sin[kLanes], slope_cos[kLanes];  // -zeta sin, zeta cos
  Real zeta;
  int power;  // zeta - 1 where zeta is an integer, else -1
  int q, mirror;
};

template <class Real>
struct ThreeBody {
  Real rc;           // angstrom
  Real like_factor;  // weight of a pair of neighbours of one species (1, or 2 for old data)
  bool rjk_smooth;   // BP: a pair ends where r_jk reaches the cutoff
  Gaussians<Real> shells;  // radial factors; BP: eta only
  int q_count;             // angular factors
  int angles;
  const MirroredAngles<Real>* angle;  // [angles], those with the same power behind each other

  int size() const { return shells.count * q_count; }
};

struct Separable {
  int species;     // number of species
  double rc_rad;   // angstrom
  double rc_ang;   // angstrom
  Gaussians<double> radial;  // of one species
  ThreeBody<double> pairs;
  ThreeBody<float> pairs_single;
};

// The two legs of three-body terms: neighbours inside the angular cutoff.
template <class Real>
struct Legs {
  Real *r, *f, *df;         // distance, cutoff function and its derivative
  Real *ux, *uy, *uz;       // unit vectors
  Real *radial;             // backward: dE/dr;                     forward mode: dr
  Real *vx, *vy, *vz;       // backward: sum over k of dE/dc u_k;   forward mode: d(unit vector)
};

// Neighbours of one atom, sorted by species; inside a species those within both cutoffs come
// first. Each species starts at a multiple of the padding; the gap is filled with neighbours
// beyond every cutoff. Kernels read up to one register behind a run of neighbours: behind the last
// species there are as many more such neighbours as the widest register has lanes.
struct Neighbours {
  int padded;    // elements of all species
  int readable;  // and of those behind
  const int* begin;    // [species] first element
  const int* count;    // [species] neighbours within the cutoff
  const int* angular;  // [species] the first of them that take part in three-body terms
  const int* pairs_begin;  // [species pairs] offset into the pair arrays
  const int* pairs_count;  // [species pairs]

  double *x, *y, *z;       // vectors from the central atom, angstrom
  double *r_inv;           // inverse of the length
  double *f_rad, *df_rad;  // radial cutoff function and its derivative
  double *gaussians;       // radial factors: [block of lanes][radial component][lane]
  Legs<double> legs;       // r and u of all neighbours
  Legs<float> legs_single;
};

// The pairs of one pair of species: row j against a run of lanes k. For two species the longer
// block is in the lanes.
struct PairBlock {
  int rows_begin, rows, lanes_begin, lanes;
  bool like;
  int offset, count;

  int first_lane(int row) const { return like ? lanes_begin + row + 1 : lanes_begin; }
  int row_length(int row) const { return like ? lanes - row - 1 : lanes; }
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

// Pairs of neighbours, packed densely in the order of species pairs. Kept from the forward pass
// for the backward one. R, T and dT are stored as [block of lanes][p or q][lane].
template <class Real>
struct Pairs {
  Real *c, *u, *w;        // cosine, argument of the radial factors, weight
  Real *sin2;             // 1 - c^2 without cancellation; single precision only
  Real *w_j, *w_k, *w_c;  // derivatives of w
  Real *u_j, *u_k, *u_c;  // derivatives of u (BP; constant for mBP)
  Real *a, *b, *d;        // backward: dE/dr_j, dE/dr_k, dE/dc
  Real *R, *T, *dT;
  Real* g_bar;            // [p][q]; single precision only
};

struct Workplace {
  Neighbours neighbours;
  Pairs<double> pairs;
  Pairs<float> pairs_single;
};

// One fully connected layer; rows padded to the widest register.
struct Layer {
  int in, out;
  int in_padded, out_padded;
  int activation;           // the ids of the PANNA files: 0 linear, 1 Gaussian, 2 RBF, 3 ReLU, 4 tanh
  const double* weights;    // [in][out_padded]
  const double* transposed;  // [out][in_padded]
  const double* biases;     // [out_padded]
};

}  // namespace kernels
}  // namespace panna
