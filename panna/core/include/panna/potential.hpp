// Reading a potential directory: panna.in and one file of weights for each species.
//
// The grammar is PANNA's. gversion 0 gives single values and a first centre with a step,
// gversion 1 (`!gversion = 1`) gives lists; the order of keys is free in both. Keys that newer
// versions add: type, eps, theta_centres, like_pairs, rjk_cutoff, and for each species
// bias_residual (what the float32 bias of the last layer lost) and ranges (the file with the
// smallest and largest descriptors of the training set). Where eps is absent it is what
// the published drivers of that gversion compute: 0.01 for 0, 0.001 for 1.
#pragma once

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "descriptor.hpp"
#include "error.hpp"
#include "ini.hpp"
#include "model.hpp"
#include "network.hpp"

namespace panna {
namespace reading {

constexpr double kPi = 3.14159265358979323846;

// A list of `count` numbers; one number stands for all.
inline std::vector<double> list(const IniSection& s, const std::string& key, int count) {
  std::vector<double> numbers = s.reals(key);
  if (numbers.size() == 1) numbers.assign(static_cast<std::size_t>(count), numbers[0]);
  if (numbers.size() != static_cast<std::size_t>(count))
    s.fail(key, "a list of " + std::to_string(count) + " numbers expected");
  return numbers;
}

inline double positive(const IniSection& s, const std::string& key) {
  const double x = s.real(key);
  if (!(x > 0.0)) s.fail(key, "a positive number expected");
  return x;
}

inline void check_positive(const IniSection& s, const std::string& key,
                           const std::vector<double>& numbers) {
  for (double x : numbers)
    if (!(x > 0.0)) s.fail(key, "positive numbers expected");
}

// Rs_m = Rs0 + m step, m = 0 .. count-1; the step is (Rc - Rs0)/count unless given.
inline std::vector<double> centres(const IniSection& s, const std::string& part, int count,
                                   double rc) {
  const double first = s.real("Rs0_" + part);
  const double step =
      s.has("Rsst_" + part) ? s.real("Rsst_" + part) : (rc - first) / count;
  std::vector<double> out;
  for (int m = 0; m < count; ++m) out.push_back(first + m * step);
  return out;
}

inline void check_centres(const IniSection& s, const std::string& key,
                          const std::vector<double>& centres, double rc) {
  for (double x : centres)
    if (x < 0.0 || x >= rc)
      s.fail(key, "centres from 0 to below the cutoff expected, one is at " + std::to_string(x));
}

inline std::string choice(const IniSection& s, const std::string& key,
                          const std::string& otherwise, const std::string& other) {
  if (!s.has(key)) return otherwise;
  const std::string text = s.text(key);
  if (text != otherwise && text != other) s.fail(key, otherwise + " or " + other + " expected");
  return text;
}

inline std::unique_ptr<Descriptor> mbp(const IniSection& s, int species, bool lists) {
  MBPParameters p;
  p.species = species;
  p.rc_rad = positive(s, "Rc_rad");
  p.rc_ang = positive(s, "Rc_ang");
  const int n_rad = s.count("RsN_rad"), n_ang = s.count("RsN_ang");
  const int n_theta = s.count("ThetasN");
  if (lists) {
    p.rs_rad = list(s, "Rs_rad", n_rad);
    p.rs_ang = list(s, "Rs_ang", n_ang);
    p.thetas = list(s, "Thetas", n_theta);
    if (s.has("Rs0_rad")) s.real("Rs0_rad");  // written beside the lists by some versions
    if (s.has("Rs0_ang")) s.real("Rs0_ang");
  } else {
    p.rs_rad = centres(s, "rad", n_rad, p.rc_rad);
    p.rs_ang = centres(s, "ang", n_ang, p.rc_ang);
    const double shift =
        choice(s, "theta_centres", "midpoints", "from_zero") == "midpoints" ? 0.5 : 0.0;
    for (int m = 0; m < n_theta; ++m) p.thetas.push_back((m + shift) * kPi / n_theta);
  }
  check_centres(s, lists ? "Rs_rad" : "Rs0_rad", p.rs_rad, p.rc_rad);
  check_centres(s, lists ? "Rs_ang" : "Rs0_ang", p.rs_ang, p.rc_ang);
  p.eta_rad = list(s, "eta_rad", n_rad);
  p.eta_ang = list(s, "eta_ang", n_ang);
  p.zeta = list(s, "zeta", n_theta);
  check_positive(s, "eta_rad", p.eta_rad);
  check_positive(s, "eta_ang", p.eta_ang);
  check_positive(s, "zeta", p.zeta);
  p.eps = s.has("eps") ? s.real("eps") : (lists ? 1e-3 : 1e-2);
  if (p.eps < 0.0 || p.eps > 1.0) s.fail("eps", "a number from 0 to 1 expected");
  p.like_pairs_twice = choice(s, "like_pairs", "once", "twice") == "twice";
  return std::make_unique<MBP>(p);
}

inline std::unique_ptr<Descriptor> bp(const IniSection& s, int species) {
  BPParameters p;
  p.species = species;
  p.rc_rad = positive(s, "Rc_rad");
  p.rc_ang = positive(s, "Rc_ang");
  p.rs_rad = s.reals("Rs_rad");
  check_centres(s, "Rs_rad", p.rs_rad, p.rc_rad);
  p.eta_rad = s.reals("eta_rad");
  p.eta_ang = s.reals("eta_ang");
  p.zeta = s.reals("zeta");
  check_positive(s, "eta_rad", p.eta_rad);
  check_positive(s, "eta_ang", p.eta_ang);
  check_positive(s, "zeta", p.zeta);
  p.rjk_smooth = choice(s, "rjk_cutoff", "smooth", "published") == "smooth";
  return std::make_unique<BP>(p);
}

// Little-endian float32 numbers, exactly `count` of them.
inline std::vector<double> numbers(const std::string& path, std::size_t count) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(path + ": cannot be opened: " + std::strerror(errno));
  const std::streamoff length = file.tellg();
  if (length < 0) throw Error(path + ": not a file of numbers");
  const auto bytes = static_cast<std::size_t>(length);
  if (bytes != 4 * count)
    throw Error(path + ": " + std::to_string(bytes) + " bytes found, " +
                std::to_string(4 * count) + " expected (" + std::to_string(count) +
                " float32 numbers); the file is damaged or belongs to another panna.in");
  std::vector<unsigned char> raw(bytes);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(raw.data()), static_cast<std::streamsize>(bytes));
  if (!file) throw Error(path + ": reading failed");
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned char* b = raw.data() + 4 * i;
    const std::uint32_t word = static_cast<std::uint32_t>(b[0]) | static_cast<std::uint32_t>(b[1]) << 8 |
                               static_cast<std::uint32_t>(b[2]) << 16 |
                               static_cast<std::uint32_t>(b[3]) << 24;
    float value;
    std::memcpy(&value, &word, 4);
    if (!std::isfinite(value))
      throw Error(path + ": number " + std::to_string(i + 1) + " is not finite");
    out[i] = value;
  }
  return out;
}

inline Network network(const IniSection& s, const std::string& directory, int inputs) {
  const int count = s.count("Nlayers");
  const std::vector<int> sizes = s.integers("sizes");
  if (sizes.size() != static_cast<std::size_t>(count))
    s.fail("sizes", std::to_string(count) + " layer sizes expected (Nlayers)");
  for (int n : sizes)
    if (n < 1 || n > 100000) s.fail("sizes", "layer sizes between 1 and 100000 expected");
  if (sizes.back() != 1) s.fail("sizes", "1 expected for the last layer (the atomic energy)");
  std::vector<int> activations(sizes.size(), 1);
  activations.back() = 0;
  if (s.has("activations")) activations = s.integers("activations");
  if (activations.size() != sizes.size())
    s.fail("activations", std::to_string(count) + " activation ids expected (Nlayers)");
  for (int a : activations)
    if (a < 0 || a > 4)
      s.fail("activations", "ids 0 (linear), 1 (Gaussian), 2 (RBF), 3 (ReLU), 4 (tanh) expected");

  std::size_t total = 0;
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    const auto in = static_cast<std::size_t>(l == 0 ? inputs : sizes[l - 1]);
    total += (in + 1) * static_cast<std::size_t>(sizes[l]);
  }
  const std::vector<double> all = numbers(directory + "/" + s.text("file"), total);
  std::vector<LayerParameters> layers;
  const double* at = all.data();
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    LayerParameters p;
    p.in = l == 0 ? inputs : sizes[l - 1];
    p.out = sizes[l];
    p.activation = activations[l];
    const std::size_t n = static_cast<std::size_t>(p.in) * static_cast<std::size_t>(p.out);
    p.weights.assign(at, at + n);
    at += n;
    p.biases.assign(at, at + p.out);
    at += p.out;
    layers.push_back(std::move(p));
  }
  if (s.has("offset")) s.real("offset");  // for the reader of the file: it is inside the bias
  return Network(layers, s.has("bias_residual") ? s.real("bias_residual") : 0.0);
}

// The range of the training set, unknown unless the section names its file.
inline Range range(const IniSection& s, const std::string& directory, int size) {
  if (!s.has("ranges")) return {};
  const std::string path = directory + "/" + s.text("ranges");
  const auto n = static_cast<std::size_t>(size);
  const std::vector<double> both = numbers(path, 2 * n);
  std::vector<double> lowest(both.begin(), both.begin() + size);
  std::vector<double> highest(both.begin() + size, both.end());
  for (std::size_t i = 0; i < n; ++i)
    if (lowest[i] > highest[i])
      throw Error(path + ": the smallest value of component " + std::to_string(i + 1) +
                  " is above its largest one");
  return Range(std::move(lowest), std::move(highest));
}

}  // namespace reading

// Throws Error with file, line, key, what was found and what was expected.
inline std::unique_ptr<DescriptorModel> read_potential(const std::string& directory,
                                                       const std::string& filename) {
  const IniFile ini(directory + "/" + filename);
  const IniSection& s = ini.section("GVECT_PARAMETERS");
  const std::vector<std::string> species = s.items("species");
  if (s.has("Nspecies") && s.integer("Nspecies") != static_cast<int>(species.size()))
    s.fail("Nspecies", "the number of symbols in species expected (" +
                           std::to_string(species.size()) + ")");
  for (const IniSection& section : ini.sections()) {
    if (section.name() == "GVECT_PARAMETERS") continue;
    bool known = false;
    for (const std::string& symbol : species) known = known || symbol == section.name();
    if (!known)
      throw Error(ini.path() + ": section [" + section.name() +
                  "] is none of the species of [GVECT_PARAMETERS]");
  }
  const std::string type = reading::choice(s, "type", "mBP", "BP");
  std::unique_ptr<Descriptor> descriptor =
      type == "BP" ? reading::bp(s, static_cast<int>(species.size()))
                   : reading::mbp(s, static_cast<int>(species.size()), ini.gversion() == 1);
  for (const char* note : {"descriptor_hash", "panna_version"})
    if (s.has(note)) s.text(note);
  s.check_all_used();

  std::vector<Network> networks;
  std::vector<Range> ranges;
  for (const std::string& symbol : species) {
    const IniSection& section = ini.section(symbol);
    networks.push_back(reading::network(section, directory, descriptor->size()));
    ranges.push_back(reading::range(section, directory, descriptor->size()));
    section.check_all_used();
  }
  return std::make_unique<DescriptorModel>(species, std::move(descriptor), std::move(networks),
                                           std::move(ranges));
}

}  // namespace panna
