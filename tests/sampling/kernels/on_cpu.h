// What the kernels need of CUDA, on a CPU: one thread after another, IEEE 754 arithmetic.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

struct Place {
  unsigned x, y, z;
};
static Place blockIdx, threadIdx, gridDim, blockDim;

#define __global__
#define __device__

static inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return std::sqrt(a); }
static inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }
static inline float __int2float_rn(int a) { return static_cast<float>(a); }

static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return std::sqrt(a); }
static inline double __ull2double_rn(unsigned long long a) { return static_cast<double>(a); }
static inline double __ll2double_rn(long long a) { return static_cast<double>(a); }
static inline float __double2float_rn(double a) { return static_cast<float>(a); }

static inline long long __double_as_longlong(double a) {
  long long bits;
  std::memcpy(&bits, &a, 8);
  return bits;
}

static inline double __longlong_as_double(long long bits) {
  double a;
  std::memcpy(&a, &bits, 8);
  return a;
}

static inline unsigned __float_as_uint(float a) {
  unsigned bits;
  std::memcpy(&bits, &a, 4);
  return bits;
}

static inline float __uint_as_float(unsigned bits) {
  float a;
  std::memcpy(&a, &bits, 4);
  return a;
}

static inline unsigned long long atomicAdd(unsigned long long* at, unsigned long long n) {
  const unsigned long long before = *at;
  *at += n;
  return before;
}

// float16: exact one way, to nearest even the other.
static inline float half_value(unsigned short bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  float a = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                          : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  if (exponent == 31) a = mantissa ? NAN : INFINITY;
  return bits & 0x8000 ? -a : a;
}

static inline unsigned short half_bits(float a) {
  const unsigned sign = (__float_as_uint(a) >> 16) & 0x8000u;
  const float size = std::fabs(a);
  if (std::isnan(a)) return static_cast<unsigned short>(sign | 0x7E00u);
  if (size >= 65520.0f) return static_cast<unsigned short>(sign | 0x7C00u);
  int exponent = 0;
  std::frexp(size, &exponent);
  if (size == 0.0f || exponent < -13) exponent = -13;  // subnormal: steps of 2^-24
  const long mantissa = std::lrint(std::ldexp(size, 11 - exponent));  // ties to even
  const long bits = mantissa + ((exponent + 13L) << 10);  // a carry goes into the exponent
  return static_cast<unsigned short>(sign | static_cast<unsigned>(bits));
}

// Every thread of the grid; arguments as cuLaunchKernel takes them.
template <typename... A, std::size_t... I>
static void every_thread(void (*kernel)(A...), const unsigned* grid, const unsigned* block,
                         void** arguments, std::index_sequence<I...>) {
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
          kernel(*static_cast<std::remove_reference_t<A>*>(arguments[I])...);
}

template <typename... A>
static void every_thread(void (*kernel)(A...), const unsigned* grid, const unsigned* block,
                         void** arguments) {
  every_thread(kernel, grid, block, arguments, std::index_sequence_for<A...>());
}

#define ON_CPU(kernel)                                                                     \
  extern "C" void on_cpu_##kernel(const unsigned* grid, const unsigned* block, void** a) { \
    every_thread(kernel, grid, block, a);                                                  \
  }
