// A simulator for the tests: computes with a KIM model and prints all that it says, as JSON.
//   kim_client MODEL LENGTH_UNIT ENERGY_UNIT [threads N] [shift E] [published] < particles
// particles: their number, then for each: element, contributing (1 or 0), x, y, z. 0 particles:
// the cutoff.
// With threads the same is computed N times at once, each with compute arguments of its own.

#include "KIM_LogVerbosity.hpp"
#include "KIM_SimulatorHeaders.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

struct Particles {
  int count = 0;
  std::vector<std::string> element;
  std::vector<int> code, contributing;
  std::vector<double> x;
  std::vector<std::vector<int>> neighbours;
};

struct Found {
  double energy = 0.0, virial[6] = {}, virial_of_distances[6] = {};
  std::vector<double> forces, energies, virials, forces_of_distances;
  const Particles *particles;
};

int neighbours_of(void *data, int, double const *, int, int i, int *count, int const **list) {
  const auto *particles = static_cast<Particles *>(data);
  const auto &mine = particles->neighbours[static_cast<std::size_t>(i)];
  *count = static_cast<int>(mine.size());
  *list = mine.data();
  return 0;
}

int distance_term(void *data, double slope, double r, double const *dx, int i, int j) {
  auto *found = static_cast<Found *>(data);
  const std::vector<double> &x = found->particles->x;
  double square = 0.0;
  for (int c = 0; c < 3; ++c) {
    square += dx[c] * dx[c];
    if (std::fabs(dx[c] - (x[3 * j + c] - x[3 * i + c])) > 1e-9) return 1;
    found->forces_of_distances[3 * i + c] += slope * dx[c] / r;
    found->forces_of_distances[3 * j + c] -= slope * dx[c] / r;
  }
  if (std::fabs(std::sqrt(square) - r) > 1e-9) return 1;
  const int first[6] = {0, 1, 2, 1, 0, 0}, second[6] = {0, 1, 2, 2, 2, 1};
  for (int c = 0; c < 6; ++c)
    found->virial_of_distances[c] += slope * dx[first[c]] * dx[second[c]] / r;
  return 0;
}

void fail(const std::string &what) {
  std::fprintf(stderr, "kim_client: %s\n", what.c_str());
  std::exit(2);
}

void compute(KIM::Model *model, Particles &particles, bool distances, Found &found) {
  const int n = particles.count;
  found.particles = &particles;
  for (auto *v : {&found.forces, &found.forces_of_distances})
    v->assign(static_cast<std::size_t>(3 * n), 0.0);
  found.energies.assign(static_cast<std::size_t>(n), 0.0);
  found.virials.assign(static_cast<std::size_t>(6 * n), 0.0);
  KIM::ComputeArguments *arguments = nullptr;
  if (model->ComputeArgumentsCreate(&arguments)) fail("no compute arguments");
  namespace name = KIM::COMPUTE_ARGUMENT_NAME;
  namespace callback = KIM::COMPUTE_CALLBACK_NAME;
  int error = arguments->SetArgumentPointer(name::numberOfParticles, &particles.count) ||
              arguments->SetArgumentPointer(name::particleSpeciesCodes, particles.code.data()) ||
              arguments->SetArgumentPointer(name::particleContributing,
                                            particles.contributing.data()) ||
              arguments->SetArgumentPointer(name::coordinates, particles.x.data()) ||
              arguments->SetArgumentPointer(name::partialEnergy, &found.energy) ||
              arguments->SetArgumentPointer(name::partialForces, found.forces.data());
  error = error || arguments->SetCallbackPointer(
                       callback::GetNeighborList, KIM::LANGUAGE_NAME::cpp,
                       reinterpret_cast<KIM::Function *>(neighbours_of), &particles);
  if (distances)
    error = error || arguments->SetArgumentPointer(name::partialParticleEnergy,
                                                   found.energies.data()) ||
            arguments->SetArgumentPointer(name::partialVirial, &found.virial[0]) ||
            arguments->SetArgumentPointer(name::partialParticleVirial, found.virials.data()) ||
            arguments->SetCallbackPointer(callback::ProcessDEDrTerm, KIM::LANGUAGE_NAME::cpp,
                                          reinterpret_cast<KIM::Function *>(distance_term),
                                          &found);
  if (error) fail("the model refuses the arguments");
  if (model->Compute(arguments)) fail("compute failed");
  model->ComputeArgumentsDestroy(&arguments);
}

void print(const char *name, const double *values, std::size_t count, const char *end = ",") {
  std::printf("\"%s\": [", name);
  for (std::size_t i = 0; i < count; ++i) std::printf("%s%.17g", i ? ", " : "", values[i]);
  std::printf("]%s\n", end);
}

int main(int argc, char **argv) {
  if (argc < 4) fail("MODEL LENGTH_UNIT ENERGY_UNIT expected");
  int threads = 1;
  double shift = 0.0;
  bool published = false;  // a driver with energy and forces only
  for (int a = 4; a < argc; ++a) {
    const std::string word = argv[a];
    if (word == "threads") threads = std::atoi(argv[++a]);
    if (word == "shift") shift = std::atof(argv[++a]);
    if (word == "published") published = true;
  }
  int accepted = 0;
  KIM::Model *model = nullptr;
  if (KIM::Model::Create(KIM::NUMBERING::zeroBased, KIM::LengthUnit(argv[2]),
                         KIM::EnergyUnit(argv[3]), KIM::CHARGE_UNIT::e,
                         KIM::TEMPERATURE_UNIT::K, KIM::TIME_UNIT::ps, argv[1], &accepted, &model))
    fail("the model cannot be created");
  if (!accepted) fail("the model does not take the units");
  if (shift != 0.0) {
    int count = 0;
    model->GetNumberOfParameters(&count);
    if (count != 1 || model->SetParameter(0, 0, shift) || model->ClearThenRefresh())
      fail("the parameter cannot be set");
  }
  int lists = 0;
  double const *cutoffs = nullptr;
  int const *skipped = nullptr;
  model->GetNeighborListPointers(&lists, &cutoffs, &skipped);
  double influence = 0.0;
  model->GetInfluenceDistance(&influence);

  Particles particles;
  std::cin >> particles.count;
  const auto n = static_cast<std::size_t>(particles.count);
  for (std::size_t i = 0; i < n; ++i) {
    std::string element;
    int contributing = 0, supported = 0, code = -1;
    double x = 0, y = 0, z = 0;
    std::cin >> element >> contributing >> x >> y >> z;
    if (model->GetSpeciesSupportAndCode(KIM::SpeciesName(element), &supported, &code) || !supported)
      fail("no species " + element);
    particles.code.push_back(code);
    particles.contributing.push_back(contributing);
    particles.x.insert(particles.x.end(), {x, y, z});
  }
  if (!std::cin) fail("particles expected");
  if (n == 0) {
    std::printf("{\"cutoff\": %.17g}\n", cutoffs[0]);
    KIM::Model::Destroy(&model);
    return 0;
  }
  particles.neighbours.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; particles.contributing[i] && j < n; ++j) {
      double square = 0.0;
      for (std::size_t c = 0; c < 3; ++c)
        square += std::pow(particles.x[3 * j + c] - particles.x[3 * i + c], 2);
      // Some room beyond the cutoff, as lists of simulators have.
      if (j != i && square < 1.2 * cutoffs[0] * cutoffs[0])
        particles.neighbours[i].push_back(static_cast<int>(j));
    }

  std::vector<Found> found(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (Found &one : found)
    running.emplace_back([&] { compute(model, particles, !published, one); });
  for (std::thread &one : running) one.join();
  for (const Found &one : found)
    if (one.energy != found[0].energy || one.forces != found[0].forces)
      fail("threads disagree");

  const Found &one = found[0];
  std::printf("{\"energy\": %.17g, \"cutoff\": %.17g, \"influence\": %.17g, \"lists\": %d,\n",
              one.energy, cutoffs[0], influence, lists);
  print("forces", one.forces.data(), 3 * n);
  print("energies", one.energies.data(), n);
  print("virial", one.virial, 6);
  print("virials", one.virials.data(), 6 * n);
  print("forces_of_distances", one.forces_of_distances.data(), 3 * n);
  print("virial_of_distances", one.virial_of_distances, 6, "}");
  KIM::Model::Destroy(&model);
}
