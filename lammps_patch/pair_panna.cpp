#include "pair_panna.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#if __has_include("neigh_request.h")
#include "neigh_request.h"
#endif
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include "panna/model.hpp"
#include "panna/potential.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>

#ifdef _OPENMP
#include <omp.h>
#endif

using namespace LAMMPS_NS;

namespace {

// Atoms that one thread takes at a time: few enough for the cache and for an even load.
constexpr int kChunk = 16;

std::string joined(const std::vector<std::string> &words) {
  std::string out;
  for (const std::string &word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// What other versions of LAMMPS call otherwise; those after January 2022 take the first of two.
template <class N>
auto request_full_list(N *neighbor, Pair *pair, int, int)
    -> decltype(neighbor->add_request(pair, 1)) {
  return neighbor->add_request(pair, 1);  // NeighConst::REQ_FULL
}
template <class N>
auto request_full_list(N *neighbor, Pair *pair, int instance, long) {
  const int index = neighbor->request(pair, instance);  // may move the array of requests
  auto *request = neighbor->requests[index];
  request->half = 0;
  request->full = 1;
  return request;
}

template <class C>
auto reverse(C *comm, Pair *pair, int) -> decltype(comm->reverse_comm(pair)) {
  comm->reverse_comm(pair);
}
template <class C>
void reverse(C *comm, Pair *pair, long) {
  comm->reverse_comm_pair(pair);
}

// Every rank learns the message of the lowest rank that has one; empty where none has.
std::string agreed(const std::string &message, MPI_Comm world) {
  int rank = 0, ranks = 0;
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &ranks);
  int mine = message.empty() ? ranks : rank;
  int first = ranks;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == ranks) return "";
  int size = static_cast<int>(message.size());
  MPI_Bcast(&size, 1, MPI_INT, first, world);
  std::string text = message;
  text.resize(static_cast<std::size_t>(size));
  MPI_Bcast(&text[0], size, MPI_CHAR, first, world);
  return text;
}

}  // namespace

struct PairPanna::Chunk {
  panna::Workspace workspace;
  std::vector<int> centre;         // [centres] local index
  std::vector<int> species;        // [centres]
  std::vector<std::size_t> first;  // [centres + 1]
  std::vector<double> energies;    // [centres] eV
  std::vector<int> outside;        // [centres] components outside the training set
  // [neighbours], with room for those beyond the cutoff:
  std::vector<int> neighbour;  // local or ghost index
  std::vector<int> neighbour_species;
  std::vector<double> vectors;    // [neighbours][3] from the centre, angstrom
  std::vector<double> gradients;  // [neighbours][3] eV/angstrom
  // Of a committee; those above are the mean:
  std::vector<double> member_energies;   // [members][centres]
  std::vector<double> member_gradients;  // [members][neighbours within the cutoff][3]
  std::vector<int> member_outside;       // [centres]

  void reserve(std::size_t neighbours) {
    if (neighbours <= neighbour.size()) return;
    neighbours += neighbours / 2;
    neighbour.resize(neighbours);
    neighbour_species.resize(neighbours);
    vectors.resize(3 * neighbours);
    gradients.resize(3 * neighbours);
  }

  panna::Neighbourhoods view() const {
    return {static_cast<int>(centre.size()), species.data(), first.data(),
            neighbour_species.data(), vectors.data()};
  }

  double bytes() const {
    return static_cast<double>(neighbour.size() * (2 * sizeof(int) + 6 * sizeof(double)) +
                               member_gradients.size() * sizeof(double));
  }
};

PairPanna::PairPanna(LAMMPS *lammps) : Pair(lammps) {
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  // Potentials are in eV and angstrom; init_style knows the units of the simulation.
  unit_convert_flag = utils::get_supported_conversions(utils::ENERGY);
  centroidstressflag = CENTROID_NOTAVAIL;
  // Forces of one member at a time: pair_style hybrid asks before the number of members is known.
  comm_reverse = 3;
}

PairPanna::~PairPanna() {
  if (copymode) return;
  delete[] pvector;
  memory->destroy(spread_.energies_std);
  memory->destroy(spread_.forces_std);
  if (!allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

void PairPanna::settings(int narg, char **arg) {
  mixed_ = false;
  extrapolation_ = Extrapolation::warn;
  threads_ = 0;
  for (int i = 0; i < narg; i += 2) {
    const std::string word = arg[i], value = i + 1 < narg ? arg[i + 1] : "";
    std::string expected;
    if (word == "precision") {
      expected = "double or mixed";
      mixed_ = value == "mixed";
      if (mixed_ || value == "double") continue;
    } else if (word == "extrapolation") {
      static const std::map<std::string, Extrapolation> choices = {
          {"warn", Extrapolation::warn}, {"stop", Extrapolation::stop}, {"off", Extrapolation::off}};
      expected = "warn, stop or off";
      const auto chosen = choices.find(value);
      if (chosen != choices.end()) {
        extrapolation_ = chosen->second;
        continue;
      }
    } else if (word == "threads") {
      expected = "a number of 1 or more";
      if (set_threads(value)) continue;
    } else {
      error->all(FLERR, "pair_style panna: argument " + word +
                            " found, precision, extrapolation or threads expected; the potential "
                            "and the elements belong to pair_coeff * * DIR panna.in El1 El2 ...");
    }
    error->all(FLERR, "pair_style panna: " + word + " " + (value.empty() ? "nothing" : value) +
                          " found, " + expected + " expected");
  }
}

bool PairPanna::set_threads(const std::string &text) {
  char *end = nullptr;
  const long count = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || count < 1 || count > 4096) return false;
#ifndef _OPENMP
  if (count > 1) error->all(FLERR, "pair_style panna: threads needs a build with OpenMP");
#endif
  threads_ = static_cast<int>(count);
  return true;
}

void PairPanna::allocate() {
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  allocated = 1;
}

void PairPanna::coeff(int narg, char **arg) {
  const int types = atom->ntypes;
  const std::string expected =
      "; expected pair_coeff * * DIR panna.in El1 El2 ... with one element (or NULL) for each of "
      "the " + std::to_string(types) + " atom types; of a committee all DIR panna.in before the "
      "elements";
  const int elements = narg <= 4 ? 0 : types, files = narg - 2 - elements;
  if (narg < 4)
    error->all(FLERR, "pair_style panna: pair_coeff with " + std::to_string(narg) +
                          " arguments found" + expected);
  if (files < 2 || files % 2 != 0)
    error->all(FLERR, "pair_style panna: pair_coeff with " + std::to_string(narg - 4) +
                          " arguments behind DIR panna.in found" + expected);
  if (!allocated) allocate();
  read(files / 2, arg + 2);
  map_types(elements, arg + 2 + files);
  if (comm->me == 0) report();
}

// Every rank reads the files; one message appears when some rank cannot.
void PairPanna::read(int count, char **names) {
  members_.clear();
  files_.clear();
  cutoff_ = 0.0;
  std::string message;
  for (int m = 0; m < count && message.empty(); ++m) {
    const std::string directory = names[2 * m], file = names[2 * m + 1];
    files_.push_back(directory + "/" + file);
    try {
      members_.push_back(panna::read_potential(directory, file));
      panna::Model &model = *members_.back();
      if (mixed_) model.set_precision(panna::Precision::mixed);
      cutoff_ = std::max(cutoff_, model.cutoff());
      if (model.communication_layers() > 0)
        message = files_.back() + ": atomic energies that depend on neighbours of neighbours are "
                                  "not supported by pair_style panna";
      else if (model.species() != members_[0]->species())
        message = files_.back() + ": species " + joined(model.species()) + " found, those of " +
            files_[0] + " expected (" + joined(members_[0]->species()) + ")";
      else if (extrapolation_ == Extrapolation::stop && !model.knows_ranges())
        message = "extrapolation stop needs the ranges of the training set, and " + files_.back() +
            " names no files of ranges for all species; export the potential again, or leave "
            "extrapolation stop out";
    } catch (const std::exception &failure) {
      message = failure.what();
    }
  }
  message = agreed(message, world);
  if (!message.empty()) error->all(FLERR, "pair_style panna: " + message);

  // Energies of the members for compute pair.
  delete[] pvector;
  nextra = count > 1 ? count : 0;
  pvector = nextra ? new double[static_cast<std::size_t>(nextra)]() : nullptr;
}

void PairPanna::map_types(int count, char **names) {
  const int types = atom->ntypes;
  const std::string &file = files_[0];
  const std::vector<std::string> &known = members_[0]->species();
  const int n_known = static_cast<int>(known.size());
  species_of_type_.assign(static_cast<std::size_t>(types) + 1, -1);
  if (count == 0 && types > n_known)
    error->all(FLERR, "pair_style panna: " + file + " has " + std::to_string(n_known) +
                          " species (" + joined(known) + ") for " + std::to_string(types) +
                          " atom types; name the element of each type behind the file: "
                          "pair_coeff * * DIR panna.in El1 El2 ...");
  for (int t = 1; t <= types; ++t) {
    int &species = species_of_type_[static_cast<std::size_t>(t)];
    if (count == 0) {
      species = t - 1;
      continue;
    }
    const std::string element = names[t - 1];
    if (element == "NULL") {
      if (!utils::strmatch(force->pair_style, "^hybrid"))
        error->all(FLERR, "pair_style panna: atom type " + std::to_string(t) +
                              " is NULL in pair_coeff; outside pair_style hybrid every type needs "
                              "an element of the potential (" + joined(known) + ")");
      continue;
    }
    const auto at = std::find(known.begin(), known.end(), element);
    if (at == known.end())
      error->all(FLERR, "pair_style panna: element " + element + " of atom type " +
                            std::to_string(t) + " is not in " + file + "; it has " +
                            joined(known));
    species = static_cast<int>(at - known.begin());
  }
  int mapped = 0;
  for (int i = 1; i <= types; ++i)
    for (int j = 1; j <= types; ++j) {
      setflag[i][j] = species_of_type_[static_cast<std::size_t>(i)] >= 0 &&
          species_of_type_[static_cast<std::size_t>(j)] >= 0;
      mapped += setflag[i][j];
    }
  if (mapped == 0)
    error->all(FLERR, "pair_style panna: every atom type is NULL in pair_coeff; at least one "
                      "element of the potential expected");
}

void PairPanna::report() const {
  char cutoff[32];
  std::snprintf(cutoff, sizeof cutoff, "%g", cutoff_);
  std::string text = "pair_style panna: " +
      (members_.size() > 1 ? "mean of " + std::to_string(members_.size()) + " potentials, " : "") +
      joined(files_) + ", cutoff " + cutoff + " angstrom, " + (mixed_ ? "mixed" : "double") +
      " precision, instruction set " + panna::kernels::active().name +
      ", ranges of the training set " +
      (!members_[0]->knows_ranges()                ? "unknown"
           : extrapolation_ == Extrapolation::off ? "not watched"
                                                   : "watched") + "; atom types";
  for (std::size_t t = 1; t < species_of_type_.size(); ++t) {
    const int s = species_of_type_[t];
    text += (t == 1 ? " " : ", ") + std::to_string(t) + " = " +
        (s < 0 ? "NULL" : members_[0]->species()[static_cast<std::size_t>(s)]);
  }
  utils::logmesg(lmp, text + "\n");
}

void PairPanna::init_style() {
  if (std::strcmp(update->unit_style, "metal") == 0)
    energy_unit_ = 1.0;
  else if (std::strcmp(update->unit_style, "real") == 0)
    energy_unit_ = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else
    error->all(FLERR, std::string("pair_style panna: units ") + update->unit_style +
                          " found, units metal (eV) or real (kcal/mol) expected");
  if (force->newton_pair == 0)
    error->all(FLERR, "pair_style panna: newton pair off found, newton pair on expected (forces "
                      "on ghost atoms are sent back to their owners)");
  bool full = true;
  for (int k = 1; k <= 3; ++k) full = full && force->special_lj[k] == 1.0;
  if (atom->molecular != Atom::ATOMIC && !full && comm->me == 0)
    error->warning(FLERR, "pair_style panna: bonded pairs are taken out of the neighbour list by "
                          "special_bonds; use special_bonds lj/coul 1 1 1 unless that is wanted");
  request_full_list(neighbor, this, instance_me, 0);
  finish();  // of the run before, where LAMMPS has not called it
}

double PairPanna::init_one(int i, int j) {
  if (setflag[i][j] == 0) error->all(FLERR, "pair_style panna: not all pair coeffs are set");
  return cutoff_;
}

void PairPanna::compute(int eflag, int vflag) {
  ev_init(eflag, vflag);
  std::fill_n(pvector, nextra, 0.0);
  if (spread_.wanted) clear_spread();

  const int blocks = (list->inum + kChunk - 1) / kChunk;
  const int wanted = threads_ > 0 ? threads_ : comm->nthreads;
  const int threads = std::max(1, std::min(wanted, blocks));
  if (chunks_.size() < static_cast<std::size_t>(threads))
    chunks_.resize(static_cast<std::size_t>(threads));
  std::string failure;

  // Chunks are added to the forces in their own order: sums do not depend on the number of
  // threads, and no thread needs forces of its own.
#pragma omp parallel num_threads(threads)
  {
#ifdef _OPENMP
    Chunk &chunk = chunks_[static_cast<std::size_t>(omp_get_thread_num())];
#else
    Chunk &chunk = chunks_[0];
#endif
#pragma omp for ordered schedule(dynamic, 1)
    for (int b = 0; b < blocks; ++b) {
      std::string message;
      try {
        gather(chunk, b * kChunk, std::min((b + 1) * kChunk, list->inum));
        evaluate(chunk);
      } catch (const std::exception &problem) {
        message = problem.what();
      }
#pragma omp ordered
      {
        if (message.empty()) {
          scatter(chunk);
          if (members_.size() > 1) scatter_members(chunk);
          message = count_outside(chunk);
        }
        if (failure.empty()) failure = message;
      }
    }
  }
  if (extrapolation_ == Extrapolation::stop) share_failure(failure);
  if (!failure.empty()) error->one(FLERR, "pair_style panna: " + failure);

  if (vflag_fdotr) virial_fdotr_compute();
  if (spread_.wanted) sum_up_spread();
}

// Neighbourhoods of the atoms ilist[begin .. end-1], within the cutoff.
void PairPanna::gather(Chunk &chunk, int begin, int end) const {
  const double *const *const x = atom->x;
  const int *const type = atom->type;
  const int *const species_of_type = species_of_type_.data();
  const double cutoff2 = cutoff_ * cutoff_;

  chunk.centre.clear();
  chunk.species.clear();
  chunk.first.assign(1, 0);
  std::size_t n = 0;
  for (int ii = begin; ii < end; ++ii) {
    const int i = list->ilist[ii];
    if (species_of_type[type[i]] < 0) continue;
    chunk.centre.push_back(i);
    chunk.species.push_back(species_of_type[type[i]]);
    const double xi = x[i][0], yi = x[i][1], zi = x[i][2];
    const int *const neighbours = list->firstneigh[i];
    const int count = list->numneigh[i];
    chunk.reserve(n + static_cast<std::size_t>(count) + 1);
    for (int jj = 0; jj < count; ++jj) {
      const int j = neighbours[jj] & NEIGHMASK;
      const double dx = x[j][0] - xi, dy = x[j][1] - yi, dz = x[j][2] - zi;
      const int species = species_of_type[type[j]];
      // Written always and kept by moving on: no branch to guess.
      chunk.neighbour[n] = j;
      chunk.neighbour_species[n] = species;
      chunk.vectors[3 * n] = dx;
      chunk.vectors[3 * n + 1] = dy;
      chunk.vectors[3 * n + 2] = dz;
      n += static_cast<std::size_t>((dx * dx + dy * dy + dz * dz < cutoff2) & (species >= 0));
    }
    chunk.first.push_back(n);
  }
  chunk.energies.resize(chunk.centre.size());
  chunk.outside.assign(chunk.centre.size(), 0);
}

// Energies and gradients in the units of LAMMPS.
void PairPanna::evaluate(Chunk &chunk) const {
  const std::size_t members = members_.size(), centres = chunk.centre.size(),
                    numbers = 3 * chunk.first.back();
  const bool watched = extrapolation_ != Extrapolation::off;
  double *energies = chunk.energies.data(), *gradients = chunk.gradients.data();
  if (members == 1) {
    members_[0]->evaluate(chunk.view(), chunk.workspace, energies, gradients,
                          watched ? chunk.outside.data() : nullptr);
    if (energy_unit_ == 1.0) return;
    for (std::size_t a = 0; a < centres; ++a) energies[a] *= energy_unit_;
    for (std::size_t k = 0; k < numbers; ++k) gradients[k] *= energy_unit_;
    return;
  }
  chunk.member_energies.resize(members * centres);
  chunk.member_gradients.resize(members * numbers);
  chunk.member_outside.assign(centres, 0);
  std::fill_n(energies, centres, 0.0);
  std::fill_n(gradients, numbers, 0.0);
  const double share = 1.0 / static_cast<double>(members);
  for (std::size_t m = 0; m < members; ++m) {
    double *const e = chunk.member_energies.data() + m * centres;
    double *const g = chunk.member_gradients.data() + m * numbers;
    members_[m]->evaluate(chunk.view(), chunk.workspace, e, g,
                          watched ? chunk.member_outside.data() : nullptr);
    for (std::size_t a = 0; a < centres; ++a) energies[a] += share * (e[a] *= energy_unit_);
    for (std::size_t k = 0; k < numbers; ++k) gradients[k] += share * (g[k] *= energy_unit_);
    for (std::size_t a = 0; a < centres; ++a)
      chunk.outside[a] = std::max(chunk.outside[a], chunk.member_outside[a]);
  }
}

// With g = dE_i/d(x_j - x_i) the force on i is +g and the force on j is -g.
void PairPanna::scatter(Chunk &chunk) {
  double *const *const f = atom->f;
  for (std::size_t a = 0; a < chunk.centre.size(); ++a) {
    const int i = chunk.centre[a];
    double fx = 0.0, fy = 0.0, fz = 0.0;
    for (std::size_t k = chunk.first[a]; k < chunk.first[a + 1]; ++k) {
      const int j = chunk.neighbour[k];
      const double *const g = chunk.gradients.data() + 3 * k;
      fx += g[0];
      fy += g[1];
      fz += g[2];
      f[j][0] -= g[0];
      f[j][1] -= g[1];
      f[j][2] -= g[2];
      if (vflag_either) tally_virial(i, j, chunk.vectors.data() + 3 * k, g);
    }
    f[i][0] += fx;
    f[i][1] += fy;
    f[i][2] += fz;
    if (eflag_global) eng_vdwl += chunk.energies[a];
    if (eflag_atom) eatom[i] += chunk.energies[a];
  }
}

// The same for each member of a committee: energies for compute pair, forces for fix pair.
void PairPanna::scatter_members(const Chunk &chunk) {
  const std::size_t members = members_.size(), centres = chunk.centre.size(),
                    neighbours = chunk.first.back();
  for (std::size_t m = 0; m < members; ++m) {
    const double *const e = chunk.member_energies.data() + m * centres;
    const double *const gradients = chunk.member_gradients.data() + 3 * m * neighbours;
    if (eflag_global)
      for (std::size_t a = 0; a < centres; ++a) pvector[m] += e[a];
    if (!spread_.wanted) continue;
    auto force = [&](int i) { return spread_.forces.data() + 3 * (i * members + m); };
    for (std::size_t a = 0; a < centres; ++a) {
      const int i = chunk.centre[a];
      spread_.energies[i * members + m] = e[a];
      for (std::size_t k = chunk.first[a]; k < chunk.first[a + 1]; ++k)
        for (int c = 0; c < 3; ++c) {
          force(i)[c] += gradients[3 * k + c];
          force(chunk.neighbour[k])[c] -= gradients[3 * k + c];
        }
    }
  }
}

void PairPanna::clear_spread() {
  const std::size_t members = members_.size();
  if (spread_.atoms < atom->nmax) {
    spread_.atoms = atom->nmax;
    memory->destroy(spread_.energies_std);
    memory->destroy(spread_.forces_std);
    memory->create(spread_.energies_std, spread_.atoms, "pair:energies_std");
    memory->create(spread_.forces_std, spread_.atoms, 3, "pair:forces_std");
  }
  const std::size_t atoms = static_cast<std::size_t>(spread_.atoms);
  spread_.energies.assign(members * atoms, 0.0);
  spread_.forces.assign(3 * members * atoms, 0.0);
}

// Standard deviations of local atoms, with the divisor M - 1.
void PairPanna::sum_up_spread() {
  const int members = static_cast<int>(members_.size());
  for (spread_.sent = 0; spread_.sent < members; ++spread_.sent) reverse(comm, this, 0);
  auto deviation = [members](const double *values, int stride) {
    double mean = 0.0, squares = 0.0;
    for (int m = 0; m < members; ++m) mean += values[m * stride] / members;
    for (int m = 0; m < members; ++m)
      squares += (values[m * stride] - mean) * (values[m * stride] - mean);
    return std::sqrt(squares / (members - 1));
  };
  for (int i = 0; i < atom->nlocal; ++i) {
    spread_.energies_std[i] = deviation(spread_.energies.data() + i * members, 1);
    for (int c = 0; c < 3; ++c)
      spread_.forces_std[i][c] = deviation(spread_.forces.data() + 3 * i * members + c, 3);
  }
}

int PairPanna::pack_reverse_comm(int count, int first, double *buffer) {
  const std::size_t members = members_.size();
  for (int i = first; i < first + count; ++i, buffer += 3)
    std::copy_n(spread_.forces.data() + 3 * (i * members + spread_.sent), 3, buffer);
  return 3 * count;
}

void PairPanna::unpack_reverse_comm(int count, int *list, double *buffer) {
  const std::size_t members = members_.size();
  for (int i = 0; i < count; ++i)
    for (int c = 0; c < 3; ++c)
      spread_.forces[3 * (list[i] * members + spread_.sent) + c] += *buffer++;
}

// fix pair may set a flag on the steps for which it wants numbers; they are there on all.
void *PairPanna::extract(const char *name, int &dim) {
  dim = 0;
  const std::string word = name;
  const bool known = word == "energies_std_flag" || word == "forces_std_flag";
  return known && members_.size() > 1 ? &spread_.flag : nullptr;
}

void *PairPanna::extract_peratom(const char *name, int &columns) {
  const std::string word = name;
  if (word != "energies_std" && word != "forces_std") return nullptr;
  if (members_.size() < 2)
    error->all(FLERR, "pair_style panna: fix pair asks for " + word + ", but pair_coeff names one "
                      "potential; two or more expected (DIR1 panna.in DIR2 panna.in ...)");
  spread_.wanted = true;
  if (spread_.atoms < atom->nmax) clear_spread();
  columns = word == "forces_std" ? 3 : 0;
  return columns ? static_cast<void *>(spread_.forces_std) : spread_.energies_std;
}

// A message where the run has to stop, else empty.
std::string PairPanna::count_outside(const Chunk &chunk) {
  seen_.atoms += static_cast<bigint>(chunk.centre.size());
  for (std::size_t a = 0; a < chunk.centre.size(); ++a) {
    const int components = chunk.outside[a];
    if (components == 0) continue;
    ++seen_.outside;
    seen_.most = std::max(seen_.most, components);
    if (extrapolation_ == Extrapolation::stop)
      return "atom " + std::to_string(atom->tag[chunk.centre[a]]) + " in step " +
          std::to_string(update->ntimestep) + ": " + std::to_string(components) +
          " components of its descriptor are outside the range of the training set "
          "(extrapolation stop); train with such environments, or use extrapolation warn";
  }
  return "";
}

// Ends all ranks together if one has a message: those that MPI_Abort ends may lose what they printed.
void PairPanna::share_failure(const std::string &failure) const {
  const int none = comm->nprocs;
  int mine = failure.empty() ? none : comm->me, first = none;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == none) return;
  int length = static_cast<int>(failure.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  std::string message = failure;
  message.resize(static_cast<std::size_t>(length));
  MPI_Bcast(message.data(), length, MPI_CHAR, first, world);
  error->all(FLERR, "pair_style panna: " + message);
}

// At the end of a run.
void PairPanna::finish() {
  Seen all;
  MPI_Allreduce(&seen_.atoms, &all.atoms, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  MPI_Allreduce(&seen_.outside, &all.outside, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  MPI_Allreduce(&seen_.most, &all.most, 1, MPI_INT, MPI_MAX, world);
  seen_ = {};
  if (all.outside == 0 || comm->me != 0) return;
  const double percent = 100.0 * static_cast<double>(all.outside) / static_cast<double>(all.atoms);
  char share[32];
  std::snprintf(share, sizeof share, "%.3g", percent);
  error->warning(FLERR, "pair_style panna: " + std::to_string(all.outside) + " of " +
                            std::to_string(all.atoms) + " atomic energies of this run (" + share +
                            " %) come from environments outside the range of the training set, "
                            "with up to " + std::to_string(all.most) + " components of the "
                            "descriptor outside; these energies and forces are extrapolations");
}

// -(x_j - x_i) g of one pair, half to each atom as other many-body styles do. The global virial
// is summed here only when LAMMPS does not take it from positions and forces.
void PairPanna::tally_virial(int i, int j, const double *vector, const double *gradient) {
  const double v[6] = {-vector[0] * gradient[0], -vector[1] * gradient[1],
                       -vector[2] * gradient[2], -vector[0] * gradient[1],
                       -vector[0] * gradient[2], -vector[1] * gradient[2]};
  for (int c = 0; c < 6; ++c) {
    if (vflag_global) virial[c] += v[c];
    if (!vflag_atom) continue;
    vatom[i][c] += 0.5 * v[c];
    vatom[j][c] += 0.5 * v[c];
  }
}

double PairPanna::memory_usage() {
  double bytes = Pair::memory_usage();
  for (const Chunk &chunk : chunks_) bytes += chunk.bytes();
  bytes += static_cast<double>((spread_.energies.size() + spread_.forces.size() +
                                4 * static_cast<std::size_t>(spread_.atoms)) * sizeof(double));
  return bytes;
}
