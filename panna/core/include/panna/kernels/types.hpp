// Plain data that the kernels work on. The kernels are compiled once for each instruction set;
// nothing here may depend on one, and nothing here owns memory.
#pragma once

namespace panna {
namespace kernels {

// Radial and angular parameters of a descriptor whose three-body term separates:
//   G[p][q] = sum over pairs  w(r_j, r_k, c) R_p(u) T_q(c),   c = cos(j-i-k).
//   mBP: u = (r_j + r_k)/2,                R_p = exp(-eta_p (u - Rs_p)^2)
//   BP:  u = r_j^2 + r_k^2 + r_jk^2,       R_p = exp(-eta_p u)
//   mBP: T_q = ([1 + c cos t_q + S_q sin t_q] / norm_q)^zeta_q,  S_q^2 = 1 - c^2 + eps sin^2 t_q
//   BP:  T_q = ([1 + lambda_q c] / 2)^zeta_q
// w holds the factor 2 and the cutoff functions.
// Gaussians exp(-eta_m (x - Rs_m)^2). Where the centres are equidistant with one eta, most of them
// follow from their neighbours (`step` > 0; see vector.inl.hpp).
struct Gaussians {
  int count;
  const double* rs;   // angstrom
  const double* eta;  // 1/angstrom^2
  double farthest;    // largest x of interest: the cutoff, angstrom
  double step;        // d = Rs_(m+1) - Rs_m, or 0
  double slope, shift;  // 2 eta d,  2 eta d Rs_1 + eta d^2
  double ratio, up_change, down_change;  // q = exp(-2 eta d^2), q^4, q^-4
};

// Two angular factors at mirrored angles, t and pi - t (mBP) or lambda = 1 and -1 (BP): they share
// the square root. A factor without a partner has mirror = q. Numbers are repeated for the lanes
// of the widest register.
struct MirroredAngles {
  static constexpr int kLanes = 8;
  double eps_sin2[kLanes];
  double norm[kLanes];              // 1 / norm_q
  double sin[kLanes], cos[kLanes];  // times norm
  double slope_sin[kLanes], slope_cos[kLanes];  // -zeta sin, zeta cos
  double zeta;
  int power;  // zeta - 1 where zeta is an integer, else -1
  int q, mirror;
};

struct Separable {
  int species;         // number of species
  double rc_rad;       // angstrom
  double rc_ang;       // angstrom
  double like_factor;  // weight of a pair of neighbours of one species (1, or 2 for old data)

  Gaussians radial;   // of one species
  Gaussians shells;   // radial factors of the three-body term; BP: eta only

  int q_count;  // angular factors
  int angles;
  const MirroredAngles* angle;  // [angles], those with the same power behind each other

  bool rjk_smooth;  // BP: a pair ends where r_jk reaches the cutoff
};

// Neighbours of one atom, sorted by species; inside a species those within both cutoffs come
// first. Each species starts at a multiple of the padding; the gap is filled with neighbours
// beyond every cutoff. All arrays have `padded` elements.
struct Neighbours {
  int padded;
  const int* begin;    // [species] first element
  const int* count;    // [species] neighbours within the cutoff
  const int* angular;  // [species] the first of them that take part in three-body terms
  const int* pairs_begin;  // [species pairs] offset into the pair arrays
  const int* pairs_count;  // [species pairs]

  double *x, *y, *z;           // vectors from the central atom, angstrom
  double *r, *r_inv;           // length and its inverse
  double *ux, *uy, *uz;        // unit vectors
  double *f_rad, *df_rad;      // radial cutoff function and its derivative
  double *f_ang, *df_ang;      // angular cutoff function and its derivative
  double *gaussians;           // radial factors: [block of lanes][radial component][lane]
  double *radial;              // backward: dE/dr;                     forward mode: dr
  double *vx, *vy, *vz;        // backward: sum over k of dE/dc u_k;   forward mode: d(unit vector)
};

// Pairs of neighbours, packed densely in the order of species pairs. Kept from the forward pass
// for the backward one. R, T and dT are stored as [block of lanes][p or q][lane].
struct Pairs {
  double *c, *u, *w;            // cosine, argument of the radial factors, weight
  double *w_j, *w_k, *w_c;      // derivatives of w
  double *u_j, *u_k, *u_c;      // derivatives of u (BP; constant for mBP)
  double *a, *b, *d;            // backward: dE/dr_j, dE/dr_k, dE/dc
  double *R, *T, *dT;
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
