// Fully connected layers for one atom: lanes run over the outputs of a layer (forward) or its
// inputs (backward). Included once for each instruction set inside its namespace.

// out[0..n) = start + sum_i x[i] rows[i][0..n), n a multiple of W.
inline void accumulate_rows(int count, const double* x, const double* rows, int n,
                            const double* start, double* out) {
  constexpr int B = 8;  // registers of output held at a time: enough to hide the latency of a sum
  int o = 0;
  for (; o + B * W <= n; o += B * W) {
    V total[B];
    for (int b = 0; b < B; ++b) total[b] = start ? load(start + o + b * W) : V{};
    for (int i = 0; i < count; ++i)
      for (int b = 0; b < B; ++b)
        total[b] += x[i] * load(rows + static_cast<long>(i) * n + o + b * W);
    for (int b = 0; b < B; ++b) store(out + o + b * W, total[b]);
  }
  for (; o < n; o += W) {
    V total = start ? load(start + o) : V{};
    for (int i = 0; i < count; ++i) total += x[i] * load(rows + static_cast<long>(i) * n + o);
    store(out + o, total);
  }
}

// Radial basis layer: out_j = exp(-sum_i (x_i - W_ij)^2).
inline void rbf_rows(const Layer& layer, const double* x, double* out) {
  for (int o = 0; o < layer.out_padded; o += W) {
    V total{};
    for (int i = 0; i < layer.in; ++i) {
      const V difference = x[i] - load(layer.weights + static_cast<long>(i) * layer.out_padded + o);
      total += difference * difference;
    }
    store(out + o, exponential(-total));
  }
}

// Value and derivative of an activation; `z` is overwritten by the value.
inline void activate(int activation, int n, double* z, double* slope) {
  for (int o = 0; o < n; o += W) {
    const V x = load(z + o);
    V value = x, d = all(1.0);
    if (activation == 1) {  // Gaussian exp(-x^2)
      value = exponential(-x * x);
      d = -2.0 * x * value;
    } else if (activation == 3) {  // ReLU
      const I positive = x > V{};
      value = select(positive, x, V{});
      d = select(positive, all(1.0), V{});
    } else if (activation == 4) {  // tanh; |x| is bounded so that exp does not overflow
      const V bounded = select(x > all(20.0), all(20.0), larger(x, all(-20.0)));
      value = 1.0 - 2.0 / (exponential(2.0 * bounded) + 1.0);
      d = 1.0 - value * value;
    }
    store(z + o, value);
    store(slope + o, d);
  }
}

// Energy of one atom. `values` and `slopes` hold, layer after layer, out_padded numbers each.
inline double network_forward(const Layer* layers, int count, const double* g, double* values,
                              double* slopes) {
  const double* x = g;
  for (int l = 0; l < count; ++l) {
    const Layer& layer = layers[l];
    if (layer.activation == 2) {
      rbf_rows(layer, x, values);
    } else {
      accumulate_rows(layer.in, x, layer.weights, layer.out_padded, layer.biases, values);
      activate(layer.activation, layer.out_padded, values, slopes);
    }
    x = values;
    values += layer.out_padded;
    slopes += layer.out_padded;
  }
  return x[0];
}

// dE/dG of one atom after `network_forward`; `scratch` holds two rows of the widest layer.
inline void network_backward(const Layer* layers, int count, const double* g,
                             const double* values, const double* slopes, double* scratch,
                             int widest, double* g_bar) {
  double* delta = scratch;
  double* next = scratch + widest;
  int end = 0;
  for (int l = 0; l < count; ++l) end += layers[l].out_padded;
  for (int i = 0; i < layers[count - 1].out_padded; ++i) delta[i] = i == 0 ? 1.0 : 0.0;
  for (int l = count - 1; l >= 0; --l) {
    const Layer& layer = layers[l];
    end -= layer.out_padded;
    double* out = next;
    if (layer.activation == 2) {
      const double* x = l == 0 ? g : values + end - layers[l - 1].out_padded;
      for (int i = 0; i < layer.in; ++i) out[i] = 0.0;
      for (int o = 0; o < layer.out; ++o) {
        const double factor = -2.0 * delta[o] * values[end + o];
        for (int i = 0; i < layer.in; ++i)
          out[i] += factor * (x[i] - layer.weights[static_cast<long>(i) * layer.out_padded + o]);
      }
    } else {
      for (int o = 0; o < layer.out; ++o) delta[o] *= slopes[end + o];
      accumulate_rows(layer.out, delta, layer.transposed, layer.in_padded, nullptr, out);
    }
    next = delta;
    delta = out;
  }
  for (int i = 0; i < layers[0].in; ++i) g_bar[i] = delta[i];
}
