/* The channel-wise convolution over (clips, frames, height, width, channels) in float32: outputs, and the gradients of
 * its input and of its weight. One pass over memory each, where the general kernels unfold or take a slow way.
 *
 * Work is dealt out in pieces whose number follows from the shape alone, and sums are added up in their order: the
 * result is the same to the bit for any number of threads. */

#include "activations.h"

#include <math.h>

#define INLINE inline __attribute__((always_inline))
#define TILE 8
/* Positions that are summed up in float32 before they enter a sum in double. */
#define ROWS_POSITIONS 256

typedef struct {
    int clips, frames, height, width, out_height, out_width, channels, kt, kh, kw, stride;
} Shape;

#define V 16
#include "channelwise.h"
#undef V
#define V 8
#include "channelwise.h"
#undef V

/* Blocks of 16 channels and of 8; the last one may overlap the one before it, and writes the same there. */
static int blocks(int channels) { return channels / 16 + (channels % 16 > 0) + (channels < 16 && channels > 8); }

static int block(int channels, int number, int *first) {
    const int whole = channels / 16, rest = channels % 16;
    if (number < whole) {
        *first = 16 * number;
        return 16;
    }
    if (whole == 0) {
        *first = number == 0 ? 0 : channels - 8;
        return 8;
    }
    const int width = rest > 8 ? 16 : 8;
    *first = channels - width;
    return width;
}

/* weight (channels, kt, kh, kw) -> [kt][kh][kw][channels], or each axis reversed. */
static void pack(const float *weight, float *taps, int channels, int count, int reversed) {
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++) taps[(long)i * channels + c] = weight[(long)c * count + (reversed ? count - 1 - i : i)];
}

typedef void Row(const Shape *, const float *, const float *, float *, int, int);

/* What follows an output: act(out scale + shift). */
typedef struct {
    const float *scale, *shift;
    int act;
} Finish;

static void finish_row(const Finish *f, float *row, int width, int channels) {
    const float *restrict scale = f->scale, *restrict shift = f->shift;
    for (int at = 0; at < width; at++, row += channels) FOR_EACH(f->act, channels, row[c] * scale[c] + shift[c], row)
}

static void over_rows(const Shape *s, const float *from, long from_clip, const float *taps, float *to, int rows,
                      int to_width, Row *row16, Row *row8, const Finish *finish, int threads) {
    const long all = (long)s->clips * s->frames * rows, to_row = (long)to_width * s->channels;
    const int parts = blocks(s->channels);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long at = 0; at < all; at++) {
        const int row = (int)(at % rows);
        const long image = at / rows;
        const float *x = from + image / s->frames * from_clip;
        for (int number = 0; number < parts; number++) {
            int first;
            Row *const run = block(s->channels, number, &first) == 16 ? row16 : row8;
            run(s, x + first, taps + first, to + at * to_row + first, (int)(image % s->frames), row);
        }
        /* While the row is in the cache. */
        if (finish) finish_row(finish, to + at * to_row, to_width, s->channels);
    }
}

static void forward(const Shape *s, const float *x, const float *weight, float *out, float *taps, int reversed,
                    const Finish *finish, int threads) {
    pack(weight, taps, s->channels, s->kt * s->kh * s->kw, reversed);
    over_rows(s, x, (long)s->frames * s->height * s->width * s->channels, taps, out, s->out_height, s->out_width,
              forward_row16, forward_row8, finish, threads);
}

/* scratch: kt kh kw channels floats. reversed: with the weight's axes reversed, which at stride 1 turns the output's
 * gradient into the input's. */
void channelwise_forward(const Shape *s, const float *x, const float *weight, float *out, float *scratch, int reversed,
                         int threads) {
    forward(s, x, weight, out, scratch, reversed, 0, threads);
}

/* As channelwise_forward, with BN by the running statistics and act. */
void channelwise_running(const Shape *s, const float *x, const float *weight, float *out, float *scratch,
                         const float *mean, const float *variance, const float *gain, const float *bias, double eps,
                         int act, int threads) {
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    for (int c = 0; c < s->channels; c++) {
        scale[c] = gain[c] / sqrtf(variance[c] + (float)eps);
        shift[c] = bias[c] - mean[c] * scale[c];
    }
    const Finish finish = {scale, shift, act};
    forward(s, x, weight, out, scratch, 0, &finish, threads);
}

/* The input's gradient at stride 2 with kernels of kt x 3 x 3. */
void channelwise_input(const Shape *s, const float *gradient, const float *weight, float *out, float *scratch,
                       int threads) {
    pack(weight, scratch, s->channels, s->kt * s->kh * s->kw, 0);
    over_rows(s, gradient, (long)s->frames * s->out_height * s->out_width * s->channels, scratch, out, s->height,
              s->width, input_row16, input_row8, 0, threads);
}

/* out (channels, kt, kh, kw). scratch: pieces blocks(channels) kt kh kw 16 doubles. */
void channelwise_weight(const Shape *s, const float *x, const float *gradient, float *out, double *scratch, int pieces,
                        int threads) {
    const int parts = blocks(s->channels), count = s->kt * s->kh * s->kw;
    const long frames = (long)s->clips * s->frames;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long at = 0; at < (long)pieces * parts; at++) {
        const long piece = at / parts;
        const long from = frames * piece / pieces, to = frames * (piece + 1) / pieces;
        int first;
        double *const own = scratch + at * count * 16;
        if (block(s->channels, (int)(at % parts), &first) == 16)
            weight_frames16(s, x + first, gradient + first, own, from, to);
        else
            weight_frames8(s, x + first, gradient + first, own, from, to);
    }
    for (int number = 0; number < parts; number++) {
        int first;
        const int width = block(s->channels, number, &first);
        for (int c = 0; c < width; c++)
            for (int i = 0; i < count; i++) {
                double sum = 0;
                for (int piece = 0; piece < pieces; piece++)
                    sum += scratch[((long)piece * parts + number) * count * 16 + i * width + c];
                out[(long)(first + c) * count + i] = (float)sum;
            }
    }
}
