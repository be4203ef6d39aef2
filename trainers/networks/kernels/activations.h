/* What may follow a layer, z -> act(z), as code that the compiler turns into vectors. */

#include <stdint.h>

/* Of calls.py too. */
#define MOST_CHANNELS 4096

enum { NOTHING, RELU, SWISH };

/* e^-x, off by 2e-7 of it, and by 1e-7 more for each 2 of |x|; for |x| over 86 that of 86. Vectorises. Of no number it is
 * some number. */
static inline float decay(float x) {
    union { float f; int32_t i; } t = {.f = x * -1.44269504f}, most = {.f = 125.0f};
    /* By its bits: of floats GCC makes branches here, and then two divisions where one follows. */
    const int32_t size = t.i & INT32_MAX;
    t.i = (t.i & INT32_MIN) | (size < most.i ? size : most.i);
    /* The nearest integer, which is then in the lowest bits too. */
    const union { float f; uint32_t i; } whole = {.f = t.f + 12582912.0f};
    const float r = t.f - (whole.f - 12582912.0f);
    float p = 1.3276471979e-3f;
    p = p * r + 9.6755413342e-3f;
    p = p * r + 5.5507132735e-2f;
    p = p * r + 2.4022119724e-1f;
    p = p * r + 6.9314696706e-1f;
    p = p * r + 1.0000000717f;
    union { float f; uint32_t i; } found = {.f = p};
    found.i += whole.i << 23;
    return found.f;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + decay(x)); }

/* Positions that are taken as one row, so that it is of whole vectors, and of many: what is left over of a row is computed
 * number by number, and a loop has its beginning. */
static inline int rows_in_one(int channels) {
    int rows = 1;
    while (rows * channels % 16 || rows * channels < 256) rows *= 2;
    return rows * channels <= MOST_CHANNELS ? rows : 1;
}

/* `values` of one position, as often as there are positions in a row. */
static inline void repeat(float *values, int channels, int rows) {
    for (int c = channels; c < rows * channels; c++) values[c] = values[c - channels];
}

/* to[c] = act(z) for each of `count` channels, z being an expression of c. */
#define FOR_EACH(act, count, z, to) \
    if (act == SWISH) \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) { const float found = z; to[c] = found / (1.0f + decay(found)); } \
    else if (act == RELU) /* and what is no number stays so */ \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) { const float found = z; to[c] = found < 0 ? 0 : found; } \
    else \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) to[c] = z;
