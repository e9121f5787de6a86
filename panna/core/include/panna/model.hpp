// What a molecular dynamics code sees of a potential: atomic energies and their gradients from
// neighbour lists. The LAMMPS pair style, the KIM driver and the Python package know only this.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "descriptor.hpp"
#include "error.hpp"
#include "network.hpp"

namespace panna {

// Neighbours of one or more central atoms, one behind the other. The list is full (i has j and
// j has i); neighbours beyond the cutoff are allowed and ignored.
struct Neighbourhoods {
  int centres;
  const int* species;            // [centres] index into Model::species()
  const std::size_t* first;      // [centres + 1] first neighbour of each centre
  const int* neighbour_species;  // [neighbours]
  const double* vectors;         // [neighbours][3] from the centre, angstrom
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const std::vector<std::string>& species() const = 0;
  // Neighbours beyond this distance (angstrom) do not change the energy of an atom.
  virtual double cutoff() const = 0;
  virtual void set_precision(Precision) = 0;
  // How many times information passes between neighbours before the atomic energy: 0 for models
  // whose atomic energies depend on the neighbours of the atom alone.
  virtual int communication_layers() const { return 0; }
  // Whether it knows the ranges of its training set for all species.
  virtual bool knows_ranges() const { return false; }
  // Atomic energies (eV) and, for each neighbour, the gradient of its centre's energy with
  // respect to the vector (eV/angstrom). Thread-safe for different workspaces.
  // outside, unless null: for each centre how many components of its descriptor lie outside the
  // range of the training set; 0 where that is not known.
  virtual void evaluate(const Neighbourhoods& n, Workspace& ws, double* energies,
                        double* gradients, int* outside = nullptr) const = 0;
  // Of the last centre given to `evaluate`: the derivatives of its energy with respect to
  // distances (eV/angstrom). Needs full precision.
  virtual void distances(Workspace& ws, std::vector<DistanceTerm>& terms) const = 0;
};

// Smallest and largest value of each descriptor component in the training set, for one species.
class Range {
 public:
  Range() = default;
  Range(std::vector<double> lowest, std::vector<double> highest)
      : lowest_(std::move(lowest)), highest_(std::move(highest)) {
    // Room for rounding, of mixed precision, too.
    for (std::size_t i = 0; i < lowest_.size(); ++i) {
      const double margin = 1e-5 * (highest_[i] - lowest_[i]) + 1e-6;
      lowest_[i] -= margin;
      highest_[i] += margin;
    }
  }

  bool known() const { return !lowest_.empty(); }
  // How many components of a descriptor lie outside.
  int outside(const double* g) const {
    int count = 0;
    for (std::size_t i = 0; i < lowest_.size(); ++i)
      count += (g[i] < lowest_[i]) | (g[i] > highest_[i]);
    return count;
  }

 private:
  std::vector<double> lowest_, highest_;
};

// A descriptor followed by one network for each species.
class DescriptorModel : public Model {
 public:
  DescriptorModel(std::vector<std::string> species, std::unique_ptr<Descriptor> descriptor,
                  std::vector<Network> networks, std::vector<Range> ranges)
      : species_(std::move(species)),
        descriptor_(std::move(descriptor)),
        networks_(std::move(networks)),
        ranges_(std::move(ranges)) {
    for (std::size_t s = 0; s < networks_.size(); ++s)
      if (networks_[s].inputs() != descriptor_->size())
        throw Error("network of " + species_[s] + " takes " +
                    std::to_string(networks_[s].inputs()) + " numbers, the descriptor has " +
                    std::to_string(descriptor_->size()));
  }

  const std::vector<std::string>& species() const override { return species_; }
  double cutoff() const override { return descriptor_->cutoff(); }
  void set_precision(Precision precision) override { descriptor_->set_precision(precision); }
  const Descriptor& descriptor() const { return *descriptor_; }
  bool knows_ranges() const override {
    for (const Range& range : ranges_)
      if (!range.known()) return false;
    return true;
  }

  void evaluate(const Neighbourhoods& n, Workspace& ws, double* energies, double* gradients,
                int* outside = nullptr) const override {
    const std::size_t row = static_cast<std::size_t>(padded(descriptor_->size()));
    double* g = ws.descriptor_memory.reserve(2 * row);
    double* g_bar = g + row;
    for (int i = 0; i < n.centres; ++i) {
      const std::size_t begin = n.first[i];
      const Environment env{static_cast<int>(n.first[i + 1] - begin), n.neighbour_species + begin,
                            n.vectors + 3 * begin};
      const auto species = static_cast<std::size_t>(n.species[i]);
      descriptor_->forward(env, ws, g);
      if (outside) outside[i] = ranges_[species].outside(g);
      energies[i] = networks_[species].evaluate(g, ws, g_bar);
      descriptor_->vjp(env, ws, g_bar, gradients + 3 * begin);
    }
  }

  void distances(Workspace& ws, std::vector<DistanceTerm>& terms) const override {
    descriptor_->distances(ws, terms);
  }

 private:
  std::vector<std::string> species_;
  std::unique_ptr<Descriptor> descriptor_;
  std::vector<Network> networks_;
  std::vector<Range> ranges_;  // [species]
};

}  // namespace panna
