// Python binding of the core: translates arrays and errors, spreads atoms over threads. No
// physics here.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "panna/potential.hpp"

namespace py = pybind11;
using panna::Environment;
using panna::Workspace;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

// The neighbour lists of a batch of frames, one behind the other, checked.
struct Batch {
  Array<int> species;
  Array<std::int64_t> first, index;
  Array<double> vectors;
  std::vector<std::size_t> offsets;
  std::vector<int> neighbour_species;
  int atoms = 0;
  std::size_t pairs = 0;

  Batch(Array<int> species_, Array<std::int64_t> first_, Array<std::int64_t> index_,
        Array<double> vectors_, int species_count)
      : species(species_), first(first_), index(index_), vectors(vectors_) {
    atoms = static_cast<int>(species.size());
    pairs = static_cast<std::size_t>(index.size());
    if (first.size() != atoms + 1)
      throw panna::Error("neighbour list: first has " + std::to_string(first.size()) +
                         " numbers, expected " + std::to_string(atoms + 1));
    if (static_cast<std::size_t>(vectors.size()) != 3 * pairs)
      throw panna::Error("neighbour list: vectors of shape (pairs, 3) expected");
    const int* s = species.data();
    for (int i = 0; i < atoms; ++i)
      if (s[i] < 0 || s[i] >= species_count)
        throw panna::Error("neighbour list: species index " + std::to_string(s[i]) + " of atom " +
                           std::to_string(i) + " outside 0.." + std::to_string(species_count - 1));
    const std::int64_t* f = first.data();
    if (f[0] != 0 || f[atoms] != static_cast<std::int64_t>(pairs))
      throw panna::Error("neighbour list: first must start at 0 and end at the number of pairs");
    for (int i = 0; i < atoms; ++i)
      if (f[i + 1] < f[i]) throw panna::Error("neighbour list: first must not decrease");
    offsets.assign(f, f + atoms + 1);
    const std::int64_t* n = index.data();
    neighbour_species.resize(pairs);
    for (std::size_t k = 0; k < pairs; ++k) {
      if (n[k] < 0 || n[k] >= atoms)
        throw panna::Error("neighbour list: index " + std::to_string(n[k]) + " of pair " +
                           std::to_string(k) + " outside 0.." + std::to_string(atoms - 1));
      neighbour_species[k] = s[n[k]];
    }
  }

  Environment environment(int i) const {
    const std::size_t begin = offsets[static_cast<std::size_t>(i)];
    return {static_cast<int>(offsets[static_cast<std::size_t>(i) + 1] - begin),
            neighbour_species.data() + begin, vectors.data() + 3 * begin};
  }
};

// Calls body(workspace, i) for i = 0 .. n-1 on all threads, without the GIL. The first exception
// of a thread is thrown again in the caller.
template <class Body>
void parallel(int n, int threads, Body body) {
  py::gil_scoped_release release;
  std::exception_ptr failure;
  std::mutex guard;
#ifdef _OPENMP
  const int team = threads > 0 ? threads : omp_get_max_threads();
#else
  (void)threads;
#endif
#pragma omp parallel num_threads(std::max(1, std::min(team, n / 8 + 1)))
  {
    Workspace ws;
#pragma omp for schedule(dynamic, 8)
    for (int i = 0; i < n; ++i) {
      try {
        body(ws, i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(guard);
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void check_size(const char* what, py::ssize_t found, std::size_t expected) {
  if (static_cast<std::size_t>(found) != expected)
    throw panna::Error(std::string(what) + ": " + std::to_string(found) + " numbers found, " +
                       std::to_string(expected) + " expected");
}

Array<double> matrix(std::size_t rows, std::size_t columns) {
  return Array<double>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(columns)});
}

Array<double> compute(const panna::Descriptor& d, const Array<int>& species,
                      const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                      const Array<double>& vectors, int threads) {
  const Batch batch(species, first, index, vectors, d.species());
  const auto size = static_cast<std::size_t>(d.size());
  Array<double> out = matrix(static_cast<std::size_t>(batch.atoms), size);
  double* g = out.mutable_data();
  parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
    d.forward(batch.environment(i), ws, g + size * static_cast<std::size_t>(i));
  });
  return out;
}

Array<double> vjp(const panna::Descriptor& d, const Array<int>& species,
                  const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                  const Array<double>& vectors, const Array<double>& g_bar, int threads) {
  const Batch batch(species, first, index, vectors, d.species());
  const auto size = static_cast<std::size_t>(d.size());
  check_size("vjp: g_bar", g_bar.size(), size * static_cast<std::size_t>(batch.atoms));
  Array<double> out = matrix(batch.pairs, 3);
  double* gradient = out.mutable_data();
  const double* bar = g_bar.data();
  parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
    const Environment env = batch.environment(i);
    d.forward(env, ws, nullptr);
    d.vjp(env, ws, bar + size * static_cast<std::size_t>(i),
          gradient + 3 * batch.offsets[static_cast<std::size_t>(i)]);
  });
  return out;
}

Array<double> jvp(const panna::Descriptor& d, const Array<int>& species,
                  const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                  const Array<double>& vectors, const Array<double>& tangents, int threads) {
  const Batch batch(species, first, index, vectors, d.species());
  const auto size = static_cast<std::size_t>(d.size());
  check_size("jvp: tangents", tangents.size(), 3 * batch.pairs);
  Array<double> out = matrix(static_cast<std::size_t>(batch.atoms), size);
  double* dg = out.mutable_data();
  const double* t = tangents.data();
  parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
    const Environment env = batch.environment(i);
    double* row = dg + size * static_cast<std::size_t>(i);
    d.forward(env, ws, nullptr);
    d.jvp(env, ws, t + 3 * batch.offsets[static_cast<std::size_t>(i)], row);
  });
  return out;
}

// dG/d(vector) of every pair, (pairs, size, 3).
Array<double> jacobian(const panna::Descriptor& d, const Array<int>& species,
                       const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                       const Array<double>& vectors, int threads) {
  const Batch batch(species, first, index, vectors, d.species());
  const auto size = static_cast<std::size_t>(d.size());
  Array<double> out({static_cast<py::ssize_t>(batch.pairs), static_cast<py::ssize_t>(size),
                     static_cast<py::ssize_t>(3)});
  double* jac = out.mutable_data();
  parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
    const Environment env = batch.environment(i);
    d.forward(env, ws, nullptr);
    double* mine = jac + 3 * size * batch.offsets[static_cast<std::size_t>(i)];
    d.jacobian(env, ws, mine);
  });
  return out;
}

// The same in single precision and in the order of `Blocks`: (pairs, 3, size).
Array<float> blocks(const panna::Descriptor& d, const Array<int>& species,
                    const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                    const Array<double>& vectors, int threads) {
  const Batch batch(species, first, index, vectors, d.species());
  const auto size = static_cast<std::size_t>(d.size());
  Array<float> out({static_cast<py::ssize_t>(batch.pairs), static_cast<py::ssize_t>(3),
                    static_cast<py::ssize_t>(size)});
  float* all = out.mutable_data();
  parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
    const Environment env = batch.environment(i);
    const auto pairs = static_cast<std::size_t>(env.count);
    d.forward(env, ws, nullptr);
    double* jac = ws.descriptor_memory.reserve(3 * size * pairs);
    d.jacobian(env, ws, jac);
    float* mine = all + 3 * size * batch.offsets[static_cast<std::size_t>(i)];
    for (std::size_t p = 0; p < pairs; ++p)
      for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t c = 0; c < size; ++c)
          mine[(3 * p + a) * size + c] = static_cast<float>(jac[(p * size + c) * 3 + a]);
  });
  return out;
}

// Derivatives that were computed before: for each frame an array (pairs, 3, size), in the order of
// its neighbour list, all of float32 or all of float16. Where each atom's block begins.
struct Blocks {
  std::vector<py::array> frames;
  std::vector<const void*> of_atom;
  std::vector<long> pairs;
  std::size_t size = 0;
  bool half = false;

  Blocks(const std::vector<py::array>& frames_, const Array<std::int64_t>& first, std::size_t size_)
      : frames(frames_), size(size_) {
    half = !frames.empty() && is_half(frames[0]);
    const std::int64_t* f = first.data();
    const auto atoms = static_cast<std::size_t>(first.size() - 1);
    of_atom.resize(atoms);
    pairs.resize(atoms);
    std::size_t atom = 0;
    std::int64_t begin = 0;
    for (py::array& frame : frames) {
      if (is_half(frame) != half)
        throw panna::Error("stored derivatives: float32 and float16 in one batch");
      frame = half ? py::array::ensure(frame, py::array::c_style) : Array<float>(frame);
      if (frame.ndim() != 3 || frame.shape(1) != 3 ||
          static_cast<std::size_t>(frame.shape(2)) != size)
        throw panna::Error("stored derivatives: an array of shape (pairs, 3, " +
                           std::to_string(size) + ") expected for each frame");
      const std::int64_t end = begin + frame.shape(0);
      const char* start = static_cast<const char*>(frame.data());
      const std::size_t of_pair = 3 * size * static_cast<std::size_t>(frame.itemsize());
      for (; atom < atoms && f[atom + 1] <= end; ++atom) {
        of_atom[atom] = start + static_cast<std::size_t>(f[atom] - begin) * of_pair;
        pairs[atom] = static_cast<long>(f[atom + 1] - f[atom]);
      }
      begin = end;
    }
    if (atom != atoms || begin != f[atoms])
      throw panna::Error("stored derivatives: " + std::to_string(begin) + " pairs found, " +
                         std::to_string(f[atoms]) + " expected");
  }

  static bool is_half(const py::array& a) {
    return a.dtype().kind() == 'f' && a.dtype().itemsize() == 2;
  }

  const float* single_of(std::size_t atom) const {
    return static_cast<const float*>(of_atom[atom]);
  }
  const panna::kernels::Half* half_of(std::size_t atom) const {
    return static_cast<const panna::kernels::Half*>(of_atom[atom]);
  }
};

Array<double> blocks_vjp(const std::vector<py::array>& frames, const Array<std::int64_t>& first,
                         const Array<float>& g_bar, int threads) {
  const auto atoms = static_cast<std::size_t>(first.size() - 1);
  const std::size_t size = atoms > 0 ? static_cast<std::size_t>(g_bar.size()) / atoms : 0;
  const Blocks blocks(frames, first, size);
  check_size("blocks_vjp: g_bar", g_bar.size(), size * atoms);
  Array<double> out = matrix(static_cast<std::size_t>(first.data()[atoms]), 3);
  double* gradient = out.mutable_data();
  const float* bar = g_bar.data();
  const std::int64_t* f = first.data();
  parallel(static_cast<int>(atoms), threads, [&](Workspace&, int i) {
    const auto k = static_cast<std::size_t>(i);
    const auto& kernels = panna::kernels::active();
    const long width = static_cast<long>(size), pairs = blocks.pairs[k];
    const float* mine = bar + size * k;
    double* to = gradient + 3 * f[k];
    if (blocks.half)
      kernels.half_block_gradient(blocks.half_of(k), pairs, width, mine, to);
    else
      kernels.block_gradient(blocks.single_of(k), pairs, width, mine, to);
  });
  return out;
}

Array<float> blocks_jvp(const std::vector<py::array>& frames, const Array<std::int64_t>& first,
                        const Array<double>& tangents, int size_, int threads) {
  const auto atoms = static_cast<std::size_t>(first.size() - 1);
  const auto size = static_cast<std::size_t>(size_);
  const Blocks blocks(frames, first, size);
  check_size("blocks_jvp: tangents", tangents.size(),
             3 * static_cast<std::size_t>(first.data()[atoms]));
  Array<float> out({static_cast<py::ssize_t>(atoms), static_cast<py::ssize_t>(size)});
  float* dg = out.mutable_data();
  const double* t = tangents.data();
  const std::int64_t* f = first.data();
  parallel(static_cast<int>(atoms), threads, [&](Workspace&, int i) {
    const auto k = static_cast<std::size_t>(i);
    const auto& kernels = panna::kernels::active();
    const long width = static_cast<long>(size), pairs = blocks.pairs[k];
    if (blocks.half)
      kernels.half_block_change(blocks.half_of(k), pairs, width, t + 3 * f[k], dg + size * k);
    else
      kernels.block_change(blocks.single_of(k), pairs, width, t + 3 * f[k], dg + size * k);
  });
  return out;
}

py::array to_half(const Array<float>& numbers) {
  const std::vector<py::ssize_t> shape(numbers.shape(), numbers.shape() + numbers.ndim());
  py::array out(py::dtype("e"), shape);
  auto* to = static_cast<panna::kernels::Half*>(out.mutable_data());
  const float* from = numbers.data();
  const long count = static_cast<long>(numbers.size());
  py::gil_scoped_release release;
  panna::kernels::active().to_half(from, count, to);
  return out;
}

// Forces on the atoms from the gradient of the energy with respect to the vectors of the pairs.
Array<double> forces(const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                     const Array<double>& gradient) {
  const auto atoms = static_cast<std::size_t>(first.size() - 1);
  check_size("forces: gradient", gradient.size(), 3 * static_cast<std::size_t>(index.size()));
  Array<double> out = matrix(atoms, 3);
  double* force = out.mutable_data();
  const double* g = gradient.data();
  const std::int64_t *f = first.data(), *neighbour = index.data();
  py::gil_scoped_release release;
  std::fill_n(force, 3 * atoms, 0.0);
  for (std::size_t i = 0; i < atoms; ++i)
    for (std::int64_t k = f[i]; k < f[i + 1]; ++k)
      for (int a = 0; a < 3; ++a) {
        force[3 * i + static_cast<std::size_t>(a)] += g[3 * k + a];
        force[3 * neighbour[k] + a] -= g[3 * k + a];
      }
  return out;
}

// Change of the vectors when the atoms move.
Array<double> pair_tangents(const Array<std::int64_t>& first, const Array<std::int64_t>& index,
                            const Array<double>& moves) {
  const auto atoms = static_cast<std::size_t>(first.size() - 1);
  check_size("pair_tangents: moves", moves.size(), 3 * atoms);
  Array<double> out = matrix(static_cast<std::size_t>(index.size()), 3);
  double* tangent = out.mutable_data();
  const double* m = moves.data();
  const std::int64_t *f = first.data(), *neighbour = index.data();
  py::gil_scoped_release release;
  for (std::size_t i = 0; i < atoms; ++i)
    for (std::int64_t k = f[i]; k < f[i + 1]; ++k)
      for (int a = 0; a < 3; ++a)
        tangent[3 * k + a] = m[3 * neighbour[k] + a] - m[3 * i + static_cast<std::size_t>(a)];
  return out;
}

class Potential {
 public:
  Potential(const std::string& directory, const std::string& filename, bool mixed)
      : model_(panna::read_potential(directory, filename)) {
    if (mixed) model_->set_precision(panna::Precision::mixed);
  }

  const std::vector<std::string>& species() const { return model_->species(); }
  double cutoff() const { return model_->cutoff(); }
  bool knows_ranges() const { return model_->knows_ranges(); }
  int size() const { return model_->descriptor().size(); }

  py::tuple compute(const Array<int>& species, const Array<std::int64_t>& first,
                    const Array<std::int64_t>& index, const Array<double>& vectors,
                    int threads) const {
    const Batch batch(species, first, index, vectors, static_cast<int>(model_->species().size()));
    Array<double> energies(static_cast<py::ssize_t>(batch.atoms));
    Array<double> gradients = matrix(batch.pairs, 3);
    Array<int> outside(static_cast<py::ssize_t>(batch.atoms));
    double* e = energies.mutable_data();
    int* o = outside.mutable_data();
    double* g = gradients.mutable_data();
    const int* s = batch.species.data();
    parallel(batch.atoms, threads, [&](Workspace& ws, int i) {
      const auto k = static_cast<std::size_t>(i);
      const std::size_t begin = batch.offsets[k];
      const std::size_t range[2] = {0, batch.offsets[k + 1] - begin};
      const panna::Neighbourhoods one{1, s + i, range, batch.neighbour_species.data() + begin,
                                      batch.vectors.data() + 3 * begin};
      model_->evaluate(one, ws, e + i, g + 3 * begin, o + i);
    });
    return py::make_tuple(energies, gradients, outside);
  }

 private:
  std::unique_ptr<panna::DescriptorModel> model_;
};

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled core of PANNA: descriptors, networks and potentials.";
  py::register_exception<panna::Error>(m, "CoreError", PyExc_ValueError);

  py::class_<panna::Descriptor>(m, "Descriptor")
      .def_property_readonly("species", &panna::Descriptor::species)
      .def_property_readonly("size", &panna::Descriptor::size)
      .def_property_readonly("cutoff", &panna::Descriptor::cutoff)
      .def("set_mixed", [](panna::Descriptor& d) { d.set_precision(panna::Precision::mixed); },
           "Pairs of neighbours in single precision from now on.");
  py::class_<panna::MBP, panna::Descriptor>(m, "MBP").def(
      py::init([](int species, double rc_rad, std::vector<double> rs_rad,
                  std::vector<double> eta_rad, double rc_ang, std::vector<double> rs_ang,
                  std::vector<double> eta_ang, std::vector<double> thetas,
                  std::vector<double> zeta, double eps, bool like_pairs_twice) {
        return std::make_unique<panna::MBP>(
            panna::MBPParameters{species, rc_rad, rs_rad, eta_rad, rc_ang, rs_ang, eta_ang, thetas,
                                 zeta, eps, like_pairs_twice});
      }),
      py::arg("species"), py::arg("rc_rad"), py::arg("rs_rad"), py::arg("eta_rad"),
      py::arg("rc_ang"), py::arg("rs_ang"), py::arg("eta_ang"), py::arg("thetas"),
      py::arg("zeta"), py::arg("eps"), py::arg("like_pairs_twice"));
  py::class_<panna::BP, panna::Descriptor>(m, "BP").def(
      py::init([](int species, double rc_rad, std::vector<double> rs_rad,
                  std::vector<double> eta_rad, double rc_ang, std::vector<double> eta_ang,
                  std::vector<double> zeta, bool rjk_smooth) {
        return std::make_unique<panna::BP>(panna::BPParameters{
            species, rc_rad, rs_rad, eta_rad, rc_ang, eta_ang, zeta, rjk_smooth});
      }),
      py::arg("species"), py::arg("rc_rad"), py::arg("rs_rad"), py::arg("eta_rad"),
      py::arg("rc_ang"), py::arg("eta_ang"), py::arg("zeta"), py::arg("rjk_smooth"));

  const auto list = [](auto f, py::module_& mod, const char* name, const char* doc,
                       auto... extra) {
    mod.def(name, f, doc, py::arg("descriptor"), py::arg("species"), py::arg("first"),
            py::arg("index"), py::arg("vectors"), extra..., py::arg("threads") = 0);
  };
  list(compute, m, "compute", "G of all atoms, (atoms, size).");
  list(vjp, m, "vjp", "Gradient of sum g_bar G with respect to the vectors, (pairs, 3).",
       py::arg("g_bar"));
  list(jvp, m, "jvp", "Change of G for tangents (pairs, 3) of the vectors, (atoms, size).",
       py::arg("tangents"));
  list(jacobian, m, "jacobian", "dG/d(vector) of every pair, (pairs, size, 3).");

  m.def("blocks_vjp", blocks_vjp, py::arg("blocks"), py::arg("first"), py::arg("g_bar"),
        py::arg("threads") = 0, "vjp with stored derivatives, float32 or float16; (pairs, 3).");
  m.def("blocks_jvp", blocks_jvp, py::arg("blocks"), py::arg("first"), py::arg("tangents"),
        py::arg("size"), py::arg("threads") = 0, "jvp with stored derivatives, (atoms, size).");
  m.def("to_half", to_half, py::arg("numbers"),
        "float32 -> float16, rounded to the nearest; beyond 65504 infinite.");
  m.def("forces", forces, py::arg("first"), py::arg("index"), py::arg("gradient"),
        "Forces (atoms, 3) from the gradient with respect to the vectors (pairs, 3).");
  m.def("pair_tangents", pair_tangents, py::arg("first"), py::arg("index"), py::arg("moves"),
        "Change of the vectors (pairs, 3) when the atoms move (atoms, 3).");

  list(blocks, m, "blocks", "The Jacobian as float32 (pairs, 3, size), for blocks_vjp and _jvp.");

  py::class_<Potential>(m, "Potential")
      .def(py::init<const std::string&, const std::string&, bool>(), py::arg("directory"),
           py::arg("filename") = "panna.in", py::arg("mixed") = false)
      .def_property_readonly("species", &Potential::species)
      .def_property_readonly("cutoff", &Potential::cutoff, "angstrom")
      .def_property_readonly("size", &Potential::size)
      .def_property_readonly("knows_ranges", &Potential::knows_ranges,
                             "Whether the ranges of the training set are known for all species.")
      .def("compute", &Potential::compute, py::arg("species"), py::arg("first"), py::arg("index"),
           py::arg("vectors"), py::arg("threads") = 0,
           "Atomic energies (atoms,) in eV and their gradients with respect to the vectors "
           "(pairs, 3) in eV/angstrom; (atoms,) components of the descriptor outside the range of "
           "the training set, 0 where that is not known.");

  m.def("isa", [] { return std::string(panna::kernels::active().name); },
        "Instruction set in use.");
  m.def("set_isa", &panna::kernels::use, "Choose an instruction set by name.");
  m.def("isas", [] {
    std::vector<std::string> names;
    for (const char* name : {PANNA_BASELINE, "avx2", "avx512"})
      if (panna::kernels::find(name) != nullptr) names.push_back(name);
    return names;
  }, "Instruction sets that this machine can run.");
}
