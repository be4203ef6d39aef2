/* What may follow a layer, z -> act(z), as code that the compiler turns into vectors. */

#include <stdint.h>

/* Of calls.py too. */
#define MOST_CHANNELS 4096

enum { NOTHING, RELU, SWISH };

/* e^x to 1 ulp or so, for x in [-87, 88]; vectorises. */
static inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float n = __builtin_rintf(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const union { int32_t i; float f; } two = {.i = ((int32_t)n + 127) << 23};
    return p * two.f;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

/* to[c] = act(z) for each of `count` channels, z being an expression of c. */
#define FOR_EACH(act, count, z, to) \
    if (act == SWISH) \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) { const float found = z; to[c] = found * sigmoid(found); } \
    else if (act == RELU) /* and what is no number stays so */ \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) { const float found = z; to[c] = found < 0 ? 0 : found; } \
    else \
        _Pragma("omp simd") for (int c = 0; c < (count); c++) to[c] = z;
