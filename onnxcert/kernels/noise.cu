// Noise: x + sigma z, normalised, straight into the input buffer of a model.
//
// Element e = 4 q + r of draw i gets normal r of the Philox4x32-10 block with the counter (q, i), so
// its noise depends on nothing else: not on the batch, the grid of threads or the layout of `out`.
// Everything below rounds as IEEE 754 says, operation by operation (no contraction, no approximate
// function), so onnxcert/kernels/normal.py repeats it on a CPU bit for bit.
//
// The file needs no header. It is compiled at run time; see onnxcert/kernels/source.py.

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
      // An empty instruction that "changes" them: else the compiler adds anew in every loop.
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

// Box and Muller 1958. 40 bits for the radius, so that the tail reaches 7.5 sigma; 24 for the angle.
__device__ inline void box_muller(u32 a, u32 b, float& z0, float& z1) {
  // u = a 2^-32 + ((b mod 256) + 1/2) 2^-40, above 0 and at most 1.
  const float low = __fmaf_rn(__uint2float_rn(b & 0xFFu), 0x1p-40f, 0x1p-41f);
  const float u = __fmaf_rn(__uint2float_rn(a), 0x1p-32f, low);
  // -2 ln u = -2 ln 2 k - 2 ln(1 + f) with u = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); the
  // polynomial is a minimax fit of (-2 ln(1 + f) + 2 f) / f^2, relative error of the sum 2e-7.
  const u32 bits = __float_as_uint(u);
  const u32 scale = (bits - 0x3F3504F3u) & 0xFF800000u;  // k 2^23
  const float f = __fadd_rn(__uint_as_float(bits - scale), -1.0f);
  float p = 0x1.9cf956p-3f;
  p = __fmaf_rn(p, f, -0x1.4b606cp-2f);
  p = __fmaf_rn(p, f, 0x1.61242ap-2f);
  p = __fmaf_rn(p, f, -0x1.97b166p-2f);
  p = __fmaf_rn(p, f, 0x1.ff6928p-2f);
  p = __fmaf_rn(p, f, -0x1.5558f4p-1f);
  p = __fmaf_rn(p, f, 0x1.00006cp+0f);
  p = __fmaf_rn(p, f, -2.0f);
  const float whole = __fmul_rn(__int2float_rn((int)scale), -0x1.62e430p-23f);
  const float radius = __fsqrt_rn(__fmaf_rn(p, f, whole));
  // The angle is ((b / 256) + 1/2) 2^-24 turns: the nearest quarter turn, in the two upper bits of
  // `quarter`, and v quarter turns beside it, |v| < 1/2. sin and cos of (pi / 2) v: minimax fits.
  const u32 quarter = b + 0x20000000u;
  // 22 bits and the half as the mantissa of a number in [1, 2); the two upper bits drown in its
  // exponent, all ones.
  const float v = __fadd_rn(__uint_as_float((quarter >> 7) | 0x3F800001u), -1.5f);
  const float v2 = __fmul_rn(v, v);
  float s = -0x1.2d9bb8p-8f;
  s = __fmaf_rn(s, v2, 0x1.465ec6p-4f);
  s = __fmaf_rn(s, v2, -0x1.4abbbap-1f);
  s = __fmul_rn(__fmaf_rn(s, v2, 0x1.921fb6p+0f), v);
  float c = -0x1.4e844ap-6f;
  c = __fmaf_rn(c, v2, 0x1.03b090p-2f);
  c = __fmaf_rn(c, v2, -0x1.3bd39cp+0f);
  c = __fmaf_rn(c, v2, 1.0f);
  // Quarters 1 and 3 swap the two; cos is negative in 1 and 2, sin in 2 and 3.
  const bool swap = (quarter & 0x40000000u) != 0;
  const u32 cosine = __float_as_uint(swap ? s : c) ^ ((quarter + 0x40000000u) & 0x80000000u);
  const u32 sine = __float_as_uint(swap ? c : s) ^ (quarter & 0x80000000u);
  z0 = __fmul_rn(radius, __uint_as_float(cosine));
  z1 = __fmul_rn(radius, __uint_as_float(sine));
}

__device__ inline void normals(const Philox& philox, u64 q, u64 draw, float (&z)[4]) {
  u32 r[4];
  philox.block(q, draw, r);
  box_muller(r[0], r[1], z[0], z[1]);
  box_muller(r[2], r[3], z[2], z[3]);
}

__device__ inline void put(float* out, float value) { *out = value; }
__device__ inline void put(unsigned short* out, float value) { *out = half_bits(value); }

// Four at once, where `out` is aligned to four of them.
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

// What one channel of the network is made of: channel `from` of x, times a factor, plus an offset.
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

__device__ inline float noisy(float x, float sigma, float z, const Channel& channel) {
  const float value = __fadd_rn(__fmul_rn(sigma, z), x);
  return channel.plain ? value : __fadd_rn(__fmul_rn(channel.factor, value), channel.offset);
}

// Channels in rows: x [*, cells] contiguous, out [draws, channels, cells] with any strides.
// Each thread takes one quadruple of one channel at a time, of every gridDim.z-th draw.
template <typename Out>
__device__ inline void planar(const float* x, float sigma, u32 k0, u32 k1, u64 first, i64 draws,
                              i64 channels, i64 cells, const int* from, const float* affine,
                              Out* out, i64 draw_step, i64 channel_step, i64 cell_step) {
  const i64 threads = (i64)gridDim.x * blockDim.x;
  const i64 thread = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  const Philox philox(k0, k1);
  for (i64 c = blockIdx.y; c < channels; c += gridDim.y) {
    const Channel channel = channel_of(c, from, affine, channels);
    const i64 begin = channel.from * cells, end = begin + cells;
    for (i64 q = begin / 4 + thread; 4 * q < end; q += threads) {
      // The quadruples at either end may belong to two channels: each takes its own elements.
      const int low = 4 * q < begin ? (int)(begin - 4 * q) : 0;
      const int high = 4 * q + 4 > end ? (int)(end - 4 * q) : 4;
      float v[4] = {0.0f, 0.0f, 0.0f, 0.0f}, z[4];
      if (high - low == 4) {
        get4(x + 4 * q, v);
      } else {
        for (int r = 0; r < 4; ++r)
          if (r >= low && r < high) v[r] = x[4 * q + r];
      }
      Out* row = out + blockIdx.z * draw_step + c * channel_step + (4 * q - begin) * cell_step;
      const u64 steps = (u64)draw_step | (u64)row / sizeof(Out);
      const bool whole = high - low == 4 && cell_step == 1 && steps % 4 == 0;
      for (i64 b = blockIdx.z; b < draws; b += gridDim.z, row += gridDim.z * draw_step) {
        normals(philox, (u64)q, first + (u64)b, z);
        for (int r = 0; r < 4; ++r) z[r] = noisy(v[r], sigma, z[r], channel);
        if (whole) {
          put4(row, z);
        } else {
          for (int r = 0; r < 4; ++r)
            if (r >= low && r < high) put(row + r * cell_step, z[r]);
        }
      }
    }
  }
}

// Three channels side by side: out [draws, cells, 3], cells a multiple of 4. Each thread takes four
// cells, so that twelve neighbouring values are written by whole vectors.
template <typename Out>
__device__ inline void interleaved(const float* x, float sigma, u32 k0, u32 k1, u64 first,
                                   i64 draws, i64 cells, const int* from, const float* affine,
                                   Out* out, i64 draw_step) {
  const i64 threads = (i64)gridDim.x * blockDim.x;
  const Philox philox(k0, k1);
  const bool whole = ((u64)draw_step | (u64)out / sizeof(Out)) % 4 == 0;
  const Channel channels[3] = {channel_of(0, from, affine, 3), channel_of(1, from, affine, 3),
                               channel_of(2, from, affine, 3)};
  for (i64 t = (i64)blockIdx.x * blockDim.x + threadIdx.x; t < cells / 4; t += threads) {
    for (i64 b = blockIdx.z; b < draws; b += gridDim.z) {
      float values[12];
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const i64 q = channels[c].from * (cells / 4) + t;
        float v[4], z[4];
        get4(x + 4 * q, v);
        normals(philox, (u64)q, first + (u64)b, z);
        for (int r = 0; r < 4; ++r) values[3 * r + c] = noisy(v[r], sigma, z[r], channels[c]);
      }
      Out* const row = out + b * draw_step + 12 * t;
      for (int r = 0; r < 12; r += 4) {
        if (whole) put4(row + r, values + r);
        else for (int k = r; k < r + 4; ++k) put(row + k, values[k]);
      }
    }
  }
}

#define ONNXCERT_NOISE(Out, suffix)                                                               \
  extern "C" __global__ void noise_##suffix(                                                      \
      const float* x, float sigma, u32 k0, u32 k1, u64 first, i64 draws, i64 channels, i64 cells, \
      const int* from, const float* affine, Out* out, i64 draw_step, i64 channel_step,            \
      i64 cell_step) {                                                                            \
    planar<Out>(x, sigma, k0, k1, first, draws, channels, cells, from, affine, out, draw_step,    \
                channel_step, cell_step);                                                         \
  }                                                                                               \
  extern "C" __global__ void noise_interleaved_##suffix(                                          \
      const float* x, float sigma, u32 k0, u32 k1, u64 first, i64 draws, i64 cells,               \
      const int* from, const float* affine, Out* out, i64 draw_step) {                            \
    interleaved<Out>(x, sigma, k0, k1, first, draws, cells, from, affine, out, draw_step);        \
  }

ONNXCERT_NOISE(float, float32)
ONNXCERT_NOISE(unsigned short, float16)
