// Compares the kernels with registers of 64 bytes, here in plain code that any processor runs, and
// all others that this machine has, with the baseline. Prints the largest differences:
//     variant precision what difference
// relative to the largest number of its kind.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "panna/network.hpp"

namespace panna {
namespace kernels {
namespace wide {
#undef PANNA_INTRINSICS
#define PANNA_INTRINSICS 0
#define PANNA_VECTOR_BYTES 64
#include "panna/kernels/all.inl.hpp"
PANNA_KERNEL_TABLE("wide")
}  // namespace wide
}  // namespace kernels
}  // namespace panna

using panna::Precision;
typedef std::vector<double> Numbers;

// Numbers in [0, 1), the same on every machine.
struct Random {
  unsigned state = 1;
  double operator()() {
    state = 1664525u * state + 1013904223u;
    return state / 4294967296.0;
  }
};

Numbers between(double first, double last, int count) {
  Numbers out;
  for (int m = 0; m < count; ++m) out.push_back(first + m * (last - first) / count);
  return out;
}

// Sizes are odd, to meet the remainders of every width.
std::vector<std::unique_ptr<panna::Descriptor>> descriptors() {
  std::vector<std::unique_ptr<panna::Descriptor>> out;
  for (const double zeta : {8.0, 7.5}) {
    panna::MBPParameters p;
    p.species = 2;
    p.rc_rad = 4.5;
    p.rc_ang = zeta == 8.0 ? 4.5 : 3.5;
    p.rs_rad = between(0.5, p.rc_rad, 7);
    p.eta_rad.assign(7, 4.0);
    p.rs_ang = between(0.5, p.rc_ang, 5);
    p.eta_ang.assign(5, zeta == 8.0 ? 2.0 : 60.0);
    p.thetas = between(zeta == 8.0 ? 0.3 : 0.0, 3.0, 5);
    p.zeta.assign(5, zeta);
    out.push_back(std::make_unique<panna::MBP>(p));
  }
  panna::BPParameters p;
  p.species = 2;
  p.rc_rad = 4.5;
  p.rc_ang = 4.0;
  p.rs_rad = {0.0, 1.5, 3.0};
  p.eta_rad = {0.3, 1.0};
  p.eta_ang = {0.02, 0.1, 0.3};
  p.zeta = {1.0, 3.0, 4.5};
  out.push_back(std::make_unique<panna::BP>(p));
  return out;
}

panna::Network network(int inputs, int activation) {
  Random random;
  std::vector<panna::LayerParameters> layers;
  for (const int outputs : {37, 5, 1}) {
    panna::LayerParameters layer;
    layer.in = inputs;
    layer.out = inputs = outputs;
    layer.activation = outputs == 1 ? 0 : activation;
    for (int i = 0; i < layer.in * layer.out; ++i) layer.weights.push_back(random() - 0.5);
    for (int i = 0; i < layer.out; ++i) layer.biases.push_back(random() - 0.5);
    layers.push_back(layer);
  }
  return panna::Network(layers, 0.0);
}

// What the kernels give: of each kind one list of numbers for all descriptors and atoms.
struct Results {
  Numbers g, vjp, jvp, jacobian, energies, slopes;
};

// Products of stored derivatives with vectors, for components that fill registers or not.
void append_blocks(Numbers& to) {
  const panna::kernels::Table& kernels = panna::kernels::active();
  Random random;
  for (long size = 1; size < 120; size += size < 20 ? 1 : 13) {
    const long pairs = 5;
    std::vector<float> block(static_cast<std::size_t>(3 * pairs * size));
    std::vector<float> g_bar(static_cast<std::size_t>(size)), dg(g_bar.size());
    Numbers tangents(3 * pairs), gradient(3 * pairs);
    for (float& x : block) x = static_cast<float>(random() - 0.5);
    std::vector<panna::kernels::Half> halves(block.size());
    // Bits of any finite number, of all sizes and signs, the smallest ones among them.
    for (auto& x : halves) x.bits = static_cast<std::uint16_t>(31 * 1024 * random()) |
                                    (random() < 0.5 ? 0x8000 : 0);
    for (float& x : g_bar) x = static_cast<float>(random() - 0.5);
    for (double& x : tangents) x = random() - 0.5;
    kernels.block_gradient(block.data(), pairs, size, g_bar.data(), gradient.data());
    kernels.block_change(block.data(), pairs, size, tangents.data(), dg.data());
    to.insert(to.end(), gradient.begin(), gradient.end());
    to.insert(to.end(), dg.begin(), dg.end());
    kernels.half_block_gradient(halves.data(), pairs, size, g_bar.data(), gradient.data());
    kernels.half_block_change(halves.data(), pairs, size, tangents.data(), dg.data());
    // Near 1, so that the largest differences are not those of these numbers alone.
    for (double x : gradient) to.push_back(x / 65504.0);
    for (float x : dg) to.push_back(x / 65504.0);
  }
}

Results compute(Precision precision) {
  Results all;
  panna::Workspace ws;
  auto append = [](Numbers& to, const Numbers& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (const auto& descriptor : descriptors()) {
    descriptor->set_precision(precision);
    const auto size = static_cast<std::size_t>(descriptor->size());
    Random random;
    for (int count = 0; count < 36; count += count < 20 ? 1 : 5) {
      const auto length = static_cast<std::size_t>(3 * count);
      std::vector<int> species;
      Numbers vectors;
      for (int i = 0; i < count; ++i) {
        const double r = 1.0 + 4.0 * random(), z = 2.0 * random() - 1.0, phi = 6.28 * random();
        append(vectors, {r * std::sqrt(1 - z * z) * std::cos(phi),
                         r * std::sqrt(1 - z * z) * std::sin(phi), r * z});
        species.push_back(random() < 0.6 ? 0 : 1);
      }
      const panna::Environment environment{count, species.data(), vectors.data()};
      Numbers g(size), g_bar(size), gradient(length);
      for (double& x : g_bar) x = random() - 0.5;
      descriptor->forward(environment, ws, g.data());
      descriptor->vjp(environment, ws, g_bar.data(), gradient.data());
      append(all.g, g);
      append(all.vjp, gradient);
      Numbers tangents(length), dg(size), jacobian(length * size);
      for (double& x : tangents) x = random() - 0.5;
      descriptor->forward(environment, ws, nullptr);
      descriptor->jvp(environment, ws, tangents.data(), dg.data());
      append(all.jvp, dg);
      if (precision == Precision::full) {
        descriptor->forward(environment, ws, nullptr);
        descriptor->jacobian(environment, ws, jacobian.data());
        append(all.jacobian, jacobian);
      }
    }
    for (int activation = 0; activation < 5; ++activation) {
      Numbers g(size), slopes(size);
      for (double& x : g) x = random();
      const panna::Network net = network(descriptor->size(), activation);
      all.energies.push_back(net.evaluate(g.data(), ws, slopes.data()));
      append(all.slopes, slopes);
    }
  }
  return all;
}

void compare(const char* variant, const char* precision, const char* what, const Numbers& found,
             const Numbers& expected) {
  double largest = 0.0, worst = found.size() == expected.size() ? 0.0 : INFINITY;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < found.size() && std::isfinite(worst); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
  }
  if (!expected.empty()) std::printf("%s %s %s %.3g\n", variant, precision, what, worst / largest);
}

int main() {
  namespace kernels = panna::kernels;
  std::vector<const kernels::Table*> variants{&kernels::wide::table};
  for (const char* name : {"avx2", "avx512"})
    if (const kernels::Table* table = kernels::find(name)) variants.push_back(table);
  for (const Precision precision : {Precision::full, Precision::mixed}) {
    const char* name = precision == Precision::full ? "full" : "mixed";
    kernels::use("baseline");
    const Results expected = compute(precision);
    for (const kernels::Table* variant : variants) {
      kernels::chosen().store(variant);
      const Results found = compute(precision);
      compare(variant->name, name, "G", found.g, expected.g);
      compare(variant->name, name, "vjp", found.vjp, expected.vjp);
      compare(variant->name, name, "jvp", found.jvp, expected.jvp);
      compare(variant->name, name, "jacobian", found.jacobian, expected.jacobian);
      compare(variant->name, name, "energies", found.energies, expected.energies);
      compare(variant->name, name, "slopes", found.slopes, expected.slopes);
    }
  }
  kernels::use("baseline");
  Numbers expected;
  append_blocks(expected);
  for (const kernels::Table* variant : variants) {
    kernels::chosen().store(variant);
    Numbers found;
    append_blocks(found);
    compare(variant->name, "single", "blocks", found, expected);
  }
}
