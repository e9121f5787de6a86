// KIM API model driver: potentials of PANNA (panna.in and weights) on the C++ core.
//
// A shell without physics, like the LAMMPS pair style: it hands the neighbours of contributing
// particles to a panna::Model and adds what comes back to the arrays of the simulator.

#include "KIM_LogVerbosity.hpp"
#include "KIM_ModelDriverHeaders.hpp"

#include "panna/model.hpp"
#include "panna/potential.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace {

// Every message goes to KIM's log with the line that wrote it.
#define PANNA_FAIL(logger, message)                                                      \
  do {                                                                                   \
    (logger)->LogEntry(KIM::LOG_VERBOSITY::error, std::string("PANNA: ") + (message), __LINE__, \
                       __FILE__);                                                        \
    return true;                                                                         \
  } while (false)

// What belongs to a model; the units are those that the simulator asked for.
struct PannaModel {
  std::unique_ptr<panna::Model> model;
  double angstrom = 1.0;         // lengths of the simulator times this are angstrom
  double energy = 1.0;           // eV times this are energies of the simulator
  double cutoff = 0.0;           // of neighbour lists, and what KIM calls the influence distance
  int contributing_only = 1;     // neighbours of non-contributing particles are not asked for
  std::vector<double> shift;     // [species] added to atomic energies; a parameter for simulators
};

// What belongs to one thread of a simulator: KIM gives each its own compute arguments.
struct Buffers {
  panna::Workspace workspace;
  std::vector<int> neighbour, species;
  std::vector<double> vectors, gradients;
  std::vector<panna::DistanceTerm> terms;
};

// Which results the simulator wants, null where it does not.
struct Results {
  double *energy = nullptr, *forces = nullptr, *particle_energy = nullptr, *virial = nullptr,
         *particle_virial = nullptr;
  int dedr = 0;
};

template <class Caller>
PannaModel &model_of(Caller *caller) {
  void *buffer = nullptr;
  caller->GetModelBufferPointer(&buffer);
  return *static_cast<PannaModel *>(buffer);
}

int destroy(KIM::ModelDestroy *const call) {
  delete &model_of(call);
  return false;
}

int refresh(KIM::ModelRefresh *const call) {
  PannaModel &mine = model_of(call);
  call->SetInfluenceDistancePointer(&mine.cutoff);
  call->SetNeighborListPointers(1, &mine.cutoff, &mine.contributing_only);
  return false;
}

int arguments_create(KIM::ModelCompute const *const, KIM::ModelComputeArgumentsCreate *const call) {
  int error = false;
  for (const auto &name :
       {KIM::COMPUTE_ARGUMENT_NAME::partialEnergy, KIM::COMPUTE_ARGUMENT_NAME::partialForces,
        KIM::COMPUTE_ARGUMENT_NAME::partialParticleEnergy,
        KIM::COMPUTE_ARGUMENT_NAME::partialVirial,
        KIM::COMPUTE_ARGUMENT_NAME::partialParticleVirial})
    error = error || call->SetArgumentSupportStatus(name, KIM::SUPPORT_STATUS::optional);
  error = error || call->SetCallbackSupportStatus(KIM::COMPUTE_CALLBACK_NAME::ProcessDEDrTerm,
                                                  KIM::SUPPORT_STATUS::optional);
  if (error) PANNA_FAIL(call, "the simulator's KIM API does not know the usual arguments");
  call->SetModelBufferPointer(new Buffers);
  return false;
}

int arguments_destroy(KIM::ModelCompute const *const,
                      KIM::ModelComputeArgumentsDestroy *const call) {
  void *buffer = nullptr;
  call->GetModelBufferPointer(&buffer);
  delete static_cast<Buffers *>(buffer);
  return false;
}

// xx, yy, zz, yz, xz, xy of a (x) b
void add_outer(double *virial, const double *a, const double *b, double factor) {
  virial[0] += factor * a[0] * b[0];
  virial[1] += factor * a[1] * b[1];
  virial[2] += factor * a[2] * b[2];
  virial[3] += factor * a[1] * b[2];
  virial[4] += factor * a[0] * b[2];
  virial[5] += factor * a[0] * b[1];
}

// The terms of one centre, in angstrom and eV, to the simulator.
int send_distances(KIM::ModelComputeArguments const *const arguments, const PannaModel &mine,
                   Buffers &work, int centre) {
  mine.model->distances(work.workspace, work.terms);
  for (const panna::DistanceTerm &term : work.terms) {
    const double *const to = work.vectors.data() + 3 * term.j;
    double between[3], square = 0.0;
    for (int c = 0; c < 3; ++c) {
      const double from = term.k < 0 ? 0.0 : work.vectors[static_cast<std::size_t>(3 * term.k + c)];
      between[c] = (to[c] - from) / mine.angstrom;
      square += between[c] * between[c];
    }
    // Neighbours on top of each other have no direction, and no slope.
    if (square == 0.0) continue;
    const int first = term.k < 0 ? centre : work.neighbour[static_cast<std::size_t>(term.k)];
    if (arguments->ProcessDEDrTerm(term.slope * mine.energy * mine.angstrom, std::sqrt(square),
                                   between, first, work.neighbour[static_cast<std::size_t>(term.j)]))
      return true;
  }
  return false;
}

int compute(KIM::ModelCompute const *const call,
            KIM::ModelComputeArguments const *const arguments) {
  const PannaModel &mine = model_of(call);
  void *buffer = nullptr;
  arguments->GetModelBufferPointer(&buffer);
  Buffers &work = *static_cast<Buffers *>(buffer);

  const int *count = nullptr, *codes = nullptr, *contributing = nullptr;
  const double *positions = nullptr;
  Results out;
  namespace name = KIM::COMPUTE_ARGUMENT_NAME;
  if (arguments->GetArgumentPointer(name::numberOfParticles, &count) ||
      arguments->GetArgumentPointer(name::particleSpeciesCodes, &codes) ||
      arguments->GetArgumentPointer(name::particleContributing, &contributing) ||
      arguments->GetArgumentPointer(name::coordinates, &positions) ||
      arguments->GetArgumentPointer(name::partialEnergy, &out.energy) ||
      arguments->GetArgumentPointer(name::partialForces, &out.forces) ||
      arguments->GetArgumentPointer(name::partialParticleEnergy, &out.particle_energy) ||
      arguments->GetArgumentPointer(name::partialVirial, &out.virial) ||
      arguments->GetArgumentPointer(name::partialParticleVirial, &out.particle_virial) ||
      arguments->IsCallbackPresent(KIM::COMPUTE_CALLBACK_NAME::ProcessDEDrTerm, &out.dedr))
    PANNA_FAIL(call, "the simulator gives no particles");

  const int species = static_cast<int>(mine.shift.size());
  for (int i = 0; i < *count; ++i)
    if (codes[i] < 0 || codes[i] >= species)
      PANNA_FAIL(call, "particle " + std::to_string(i) + " has species code " +
                           std::to_string(codes[i]) + "; 0 to " + std::to_string(species - 1) +
                           " expected");
  if (out.energy) *out.energy = 0.0;
  if (out.forces) std::fill_n(out.forces, 3 * *count, 0.0);
  if (out.particle_energy) std::fill_n(out.particle_energy, *count, 0.0);
  if (out.virial) std::fill_n(out.virial, 6, 0.0);
  if (out.particle_virial) std::fill_n(out.particle_virial, 6 * *count, 0.0);

  const double far2 = mine.cutoff * mine.cutoff;
  const double slope_unit = mine.energy * mine.angstrom;  // eV/angstrom to those of the simulator
  for (int i = 0; i < *count; ++i) {
    if (!contributing[i]) continue;
    int length = 0;
    const int *list = nullptr;
    if (arguments->GetNeighborList(0, i, &length, &list))
      PANNA_FAIL(call, "the simulator gives no neighbours of particle " + std::to_string(i));
    work.neighbour.clear();
    work.species.clear();
    work.vectors.clear();
    for (int n = 0; n < length; ++n) {
      const int j = list[n];
      double vector[3], square = 0.0;
      for (int c = 0; c < 3; ++c) {
        vector[c] = positions[3 * j + c] - positions[3 * i + c];
        square += vector[c] * vector[c];
      }
      if (square >= far2) continue;
      work.neighbour.push_back(j);
      work.species.push_back(codes[j]);
      for (double x : vector) work.vectors.push_back(x * mine.angstrom);
    }
    work.gradients.resize(work.vectors.size());
    const std::size_t first[2] = {0, work.neighbour.size()};
    double energy = 0.0;
    try {
      mine.model->evaluate({1, codes + i, first, work.species.data(), work.vectors.data()},
                           work.workspace, &energy, work.gradients.data());
    } catch (const std::exception &failure) {
      PANNA_FAIL(call, failure.what());
    }
    energy = energy * mine.energy + mine.shift[static_cast<std::size_t>(codes[i])];
    if (out.energy) *out.energy += energy;
    if (out.particle_energy) out.particle_energy[i] = energy;
    for (std::size_t n = 0; n < work.neighbour.size(); ++n) {
      const int j = work.neighbour[n];
      double g[3], r[3];  // in the units of the simulator
      for (std::size_t c = 0; c < 3; ++c) {
        g[c] = work.gradients[3 * n + c] * slope_unit;
        r[c] = work.vectors[3 * n + c] / mine.angstrom;
      }
      if (out.forces)
        for (int c = 0; c < 3; ++c) {
          out.forces[3 * i + c] += g[c];
          out.forces[3 * j + c] -= g[c];
        }
      if (out.virial) add_outer(out.virial, g, r, 1.0);
      if (out.particle_virial) {
        add_outer(out.particle_virial + 6 * i, g, r, 0.5);
        add_outer(out.particle_virial + 6 * j, g, r, 0.5);
      }
    }
    if (out.dedr && send_distances(arguments, mine, work, i))
      PANNA_FAIL(call, "the simulator's ProcessDEDrTerm failed");
  }
  return false;
}

template <class Function>
int set_routine(KIM::ModelDriverCreate *const call, KIM::ModelRoutineName name, int required,
                Function *function) {
  return call->SetRoutinePointer(name, KIM::LANGUAGE_NAME::cpp, required,
                                 reinterpret_cast<KIM::Function *>(function));
}

}  // namespace

extern "C" {
int model_driver_create(KIM::ModelDriverCreate *const call, KIM::LengthUnit const length,
                        KIM::EnergyUnit const energy, KIM::ChargeUnit const charge,
                        KIM::TemperatureUnit const temperature, KIM::TimeUnit const time) {
  auto mine = std::make_unique<PannaModel>();

  int files = 0;
  call->GetNumberOfParameterFiles(&files);
  const std::string *directory = nullptr, *name = nullptr;
  call->GetParameterFileDirectoryName(&directory);
  if (files < 1 || call->GetParameterFileBasename(0, &name))
    PANNA_FAIL(call, "the model has " + std::to_string(files) +
                         " parameter files; panna.in, then the files that it names, expected");
  try {
    mine->model = panna::read_potential(*directory, *name);
  } catch (const std::exception &failure) {
    PANNA_FAIL(call, failure.what());
  }

  namespace len = KIM::LENGTH_UNIT;
  namespace en = KIM::ENERGY_UNIT;
  auto factor = [&](double length_power, double energy_power, double *out) {
    return KIM::ModelDriverCreate::ConvertUnit(len::A, en::eV, charge, temperature, time, length,
                                               energy, charge, temperature, time, length_power,
                                               energy_power, 0.0, 0.0, 0.0, out);
  };
  double of_angstrom = 1.0;
  if (factor(1.0, 0.0, &of_angstrom) || factor(0.0, 1.0, &mine->energy) ||
      call->SetUnits(length, energy, KIM::CHARGE_UNIT::unused, KIM::TEMPERATURE_UNIT::unused,
                     KIM::TIME_UNIT::unused))
    PANNA_FAIL(call, "units of length and energy " + length.ToString() + " and " +
                         energy.ToString() + " found; units that KIM can convert expected");
  mine->angstrom = 1.0 / of_angstrom;
  mine->cutoff = mine->model->cutoff() * of_angstrom;

  const std::vector<std::string> &species = mine->model->species();
  mine->shift.assign(species.size(), 0.0);
  int error = call->SetModelNumbering(KIM::NUMBERING::zeroBased);
  for (std::size_t s = 0; s < species.size(); ++s) {
    const KIM::SpeciesName element(species[s]);
    if (!element.Known() || call->SetSpeciesCode(element, static_cast<int>(s)))
      PANNA_FAIL(call, *name + ": species " + species[s] + " found, a chemical element expected");
  }
  namespace routine = KIM::MODEL_ROUTINE_NAME;
  error = error || set_routine(call, routine::Destroy, true, destroy) ||
          set_routine(call, routine::Refresh, true, refresh) ||
          set_routine(call, routine::Compute, true, compute) ||
          set_routine(call, routine::ComputeArgumentsCreate, true, arguments_create) ||
          set_routine(call, routine::ComputeArgumentsDestroy, true, arguments_destroy) ||
          call->SetParameterPointer(static_cast<int>(species.size()), mine->shift.data(),
                                    "energyShift",
                                    "Energy added to each atom of a species, in the order of the "
                                    "species codes (0 as published)");
  if (error) PANNA_FAIL(call, "the KIM API refuses the routines of the driver");
  call->SetInfluenceDistancePointer(&mine->cutoff);
  call->SetNeighborListPointers(1, &mine->cutoff, &mine->contributing_only);
  call->SetModelBufferPointer(mine.release());
  return false;
}
}
