// Votes: turn scores, where the model left them, into votes and count them, in one pass.
//
// One thread owns one component in all draws of the batch, so counters need no atomics. Scores on a
// coarser grid are interpolated on the fly, as the ONNX operator Resize does (linear, half_pixel).
// A prediction with a non-finite score is invalid (no vote): the sum over its classes shows it.
// Every operation rounds separately, as in transcription.py, which repeats this
// file on a CPU bit for bit.

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// Layout of the scores (steps are strides in elements), and how they become a vote.
struct Scores {
  i64 draws, classes, height, width;  // of the scores
  i64 draw_step, class_step, row_step, column_step;
  i64 rows, columns;  // of the components
  int above;          // whether one score is compared with `threshold`; otherwise argmax
  float threshold;
};

__device__ inline float value(const float* score) { return *score; }
__device__ inline float value(const unsigned short* score) { return half_value(*score); }

// Counters and labels are unsigned integers of 1, 2 or 4 bytes.
__device__ inline u32 load(const void* at, int bytes, i64 i) {
  if (bytes == 1) return ((const unsigned char*)at)[i];
  if (bytes == 2) return ((const unsigned short*)at)[i];
  return ((const u32*)at)[i];
}

__device__ inline void store(void* at, int bytes, i64 i, u32 number) {
  if (bytes == 1) ((unsigned char*)at)[i] = (unsigned char)number;
  else if (bytes == 2) ((unsigned short*)at)[i] = (unsigned short)number;
  else ((u32*)at)[i] = number;
}

// One axis of the interpolation: neighbours and weights of position i of `size`.
struct Neighbours {
  i64 low, high;
  float to_low, to_high;  // distances: the nearer neighbour weighs more
};

__device__ inline Neighbours neighbours(i64 i, i64 size, i64 source) {
  const float scale = __fdiv_rn((float)size, (float)source);
  float at = __fadd_rn(__fdiv_rn(__fadd_rn((float)i, 0.5f), scale), -0.5f);
  at = fminf(fmaxf(at, 0.0f), (float)(source - 1));
  Neighbours n;
  n.low = (i64)at < source - 1 ? (i64)at : source - 1;
  n.high = n.low + 1 < source ? n.low + 1 : source - 1;
  n.to_low = n.low == n.high ? 0.5f : __fadd_rn(at, -(float)n.low);
  n.to_high = n.low == n.high ? 0.5f : __fadd_rn((float)n.high, -at);
  return n;
}

// The score of a component, read directly ...
struct Direct {
  i64 offset;
  __device__ Direct(const Scores& s, i64 row, i64 column)
      : offset(row * s.row_step + column * s.column_step) {}
  template <typename Score>
  __device__ float at(const Score* plane) const {
    return value(plane + offset);
  }
};

// ... or interpolated between four scores.
struct Interpolated {
  i64 offset[4];
  float weight[4];
  __device__ Interpolated(const Scores& s, i64 row, i64 column) {
    const Neighbours y = neighbours(row, s.rows, s.height);
    const Neighbours x = neighbours(column, s.columns, s.width);
    offset[0] = y.low * s.row_step + x.low * s.column_step;
    offset[1] = y.low * s.row_step + x.high * s.column_step;
    offset[2] = y.high * s.row_step + x.low * s.column_step;
    offset[3] = y.high * s.row_step + x.high * s.column_step;
    weight[0] = __fmul_rn(x.to_high, y.to_high);
    weight[1] = __fmul_rn(x.to_low, y.to_high);
    weight[2] = __fmul_rn(x.to_high, y.to_low);
    weight[3] = __fmul_rn(x.to_low, y.to_low);
  }
  template <typename Score>
  __device__ float at(const Score* plane) const {
    float sum = __fmul_rn(weight[0], value(plane + offset[0]));
#pragma unroll
    for (int k = 1; k < 4; ++k) {
      sum = __fadd_rn(sum, __fmul_rn(weight[k], value(plane + offset[k])));
    }
    return sum;
  }
};

// The vote of one component in one draw, or none; `best` is its score for class 0. The first class
// of a tie wins.
#define ONNXCERT_NO_VOTE 0xFFFFFFFFu

template <bool single, typename Score, typename Cell>
__device__ inline u32 vote(float best, const Score* draw, const Cell& cell, const Scores& s) {
  float total = best;
  u32 label = 0;
#pragma unroll 8
  for (i64 c = 1; !single && c < s.classes; ++c) {
    const float score = cell.at(draw + c * s.class_step);
    total = __fadd_rn(total, score);
    if (score > best) best = score, label = (u32)c;
  }
  if (!(fabsf(total) <= 0x1.fffffep+127f)) return ONNXCERT_NO_VOTE;
  if (s.above) label = best > s.threshold ? 1u : 0u;
  return label;
}

// For every component of this thread and every draw: count.add(component, draw, vote). Several
// scores are loaded at once to hide memory latency: of the classes of one draw, or of several draws
// if each has only one score.
template <bool single, typename Score, typename Cell, typename Count>
__device__ inline void for_each_vote(const Score* scores, const Scores& s, Count& count) {
  constexpr int ahead = single ? 4 : 1;
  const i64 components = s.rows * s.columns, threads = (i64)gridDim.x * blockDim.x;
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < components; i += threads) {
    const Cell cell(s, i / s.columns, i % s.columns);
    count.begin(i);
    for (i64 b = 0; b < s.draws; b += ahead) {
      const Score* const draw = scores + b * s.draw_step;
      float first[ahead];
#pragma unroll
      for (int k = 0; k < ahead; ++k) {
        first[k] = b + k < s.draws ? cell.at(draw + k * s.draw_step) : 0.0f;
      }
#pragma unroll
      for (int k = 0; k < ahead; ++k) {
        if (b + k == s.draws) break;
        count.add(i, b + k, vote<single>(first[k], draw + k * s.draw_step, cell, s));
      }
    }
    count.end(i);
  }
}

template <typename Score, typename Cell, typename Count>
__device__ inline void count_votes(const Score* scores, const Scores& s, Count& count) {
  if (s.classes == 1) {
    for_each_vote<true, Score, Cell>(scores, s, count);
  } else {
    for_each_vote<false, Score, Cell>(scores, s, count);
  }
}

// votes[class, component] += 1
struct Select {
  void* votes;
  int bytes;
  i64 components;
  u64 none;
  __device__ void begin(i64) {}
  __device__ void add(i64 i, i64, u32 label) {
    if (label == ONNXCERT_NO_VOTE) {
      ++none;
    } else {
      const i64 at = label * components + i;
      store(votes, bytes, at, load(votes, bytes, at) + 1);
    }
  }
  __device__ void end(i64) {}
};

// hits[component] += 1 where the vote is the candidate; missed[draw] = 1 where any is not.
struct Match {
  const void* candidate;
  int candidate_bytes;
  void* hits;
  int bytes;
  unsigned char* missed;
  u32 wanted, found;
  u64 none;
  __device__ void begin(i64 i) { wanted = load(candidate, candidate_bytes, i), found = 0; }
  __device__ void add(i64, i64 b, u32 label) {
    if (label == wanted && label != ONNXCERT_NO_VOTE) {
      ++found;
    } else {
      // All threads write the same value; reading first avoids most of the writes.
      if (!missed[b]) missed[b] = 1;
      if (label == ONNXCERT_NO_VOTE) ++none;
    }
  }
  __device__ void end(i64 i) { store(hits, bytes, i, load(hits, bytes, i) + found); }
};

// labels[draw, component]; the largest value of the type if invalid
struct Labels {
  void* labels;
  int bytes;
  i64 components;
  __device__ void begin(i64) {}
  __device__ void add(i64 i, i64 b, u32 label) { store(labels, bytes, b * components + i, label); }
  __device__ void end(i64) {}
};

// Invalid predictions are rare, so one atomic addition per thread that met one costs nothing.
__device__ inline void add_invalid(u64* invalid, u64 none) {
  if (none) atomicAdd(invalid, none);
}

#define ONNXCERT_SCORES                                                                          \
  i64 draws, i64 classes, i64 height, i64 width, i64 draw_step, i64 class_step, i64 row_step,    \
      i64 column_step, i64 rows, i64 columns, int above, float threshold
#define ONNXCERT_PACKED                                                                          \
  {draws, classes, height, width, draw_step, class_step, row_step, column_step, rows, columns,   \
   above, threshold}

#define ONNXCERT_VOTES(Score, Cell, suffix)                                                      \
  extern "C" __global__ void select_##suffix(const Score* scores, ONNXCERT_SCORES, void* votes,  \
                                             int bytes, u64* invalid) {                          \
    const Scores s = ONNXCERT_PACKED;                                                            \
    Select count = {votes, bytes, rows * columns, 0};                                            \
    count_votes<Score, Cell>(scores, s, count);                                                  \
    add_invalid(invalid, count.none);                                                            \
  }                                                                                              \
  extern "C" __global__ void match_##suffix(const Score* scores, ONNXCERT_SCORES,                \
                                            const void* candidate, int candidate_bytes,          \
                                            void* hits, int bytes, unsigned char* missed,        \
                                            u64* invalid) {                                      \
    const Scores s = ONNXCERT_PACKED;                                                            \
    Match count = {candidate, candidate_bytes, hits, bytes, missed, 0, 0, 0};                    \
    count_votes<Score, Cell>(scores, s, count);                                                  \
    add_invalid(invalid, count.none);                                                            \
  }                                                                                              \
  extern "C" __global__ void labels_##suffix(const Score* scores, ONNXCERT_SCORES, void* labels, \
                                             int bytes) {                                        \
    const Scores s = ONNXCERT_PACKED;                                                            \
    Labels count = {labels, bytes, rows * columns};                                              \
    count_votes<Score, Cell>(scores, s, count);                                                  \
  }

ONNXCERT_VOTES(float, Direct, float32)
ONNXCERT_VOTES(float, Interpolated, interpolated_float32)
ONNXCERT_VOTES(unsigned short, Direct, float16)
ONNXCERT_VOTES(unsigned short, Interpolated, interpolated_float16)
