// The network of one species: energy of an atom from its descriptor, and the gradient.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "aligned.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "kernels/dispatch.hpp"

namespace panna {

struct LayerParameters {
  int in = 0, out = 0;
  int activation = 0;           // ids of the PANNA files: 0 linear, 1 Gaussian, 2 RBF, 3 ReLU, 4 tanh
  std::vector<double> weights;  // [in][out]
  std::vector<double> biases;   // [out]
};

class Network {
 public:
  Network() = default;
  // `offset` (eV) is added to the output.
  Network(const std::vector<LayerParameters>& layers, double offset) : offset_(offset) {
    if (layers.empty()) throw Error("network: no layers");
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const LayerParameters& p = layers[l];
      if (l > 0 && p.in != layers[l - 1].out)
        throw Error("network: layer " + std::to_string(l) + " takes " + std::to_string(p.in) +
                    " inputs, the layer before gives " + std::to_string(layers[l - 1].out));
      if (p.weights.size() != static_cast<std::size_t>(p.in) * static_cast<std::size_t>(p.out) ||
          p.biases.size() != static_cast<std::size_t>(p.out))
        throw Error("network: layer " + std::to_string(l) + " has weights of the wrong size");
      if (p.activation < 0 || p.activation > 4)
        throw Error("network: unknown activation id " + std::to_string(p.activation));
    }
    if (layers.back().out != 1)
      throw Error("network: the last layer gives " + std::to_string(layers.back().out) +
                  " numbers, expected 1 (the atomic energy)");
    for (const LayerParameters& p : layers) add(p);
  }

  int inputs() const { return layers_.empty() ? 0 : layers_.front().in; }
  int layers() const { return static_cast<int>(layers_.size()); }

  // Energy (eV) of an atom with descriptor g; dE/dg goes to g_bar.
  double evaluate(const double* g, Workspace& ws, double* g_bar) const {
    std::vector<kernels::Layer>& views = scratch_views();
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Stored& s = layers_[l];
      views[l] = {s.in, s.out, padded(s.in), padded(s.out), s.activation,
                  s.weights.data(), s.transposed.data(), s.biases.data()};
    }
    double* values = ws.network_memory.reserve(static_cast<std::size_t>(2 * total_ + 2 * widest_));
    double* slopes = values + total_;
    const kernels::Table& k = kernels::active();
    const double energy = k.network_forward(views.data(), layers(), g, values, slopes);
    if (g_bar != nullptr)
      k.network_backward(views.data(), layers(), g, values, slopes, slopes + total_, widest_,
                         g_bar);
    return energy + offset_;
  }

 private:
  struct Stored {
    int in, out, activation;
    std::vector<double> weights, transposed, biases;  // padded rows
  };

  static std::vector<kernels::Layer>& scratch_views() {
    static thread_local std::vector<kernels::Layer> views(64);
    return views;
  }

  void add(const LayerParameters& p) {
    if (layers_.size() >= 64) throw Error("network: more than 64 layers");
    const int in_row = padded(p.in), out_row = padded(p.out);
    Stored s{p.in, p.out, p.activation, {}, {}, {}};
    s.weights.assign(static_cast<std::size_t>(p.in) * out_row, 0.0);
    s.transposed.assign(static_cast<std::size_t>(p.out) * in_row, 0.0);
    s.biases.assign(static_cast<std::size_t>(out_row), 0.0);
    for (int i = 0; i < p.in; ++i)
      for (int o = 0; o < p.out; ++o) {
        const double w = p.weights[static_cast<std::size_t>(i) * p.out + o];
        s.weights[static_cast<std::size_t>(i) * out_row + o] = w;
        s.transposed[static_cast<std::size_t>(o) * in_row + i] = w;
      }
    for (int o = 0; o < p.out; ++o) s.biases[static_cast<std::size_t>(o)] = p.biases[o];
    layers_.push_back(std::move(s));
    total_ += out_row;
    widest_ = std::max(widest_, std::max(in_row, out_row));
  }

  std::vector<Stored> layers_;
  double offset_ = 0.0;
  int total_ = 0, widest_ = 0;
};

}  // namespace panna
