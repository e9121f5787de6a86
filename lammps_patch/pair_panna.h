// LAMMPS pair style `panna`: neural-network potentials written by panna_extract_weights.
//
//   pair_style panna [precision double|mixed] [extrapolation warn|stop|off] [threads N]
//   pair_coeff * * DIR panna.in El1 El2 ...   one element (or NULL) for each atom type
//   pair_coeff * * DIR panna.in               type t is the t-th species of the potential
//   pair_coeff * * DIR1 panna.in DIR2 panna.in ... El1 El2 ...   a committee: the mean
//
// A shell without physics: it hands the neighbours of local atoms to a panna::Model and adds
// what comes back to the arrays of LAMMPS.

// clang-format off
#ifdef PAIR_CLASS
PairStyle(panna,PairPanna);
#else
// clang-format on

#ifndef LMP_PAIR_PANNA_H
#define LMP_PAIR_PANNA_H

#include "pair.h"

#include <memory>
#include <string>
#include <vector>

namespace panna {
class Model;
}

namespace LAMMPS_NS {

class PairPanna : public Pair {
 public:
  explicit PairPanna(class LAMMPS *);
  ~PairPanna() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void compute(int, int) override;
  double memory_usage() override;

  // Of a committee, for fix pair: energies_std [atoms] and forces_std [atoms][3].
  void *extract(const char *name, int &dim) override;
  int pack_reverse_comm(int count, int first, double *buffer) override;
  void unpack_reverse_comm(int count, int *list, double *buffer) override;

  // Called by LAMMPS of 2023 and later, which declares them as virtual.
  void finish();
  void *extract_peratom(const char *name, int &columns);

 private:
  // Buffers of one thread: the neighbourhoods of a few local atoms and the result for them.
  struct Chunk;

  bool set_threads(const std::string &text);
  void allocate();
  void read(int count, char **names);
  void map_types(int count, char **names);
  void report() const;

  void gather(Chunk &chunk, int begin, int end) const;
  void evaluate(Chunk &chunk) const;
  void scatter(Chunk &chunk);
  void scatter_members(const Chunk &chunk);
  void clear_spread();
  void sum_up_spread();
  std::string count_outside(const Chunk &chunk);
  void share_failure(const std::string &failure) const;
  void tally_virial(int i, int j, const double *vector, const double *gradient);

  std::vector<std::unique_ptr<panna::Model>> members_;  // one, or those of a committee
  std::vector<std::string> files_;                      // [members]
  double cutoff_ = 0.0;                                 // of the widest member, angstrom
  bool mixed_ = false;
  enum class Extrapolation { warn, stop, off };
  Extrapolation extrapolation_ = Extrapolation::warn;
  // Since the beginning of the run, on this rank: atomic energies, those with components of the
  // descriptor outside the range of the training set, and the largest number of such components.
  struct Seen {
    bigint atoms = 0, outside = 0;
    int most = 0;
  };
  Seen seen_;
  int threads_ = 0;                   // 0: those of LAMMPS
  double energy_unit_ = 1.0;          // energies and forces of LAMMPS over eV and eV/angstrom
  std::vector<int> species_of_type_;  // [ntypes + 1] species of the model, -1 for NULL
  std::vector<Chunk> chunks_;         // [threads]

  // What a committee's members say about every atom, kept once a fix pair has asked.
  struct Spread {
    bool wanted = false;
    int flag = 0;                          // for fix pair to set
    int sent = 0;                          // member whose forces come back from ghosts
    int atoms = 0;                         // local and ghost, allocated
    std::vector<double> energies, forces;  // [atoms][members], [atoms][members][3]
    double *energies_std = nullptr;        // [atoms]
    double **forces_std = nullptr;         // [atoms][3]
  };
  Spread spread_;
};

}  // namespace LAMMPS_NS

#endif
#endif
