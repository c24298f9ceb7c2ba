// Noise: the grid point nearest to x + sigma z, normalised, written into the input of a model.
//
// Element e = 2 q + r of draw i gets normal r of the Philox4x32-10 block with the counter (q, i).
// Its noise depends on nothing else: not on the batch, the grid of threads or the layout of `out`.
// Noise is float64, because its law must be exact to a few parts in 2^32 in every cell of the grid;
// see docs/statistics.md, section 11.
// Every operation rounds as IEEE 754 specifies (no contraction, no approximate functions), so
// philox.py repeats the file on a CPU bit for bit.
//
// The file needs no header. It is compiled at run time; see compiled.py.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct alignas(8) Half4 { unsigned short a, b, c, d; };
struct alignas(16) Float4 { float a, b, c, d; };

// Philox4x32-10 of Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3.
struct Philox {
  u32 k0[10], k1[10];  // the keys of the rounds

  __device__ Philox(u32 first, u32 second) {
#pragma unroll
    for (u32 round = 0; round < 10; ++round) {
      k0[round] = first + round * 0x9E3779B9u;
      k1[round] = second + round * 0xBB67AE85u;
      // An empty instruction that "changes" them: else the compiler repeats the sums in every loop.
      asm volatile("" : "+r"(k0[round]), "+r"(k1[round]));
    }
  }

  __device__ void block(u64 low, u64 high, u32 (&r)[4]) const {
    u32 c0 = (u32)low, c1 = (u32)(low >> 32), c2 = (u32)high, c3 = (u32)(high >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
      const u64 p0 = (u64)0xD2511F53u * c0, p1 = (u64)0xCD9E8D57u * c2;
      c0 = (u32)(p1 >> 32) ^ c1 ^ k0[round];
      c2 = (u32)(p0 >> 32) ^ c3 ^ k1[round];
      c1 = (u32)p1;
      c3 = (u32)p0;
    }
    r[0] = c0, r[1] = c1, r[2] = c2, r[3] = c3;
  }
};

__device__ inline u64 bits_of(double value) { return (u64)__double_as_longlong(value); }
__device__ inline double of_bits(u64 bits) { return __longlong_as_double((i64)bits); }

// One step of Horner's rule, rounded twice.
__device__ inline double step_of(double value, double x, double coefficient) {
  return __dadd_rn(__dmul_rn(value, x), coefficient);
}

// Box and Muller 1958, in float64: 64 bits for the radius, so that the tail reaches 9.49 sigma, and
// 64 for the angle.
__device__ inline void box_muller(u64 a, u64 b, double& z0, double& z1) {
  // u = (a + 1/2) 2^-64, above 0 and at most 1.
  const double u = __dmul_rn(__dadd_rn(__ull2double_rn(a), 0.5), 0x1p-64);
  // ln u = k ln 2 + ln(1 + f) with u = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), and
  // ln(1 + f) = 2 artanh(s), s = f / (2 + f): the power series, to the term in s^21.
  const u64 scale = (bits_of(u) - 0x3FE6A09E00000000ull) & 0xFFF0000000000000ull;  // k 2^52
  const double f = __dadd_rn(of_bits(bits_of(u) - scale), -1.0);
  const double s = __ddiv_rn(f, __dadd_rn(2.0, f));
  const double s2 = __dmul_rn(s, s);
  double p = 0x1.8618618618618p-4;
  p = step_of(p, s2, 0x1.af286bca1af28p-4);
  p = step_of(p, s2, 0x1.e1e1e1e1e1e1ep-4);
  p = step_of(p, s2, 0x1.1111111111111p-3);
  p = step_of(p, s2, 0x1.3b13b13b13b14p-3);
  p = step_of(p, s2, 0x1.745d1745d1746p-3);
  p = step_of(p, s2, 0x1.c71c71c71c71cp-3);
  p = step_of(p, s2, 0x1.2492492492492p-2);
  p = step_of(p, s2, 0x1.999999999999ap-2);
  p = step_of(p, s2, 0x1.5555555555555p-1);
  const double whole = __dmul_rn(__ll2double_rn((i64)scale >> 52), 0x1.62e42fefa39efp-1);
  const double series = __dadd_rn(__dmul_rn(2.0, s), __dmul_rn(s, __dmul_rn(s2, p)));
  const double radius = __dsqrt_rn(__dmul_rn(-2.0, __dadd_rn(whole, series)));
  // The angle is (b + 1/2) 2^-64 turns: the nearest quarter turn, in the two upper bits of
  // `quarter`, and v quarter turns beside it, |v| <= 1/2. Power series of sine and cosine.
  const u64 quarter = b + 0x2000000000000000ull;
  const i64 beside = (i64)(quarter & 0x3FFFFFFFFFFFFFFFull) - 0x2000000000000000ll;
  const double turned = __dmul_rn(__dadd_rn(__ll2double_rn(beside), 0.5), 0x1p-62);
  const double v = __dmul_rn(turned, 0x1.921fb54442d18p+0);
  const double v2 = __dmul_rn(v, v);
  double sn = 0x1.952c77030ad4ap-49;
  sn = step_of(sn, v2, -0x1.ae7f3e733b81fp-41);
  sn = step_of(sn, v2, 0x1.6124613a86d09p-33);
  sn = step_of(sn, v2, -0x1.ae64567f544e4p-26);
  sn = step_of(sn, v2, 0x1.71de3a556c734p-19);
  sn = step_of(sn, v2, -0x1.a01a01a01a01ap-13);
  sn = step_of(sn, v2, 0x1.1111111111111p-7);
  sn = step_of(sn, v2, -0x1.5555555555555p-3);
  sn = __dadd_rn(v, __dmul_rn(v, __dmul_rn(v2, sn)));
  double cs = 0x1.ae7f3e733b81fp-45;
  cs = step_of(cs, v2, -0x1.93974a8c07c9dp-37);
  cs = step_of(cs, v2, 0x1.1eed8eff8d898p-29);
  cs = step_of(cs, v2, -0x1.27e4fb7789f5cp-22);
  cs = step_of(cs, v2, 0x1.a01a01a01a01ap-16);
  cs = step_of(cs, v2, -0x1.6c16c16c16c17p-10);
  cs = step_of(cs, v2, 0x1.5555555555555p-5);
  cs = step_of(cs, v2, -0x1.0000000000000p-1);
  cs = __dadd_rn(1.0, __dmul_rn(v2, cs));
  // Quarters 1 and 3 swap the two; cos is negative in 1 and 2, sin in 2 and 3.
  const bool swap = (quarter & 0x4000000000000000ull) != 0;
  const u64 sign = 0x8000000000000000ull;
  const u64 cosine = bits_of(swap ? sn : cs) ^ ((quarter + 0x4000000000000000ull) & sign);
  const u64 sine = bits_of(swap ? cs : sn) ^ (quarter & sign);
  z0 = __dmul_rn(radius, of_bits(cosine));
  z1 = __dmul_rn(radius, of_bits(sine));
}

// The normals 4 q ... 4 q + 3 of a draw, two from each block.
__device__ inline void normals(const Philox& philox, u64 q, u64 draw, double (&z)[4]) {
  for (int half = 0; half < 2; ++half) {
    u32 r[4];
    philox.block(2 * q + (u64)half, draw, r);
    box_muller((u64)r[0] << 32 | r[1], (u64)r[2] << 32 | r[3], z[2 * half], z[2 * half + 1]);
  }
}

__device__ inline void put(float* out, float value) { *out = value; }
__device__ inline void put(unsigned short* out, float value) { *out = half_bits(value); }

// Four values at once, where `out` is aligned to four.
__device__ inline void put4(float* out, const float* v) {
  *(Float4*)out = Float4{v[0], v[1], v[2], v[3]};
}

__device__ inline void put4(unsigned short* out, const float* v) {
  *(Half4*)out = Half4{half_bits(v[0]), half_bits(v[1]), half_bits(v[2]), half_bits(v[3])};
}

__device__ inline void get4(const float* x, float (&v)[4]) {
  if (((u64)x & 15u) == 0) {
    const Float4 all = *(const Float4*)x;
    v[0] = all.a, v[1] = all.b, v[2] = all.c, v[3] = all.d;
  } else {
    for (int r = 0; r < 4; ++r) v[r] = x[r];
  }
}

// One channel of the network: channel `from` of x, times a factor, plus an offset.
struct Channel {
  i64 from;
  bool plain;
  float factor, offset;
};

__device__ inline Channel channel_of(i64 c, const int* from, const float* affine, i64 channels) {
  Channel channel = {from ? from[c] : c, affine == nullptr, 1.0f, 0.0f};
  if (affine) channel.factor = affine[c], channel.offset = affine[channels + c];
  return channel;
}

// The grid: its step, and sigma in steps; the step 0 means no noise. See grid.py.
struct Grid {
  double sigma, step;
};

// The nearest whole number, ties to even, of |value| < 2^51.
__device__ inline double whole(double value) {
  return __dadd_rn(__dadd_rn(value, 0x1.8p52), -0x1.8p52);
}

__device__ inline float on_grid(float x, double z, const Grid& grid) {
  if (grid.step == 0.0) return x;
  const float step = __double2float_rn(grid.step);
  const double steps = __ddiv_rn((double)x, grid.step);  // exact, as the step is a power of two
  const double nearest = whole(steps);
  const double moved = whole(__dadd_rn(__dmul_rn(z, grid.sigma), __dadd_rn(steps, -nearest)));
  const float point = __double2float_rn(__dmul_rn(nearest, grid.step));
  return __fadd_rn(__fmul_rn(__double2float_rn(moved), step), point);
}

__device__ inline float noisy(float x, double z, const Grid& grid, const Channel& channel) {
  const float value = on_grid(x, z, grid);
  return channel.plain ? value : __fadd_rn(__fmul_rn(channel.factor, value), channel.offset);
}

// Channels in rows: x [*, cells] contiguous, out [draws, channels, cells] with any strides.
// Each thread takes one quadruple of one channel at a time, of every gridDim.z-th draw.
template <typename Out>
__device__ inline void planar(const float* x, Grid grid, u32 k0, u32 k1, u64 first, i64 draws,
                              i64 channels, i64 cells, const int* from, const float* affine,
                              Out* out, i64 draw_step, i64 channel_step, i64 cell_step) {
  const i64 threads = (i64)gridDim.x * blockDim.x;
  const i64 thread = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  const Philox philox(k0, k1);
  for (i64 c = blockIdx.y; c < channels; c += gridDim.y) {
    const Channel channel = channel_of(c, from, affine, channels);
    const i64 begin = channel.from * cells, end = begin + cells;
    for (i64 q = begin / 4 + thread; 4 * q < end; q += threads) {
      // The first and last quadruple may belong to two channels; each takes its own elements.
      const int low = 4 * q < begin ? (int)(begin - 4 * q) : 0;
      const int high = 4 * q + 4 > end ? (int)(end - 4 * q) : 4;
      float v[4] = {0.0f, 0.0f, 0.0f, 0.0f}, y[4];
      double z[4];
      if (high - low == 4) {
        get4(x + 4 * q, v);
      } else {
        for (int r = 0; r < 4; ++r)
          if (r >= low && r < high) v[r] = x[4 * q + r];
      }
      Out* row = out + blockIdx.z * draw_step + c * channel_step + (4 * q - begin) * cell_step;
      const u64 steps = (u64)draw_step | (u64)row / sizeof(Out);
      const bool aligned = high - low == 4 && cell_step == 1 && steps % 4 == 0;
      for (i64 b = blockIdx.z; b < draws; b += gridDim.z, row += gridDim.z * draw_step) {
        normals(philox, (u64)q, first + (u64)b, z);
        for (int r = 0; r < 4; ++r) y[r] = noisy(v[r], z[r], grid, channel);
        if (aligned) {
          put4(row, y);
        } else {
          for (int r = 0; r < 4; ++r)
            if (r >= low && r < high) put(row + r * cell_step, y[r]);
        }
      }
    }
  }
}

// Three interleaved channels: out [draws, cells, 3], cells a multiple of 4. Each thread takes four
// cells, so that twelve adjacent values are written as whole vectors.
template <typename Out>
__device__ inline void interleaved(const float* x, Grid grid, u32 k0, u32 k1, u64 first,
                                   i64 draws, i64 cells, const int* from, const float* affine,
                                   Out* out, i64 draw_step) {
  const i64 threads = (i64)gridDim.x * blockDim.x;
  const Philox philox(k0, k1);
  const bool aligned = ((u64)draw_step | (u64)out / sizeof(Out)) % 4 == 0;
  const Channel channels[3] = {channel_of(0, from, affine, 3), channel_of(1, from, affine, 3),
                               channel_of(2, from, affine, 3)};
  for (i64 t = (i64)blockIdx.x * blockDim.x + threadIdx.x; t < cells / 4; t += threads) {
    for (i64 b = blockIdx.z; b < draws; b += gridDim.z) {
      float values[12];
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const i64 q = channels[c].from * (cells / 4) + t;
        float v[4];
        double z[4];
        get4(x + 4 * q, v);
        normals(philox, (u64)q, first + (u64)b, z);
        for (int r = 0; r < 4; ++r) values[3 * r + c] = noisy(v[r], z[r], grid, channels[c]);
      }
      Out* const row = out + b * draw_step + 12 * t;
      for (int r = 0; r < 12; r += 4) {
        if (aligned) put4(row + r, values + r);
        else for (int k = r; k < r + 4; ++k) put(row + k, values[k]);
      }
    }
  }
}

#define ONNXCERT_NOISE(Out, suffix)                                                              \
  extern "C" __global__ void noise_##suffix(                                                     \
      const float* x, double sigma, double step, u32 k0, u32 k1, u64 first, i64 draws,           \
      i64 channels, i64 cells, const int* from, const float* affine, Out* out, i64 draw_step,    \
      i64 channel_step, i64 cell_step) {                                                         \
    planar<Out>(x, Grid{sigma, step}, k0, k1, first, draws, channels, cells, from, affine, out,  \
                draw_step, channel_step, cell_step);                                             \
  }                                                                                              \
  extern "C" __global__ void noise_interleaved_##suffix(                                         \
      const float* x, double sigma, double step, u32 k0, u32 k1, u64 first, i64 draws,           \
      i64 cells, const int* from, const float* affine, Out* out, i64 draw_step) {                \
    interleaved<Out>(x, Grid{sigma, step}, k0, k1, first, draws, cells, from, affine, out,       \
                     draw_step);                                                                 \
  }

ONNXCERT_NOISE(float, float32)
ONNXCERT_NOISE(unsigned short, float16)
