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
struct Separable {
  int species;     // number of species
  double rc_rad;   // angstrom
  double rc_ang;   // angstrom
  double like_factor;  // weight of a pair of neighbours of one species (1, or 2 for old data)

  int radial;             // radial components of one species
  const double* rad_rs;   // angstrom
  const double* rad_eta;  // 1/angstrom^2

  int p_count;          // radial factors of the three-body term
  const double* p_rs;   // angstrom (mBP)
  const double* p_eta;  // 1/angstrom^2

  int q_count;               // angular factors
  const double* q_cos;       // cos t_q (mBP) or lambda_q (BP)
  const double* q_sin;       // sin t_q (mBP)
  const double* q_eps_sin2;  // eps sin^2 t_q (mBP)
  const double* q_inv_norm;  // 1 / norm_q
  const double* q_zeta;
  const int* q_power;  // zeta_q - 1 where zeta_q is an integer, else -1

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
