// A growing block of memory aligned for the widest vector registers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace panna {

constexpr std::size_t kAlignment = 64;
constexpr int kLanes = 8;     // doubles in the widest register: rows are padded to a multiple
constexpr int kPadding = 16;  // floats in it: what kernels may read and write behind a block

inline int padded(int n) { return (n + kLanes - 1) / kLanes * kLanes; }

// Keeps its memory when asked for less, so that a loop over atoms stops allocating early.
// New memory is zeroed: kernels may read (never use) lanes behind the last element.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(other.data_), capacity_(other.capacity_) {
    other.data_ = nullptr;
    other.capacity_ = 0;
  }
  ~AlignedBuffer() { std::free(data_); }

  double* reserve(std::size_t count) {
    if (count > capacity_) {
      std::size_t bytes = (count + count / 2) * sizeof(double);
      bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
      std::free(data_);
      capacity_ = 0;
      data_ = static_cast<double*>(std::aligned_alloc(kAlignment, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
      capacity_ = bytes / sizeof(double);
      std::fill(data_, data_ + capacity_, 0.0);
    }
    return data_;
  }

 private:
  double* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace panna
