/* Batch normalisation over (clips, positions, channels) in float32, with what follows it: a gate for each channel of
 * each clip, a residual, ReLU or swish. Two passes over memory forwards and two backwards, where operators of their own
 * take twelve.
 *
 *   xhat = (x - center) inverse,  y = gain xhat + bias,  z = gate y + residual,  out = act(z)
 *
 * The statistics are those of a group of clips. Sums are taken over pieces whose number follows from the shape alone, in
 * float32 over SHORT positions and in double over these: the same to the bit for any number of threads. */

#include "norm.h"

#include "activations.h"

#include <math.h>
#include <string.h>

#define PIECE 1024
#define SHORT 128

static int pieces_of(const Norm *s) { return (s->positions + PIECE - 1) / PIECE; }

static void bounds(const Norm *s, int piece, int *from, int *to) {
    const int pieces = pieces_of(s);
    *from = (int)((long)s->positions * piece / pieces);
    *to = (int)((long)s->positions * (piece + 1) / pieces);
}

/* Of one clip: z = (x - middle) scale + shift, for a row of `rows` positions. */
static void coefficients(const Norm *s, int clip, int rows, const float *center, const float *inverse,
                         const float *gain, const float *bias, const float *gate, float *middle, float *scale,
                         float *shift) {
    const long at = (long)clip * s->channels;
    for (int c = 0; c < s->channels; c++) {
        const float by = gate ? gate[at + c] : 1.0f;
        middle[c] = center[at + c];
        scale[c] = inverse[at + c] * gain[c] * by;
        shift[c] = bias[c] * by;
    }
    repeat(middle, s->channels, rows);
    repeat(scale, s->channels, rows);
    repeat(shift, s->channels, rows);
}

/* Numbers of the row of `rows` positions that begins at position p, of those before `last`. */
static inline int count_of(const Norm *s, int rows, int p, int last) {
    return (last - p < rows ? last - p : rows) * s->channels;
}

/* Of each group its mean and unbiased variance (groups, channels); of each clip its own mean, and center and inverse,
 * (clips, channels) each. sizes: clips of each group. scratch: clips pieces 2 channels doubles. */
void norm_moments(const Norm *s, const int *sizes, const float *x, float *group_mean, float *group_variance,
                  float *clip_mean, float *center, float *inverse, double *scratch) {
    const int C = s->channels, pieces = pieces_of(s), rows = rows_in_one(C);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        const float *clip = x + (long)(task / pieces) * s->positions * C;
        double *restrict sum = scratch + (long)task * 2 * C, *restrict square = sum + C;
        /* Around the clip's first position: the variance is then no difference of large numbers. */
        float middle[MOST_CHANNELS], part[MOST_CHANNELS], parts[MOST_CHANNELS];
        int from, to;
        bounds(s, task % pieces, &from, &to);
        memcpy(middle, clip, C * sizeof(float));
        repeat(middle, C, rows);
        memset(sum, 0, 2 * C * sizeof(double));
        for (int first = from; first < to; first += SHORT) {
            const int last = first + SHORT < to ? first + SHORT : to;
            memset(part, 0, rows * C * sizeof(float));
            memset(parts, 0, rows * C * sizeof(float));
            for (int p = first; p < last; p += rows) {
                const float *restrict row = clip + (long)p * C;
                const int count = count_of(s, rows, p, last);
#pragma omp simd
                for (int c = 0; c < count; c++) {
                    const float apart = row[c] - middle[c];
                    part[c] += apart;
                    parts[c] += apart * apart;
                }
            }
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < C; c++) {
                    sum[c] += part[r * C + c];
                    square[c] += parts[r * C + c];
                }
        }
    }
    const double P = s->positions;
    int first = 0;
    for (int group = 0; group < s->groups; group++) {
        const int last = first + sizes[group];
        for (int c = 0; c < C; c++) {
            double mean = 0, within = 0, between = 0;
            for (int clip = first; clip < last; clip++) {
                double sum = 0, square = 0;
                for (int piece = 0; piece < pieces; piece++) {
                    sum += scratch[((long)clip * pieces + piece) * 2 * C + c];
                    square += scratch[((long)clip * pieces + piece) * 2 * C + C + c];
                }
                const double own = x[(long)clip * s->positions * C + c] + sum / P;
                within += square - sum * sum / P;
                /* The clip's mean, in double, for the loop below: its sums are no longer needed. */
                scratch[(long)clip * pieces * 2 * C + c] = own;
                clip_mean[(long)clip * C + c] = (float)own;
                mean += own;
            }
            mean /= sizes[group];
            for (int clip = first; clip < last; clip++) {
                const double apart = scratch[(long)clip * pieces * 2 * C + c] - mean;
                between += apart * apart * P;
            }
            const double elements = P * sizes[group], squares = within + between > 0 ? within + between : 0;
            group_mean[(long)group * C + c] = (float)mean;
            group_variance[(long)group * C + c] = (float)(squares / (elements - 1));
            const float own = (float)(1 / sqrt(squares / elements + s->eps));
            for (int clip = first; clip < last; clip++) {
                center[(long)clip * C + c] = (float)mean;
                inverse[(long)clip * C + c] = own;
            }
        }
        first = last;
    }
}

/* out = act((x - middle) scale + shift + residual) for the positions from .. to - 1 of a clip, a row of `rows` of them
 * at once; out may be x. */
static void apply(const Norm *s, int clip, int rows, int from, int to, const float *x, const float *restrict middle,
                  const float *restrict scale, const float *restrict shift, const float *residual, float *out) {
    for (int p = from; p < to; p += rows) {
        const long at = ((long)clip * s->positions + p) * s->channels;
        const int count = count_of(s, rows, p, to);
        const float *row = x + at, *more = residual + at;
        float *to_row = out + at;
        if (residual) {
            FOR_EACH(s->act, count, (row[c] - middle[c]) * scale[c] + shift[c] + more[c], to_row)
        } else {
            FOR_EACH(s->act, count, (row[c] - middle[c]) * scale[c] + shift[c], to_row)
        }
    }
}

/* By the statistics of groups. gate and residual may be null. */
void norm_apply(const Norm *s, const float *x, const float *center, const float *inverse, const float *gain,
                const float *bias, const float *gate, const float *residual, float *out) {
    const int pieces = pieces_of(s), rows = rows_in_one(s->channels);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        const int clip = task / pieces;
        float middle[MOST_CHANNELS], scale[MOST_CHANNELS], shift[MOST_CHANNELS];
        int from, to;
        bounds(s, task % pieces, &from, &to);
        coefficients(s, clip, rows, center, inverse, gain, bias, gate, middle, scale, shift);
        apply(s, clip, rows, from, to, x, middle, scale, shift, residual, out);
    }
}

/* In place, by the running statistics. residual may be null. */
void norm_running(const Norm *s, float *x, const float *mean, const float *variance, const float *gain,
                  const float *bias, const float *residual) {
    const int C = s->channels, pieces = pieces_of(s), rows = rows_in_one(C);
    float middle[MOST_CHANNELS], scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    for (int c = 0; c < C; c++) {
        middle[c] = mean[c];
        scale[c] = gain[c] / sqrtf(variance[c] + (float)s->eps);
        shift[c] = bias[c];
    }
    repeat(middle, C, rows);
    repeat(scale, C, rows);
    repeat(shift, C, rows);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        int from, to;
        bounds(s, task % pieces, &from, &to);
        apply(s, task / pieces, rows, from, to, x, middle, scale, shift, residual, x);
    }
}

/* In place: act(x scale + shift), (clips, channels) each. */
void norm_scaled(const Norm *s, float *x, const float *scale, const float *shift) {
    const int C = s->channels, pieces = pieces_of(s);
    const float nothing[MOST_CHANNELS] = {0};
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        const long at = (long)(task / pieces) * C;
        int from, to;
        bounds(s, task % pieces, &from, &to);
        apply(s, task / pieces, 1, from, to, x, nothing, scale + at, shift + at, 0, x);
    }
}

/* BN by the running statistics and then SE, as one scale and one shift of each clip's channels: (clips, channels) each,
 * from the means of the clips. reduce (narrow, channels), restore (channels, narrow). */
void norm_excite(const Norm *s, const float *clip_mean, const float *mean, const float *variance, const float *gain,
                 const float *bias, const float *reduce, const float *reduce_bias, const float *restore,
                 const float *restore_bias, float *scales, float *shifts, int narrow) {
    const int C = s->channels;
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS], of_mean[MOST_CHANNELS], few[MOST_CHANNELS];
    for (int c = 0; c < C; c++) {
        scale[c] = gain[c] / sqrtf(variance[c] + (float)s->eps);
        shift[c] = bias[c] - mean[c] * scale[c];
    }
    for (int clip = 0; clip < s->clips; clip++) {
        const float *restrict means = clip_mean + (long)clip * C;
        float *restrict to_scale = scales + (long)clip * C, *restrict to_shift = shifts + (long)clip * C;
        for (int c = 0; c < C; c++) of_mean[c] = means[c] * scale[c] + shift[c];
        for (int n = 0; n < narrow; n++) {
            const float *restrict row = reduce + (long)n * C;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int c = 0; c < C; c++) sum += row[c] * of_mean[c];
            sum += reduce_bias[n];
            few[n] = sum < 0 ? 0 : sum; /* what is no number stays so */
        }
        for (int c = 0; c < C; c++) {
            const float *restrict row = restore + (long)c * narrow;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int n = 0; n < narrow; n++) sum += row[n] * few[n];
            to_shift[c] = sum + restore_bias[c];
        }
#pragma omp simd
        for (int c = 0; c < C; c++) {
            const float gate = sigmoid(to_shift[c]);
            to_scale[c] = scale[c] * gate;
            to_shift[c] = shift[c] * gate;
        }
    }
}

/* For every number c of a row: `found` is the gradient of z, from that of out; `then` uses it. Loaded whether it
 * is used or not, else the loop is not turned into vectors. */
#define EACH(found, then) \
    _Pragma("omp simd") for (int c = 0; c < count; c++) { \
        const float g = gradients[c], apart = row[c] - middle[c]; \
        const float dz = found; \
        then \
    }
#define BY_ACT(act, outs, then) \
    if (act == SWISH) \
        EACH(swish_gradient(apart * scale[c] + shift[c], g), then) \
    else if (act == RELU && outs) \
        EACH(outs[c] <= 0 ? 0 : g, then) \
    else if (act == RELU) \
        EACH(apart * scale[c] + shift[c] <= 0 ? 0 : g, then) \
    else \
        EACH(g, then)

static inline float swish_gradient(float z, float gradient) {
    const float gate = sigmoid(z);
    return gradient * gate * (1.0f + z * (1.0f - gate));
}

/* Of each clip the sums over its positions of dz, and of dz xhat: (clips, channels). out: of a RELU after a residual,
 * whose z is not known again; else null. kept: where dz is left, which is the residual's gradient, or null. scratch:
 * clips pieces 2 channels doubles. */
void norm_sums(const Norm *s, const float *gradient, const float *x, const float *out, const float *center,
               const float *inverse, const float *gain, const float *bias, const float *gate, float *kept,
               float *sums, float *products, double *scratch) {
    const int C = s->channels, pieces = pieces_of(s), rows = rows_in_one(C);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        const int clip = task / pieces;
        double *restrict sum = scratch + (long)task * 2 * C, *restrict product = sum + C;
        float middle[MOST_CHANNELS], scale[MOST_CHANNELS], shift[MOST_CHANNELS], part[MOST_CHANNELS],
            parts[MOST_CHANNELS];
        int from, to;
        bounds(s, task % pieces, &from, &to);
        coefficients(s, clip, rows, center, inverse, gain, bias, gate, middle, scale, shift);
        memset(sum, 0, 2 * C * sizeof(double));
        for (int first = from; first < to; first += SHORT) {
            const int last = first + SHORT < to ? first + SHORT : to;
            memset(part, 0, rows * C * sizeof(float));
            memset(parts, 0, rows * C * sizeof(float));
            for (int p = first; p < last; p += rows) {
                const long at = ((long)clip * s->positions + p) * C;
                const int count = count_of(s, rows, p, last);
                const float *row = x + at, *gradients = gradient + at, *outs = out ? out + at : 0;
                if (kept) {
                    float *keep = kept + at;
                    BY_ACT(s->act, outs, part[c] += dz; parts[c] += dz * apart; keep[c] = dz;)
                } else {
                    BY_ACT(s->act, outs, part[c] += dz; parts[c] += dz * apart;)
                }
            }
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < C; c++) {
                    sum[c] += part[r * C + c];
                    product[c] += parts[r * C + c];
                }
        }
    }
    for (int clip = 0; clip < s->clips; clip++)
        for (int c = 0; c < C; c++) {
            double sum = 0, product = 0;
            for (int piece = 0; piece < pieces; piece++) {
                sum += scratch[((long)clip * pieces + piece) * 2 * C + c];
                product += scratch[((long)clip * pieces + piece) * 2 * C + C + c];
            }
            sums[(long)clip * C + c] = (float)sum;
            products[(long)clip * C + c] = (float)(product * inverse[(long)clip * C + c]);
        }
}

/* The gradients of x, gain and bias. gradient: of out, or of z with an act of NOTHING; it may be for_x itself. for_mean: the gradient of each
 * clip's mean of y, beside that of z; null for none. scratch: 2 clips channels floats. */
void norm_input(const Norm *s, const int *sizes, const float *gradient, const float *x, const float *clip_mean,
                const float *center, const float *inverse, const float *gain, const float *bias, const float *gate,
                const float *sums, const float *products, const float *for_mean, float *for_x, float *for_gain,
                float *for_bias, float *scratch) {
    const int C = s->channels, pieces = pieces_of(s), rows = rows_in_one(C);
    const double P = s->positions;
    float *constant = scratch, *linear = scratch + (long)s->clips * C;
    for (int c = 0; c < C; c++) {
        double of_gain = 0, of_bias = 0;
        int first = 0;
        for (int group = 0; group < s->groups; group++) {
            const int last = first + sizes[group];
            double sum = 0, product = 0;
            for (int clip = first; clip < last; clip++) {
                const long at = (long)clip * C + c;
                const double by = gate ? gate[at] : 1, mean = for_mean ? for_mean[at] : 0;
                sum += by * sums[at] + mean;
                product += by * products[at] + mean * ((double)clip_mean[at] - center[at]) * inverse[at];
            }
            of_bias += sum;
            of_gain += product;
            const double elements = P * sizes[group];
            for (int clip = first; clip < last; clip++) {
                const long at = (long)clip * C + c;
                const double scale = (double)gain[c] * inverse[at], mean = for_mean ? for_mean[at] : 0;
                constant[at] = (float)(scale * (mean / P - sum / elements));
                linear[at] = (float)(-scale * inverse[at] * product / elements);
            }
            first = last;
        }
        for_gain[c] = (float)of_gain;
        for_bias[c] = (float)of_bias;
    }
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < s->clips * pieces; task++) {
        const int clip = task / pieces;
        float middle[MOST_CHANNELS], scale[MOST_CHANNELS], shift[MOST_CHANNELS], plus[MOST_CHANNELS],
            by[MOST_CHANNELS];
        int from, to;
        bounds(s, task % pieces, &from, &to);
        coefficients(s, clip, rows, center, inverse, gain, bias, gate, middle, scale, shift);
        memcpy(plus, constant + (long)clip * C, C * sizeof(float));
        memcpy(by, linear + (long)clip * C, C * sizeof(float));
        repeat(plus, C, rows);
        repeat(by, C, rows);
        for (int p = from; p < to; p += rows) {
            const long at = ((long)clip * s->positions + p) * C;
            const int count = count_of(s, rows, p, to);
            const float *row = x + at, *gradients = gradient + at, *outs = 0;
            float *to_row = for_x + at;
            BY_ACT(s->act, outs, to_row[c] = dz * scale[c] + apart * by[c] + plus[c];)
        }
    }
}
