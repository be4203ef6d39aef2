/* The 1x1x1 convolution over (positions, channels) in float32: outputs, with what follows them in evaluation, and both
 * gradients. General libraries of matrix products are made for large matrices; these are long and narrow.
 *
 * Work is dealt out in pieces whose number follows from the shape alone, and each sum is taken in one order: the result
 * is the same to the bit for any number of threads. */

#include "product.h"

#include "activations.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* Not in GCC before 12. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES
#endif
#endif
#define INLINE inline __attribute__((always_inline))
#define MOST_ROWS 12
/* Rows of a tile by its vectors: as many sums as there are registers for, next to the vectors and a factor. */
#if defined(__AVX512F__)
#define MOST_VECTORS 4
#define ROWS_1 12
#define ROWS_2 12
#define ROWS_3 8
#define ROWS_4 6
#else
#define MOST_VECTORS 3
#define ROWS_1 12
#define ROWS_2 6
#define ROWS_3 4
#define ROWS_4 0
#endif
/* Positions that are summed up in float32 before they enter another sum: both matrices' stay in the cache. */
#define SHORT 128

/* What is yet to be done to x as it is read: act(x scale + shift), (clips, entering) each. */
typedef struct {
    const float *scale, *shift;
    long positions; /* of a clip */
    int act;
    float *scratch; /* threads 2 BLOCK entering */
} Before;

typedef void forward_panel(const Product *, const float *, const float *, const float *, const float *, float *, long,
                           long);
typedef void image_panel(const Product *, const float *, long, const float *, float *, long, long);
typedef void weight_panel(long, const float *, long, const float *, long, float *, long);

#define V 8
#include "pointwise.h"
#undef V
#if defined(__AVX512F__)
#define V 16
#include "pointwise.h"
#undef V
#define LANES(channels) ((channels) < 16 ? 8 : 16)
#define FORWARD(lanes) ((lanes) == 16 ? forward_panels16 : forward_panels8)
#define IMAGES(lanes) ((lanes) == 16 ? image_panels16 : image_panels8)
#define WEIGHT(lanes) ((lanes) == 16 ? weight_panels16 : weight_panels8)
#else
#define LANES(channels) 8
#define FORWARD(lanes) forward_panels8
#define IMAGES(lanes) image_panels8
#define WEIGHT(lanes) weight_panels8
#endif

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

static const int rows_of[] = {ROWS_1, ROWS_2, ROWS_3, ROWS_4};

typedef struct {
    int vectors, half, first, last; /* channels at which its first and its last vector begin */
} Panel;

Cut cut(int channels) {
    const int lanes = LANES(channels);
    const int rest = channels % lanes, vectors = channels / lanes + (rest > 0);
    return (Cut){lanes, vectors, rest > 0 && rest <= lanes / 2, (vectors + MOST_VECTORS - 1) / MOST_VECTORS, channels};
}

static Panel panel_of(const Cut *c, int number) {
    const int from = c->vectors * number / c->panels, to = c->vectors * (number + 1) / c->panels;
    Panel found = {to - from, 0, from * c->lanes, (to - 1) * c->lanes};
    if (to == c->vectors) {
        found.half = c->half;
        found.last = c->channels - (c->half ? c->lanes / 2 : c->lanes);
        if (found.vectors == 1) found.first = found.last;
    }
    return found;
}

/* The channel at which a panel's vector begins. */
static int at_of(const Cut *c, const Panel *p, int number) {
    return number == p->vectors - 1 ? p->last : p->first + number * c->lanes;
}

static int width_of(const Cut *c, const Panel *p, int number) {
    return number == p->vectors - 1 && p->half ? c->lanes / 2 : c->lanes;
}

/* to[k][n] = from[n][k] scale[n] of a square of four. */
static INLINE void transpose(const float *from, long pitch_from, quad scale, float *to, long pitch_to) {
    const quad a = *(const quad *)from, b = *(const quad *)(from + pitch_from);
    const quad c = *(const quad *)(from + 2 * pitch_from), d = *(const quad *)(from + 3 * pitch_from);
#if defined(SHUFFLES)
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(quad *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5) * scale;
    *(quad *)(to + pitch_to) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7) * scale;
    *(quad *)(to + 2 * pitch_to) = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5) * scale;
    *(quad *)(to + 3 * pitch_to) = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7) * scale;
#else
    for (int k = 0; k < 4; k++) *(quad *)(to + k * pitch_to) = (quad){a[k], b[k], c[k], d[k]} * scale;
#endif
}

/* to[k][n] = from[n][k] scale[n] for `width` n, a multiple of four, and `depth` k; scale may be null. */
static void pack_transposed(const float *from, int depth, const float *scale, int width, float *to, long pitch) {
    /* A square at a time, of which a cache line is read and written but once. */
    for (int first = 0; first < depth; first += 16) {
        const int end = first + 16 < depth ? first + 16 : depth;
        for (int n = 0; n < width; n += 4) {
            const quad by = scale ? *(const quad *)(scale + n) : (quad){1, 1, 1, 1};
            const float *rows = from + (long)n * depth;
            int k = first;
            for (; k + 4 <= end; k += 4) transpose(rows + k, depth, by, to + k * pitch + n, pitch);
            for (; k < end; k++)
                for (int i = 0; i < 4; i++) to[k * pitch + n + i] = rows[(long)i * depth + k] * by[i];
        }
    }
}

void pack_panels(const Cut *c, const float *w, int depth, int transposed, const float *scale, float *to) {
    for (int number = 0; number < c->panels; number++) {
        const Panel p = panel_of(c, number);
        const long pitch = (long)p.vectors * c->lanes;
        for (int i = 0; i < p.vectors; i++) {
            const int first = at_of(c, &p, i), width = width_of(c, &p, i);
            float *own = to + i * c->lanes;
            if (transposed)
                pack_transposed(w + (long)first * depth, depth, scale ? scale + first : 0, width, own, pitch);
            else
                for (int k = 0; k < depth; k++)
                    memcpy(own + k * pitch, w + (long)k * c->channels + first, width * sizeof(float));
        }
        to += depth * pitch;
    }
}

/* Of a thread: what `before` says of the clip at hand, as often as there are positions in a row. */
typedef struct {
    long clip;
    int together;
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
} Held;

static void hold(Held *h, const Before *b, long clip, int channels) {
    memcpy(h->scale, b->scale + clip * channels, channels * sizeof(float));
    memcpy(h->shift, b->shift + clip * channels, channels * sizeof(float));
    repeat(h->scale, channels, h->together);
    repeat(h->shift, channels, h->together);
    h->clip = clip;
}

/* Into the cache. Where rows are longer than this the processor does not foresee it: a tile is of several rows at once. */
#define LONG_ROW 64
static INLINE void fetch(const float *from, long floats, const float *end) {
    for (long at = 0; at < floats && from + at < end; at += 16) __builtin_prefetch(from + at, 0, 2);
}

/* `rows` rows of x from `first` on, done to as `b` says. */
static const float *prepared(const Product *s, const Before *b, Held *h, const float *x, long first, long rows) {
    const int K = s->entering;
    float *const found = b->scratch + (long)omp_get_thread_num() * 2 * BLOCK * K;
    for (long r = 0; r < rows;) {
        const long clip = (first + r) / b->positions, left = (clip + 1) * b->positions - first;
        const long end = left < rows ? left : rows;
        if (clip != h->clip) hold(h, b, clip, K);
        for (; r < end; r += h->together) {
            const int count = (int)(end - r < h->together ? end - r : h->together) * K;
            const float *restrict row = x + (first + r) * K;
            float *restrict to = found + r * K;
            fetch(row + BLOCK * K, count, x + s->positions * K);
            FOR_EACH(b->act, count, row[c] * h->scale[c] + h->shift[c], to)
        }
        r = end;
    }
    return found;
}

static void block_of_rows(const Product *s, const Cut *c, const float *x, const float *panels, const float *shift,
                          const float *residual, float *out, long rows) {
    for (int number = 0; number < c->panels; number++) {
        const Panel p = panel_of(c, number);
        forward_panel *const run = FORWARD(c->lanes)[p.vectors - 1][p.half];
        run(s, x, panels, shift ? shift + p.first : 0, residual ? residual + p.first : 0, out + p.first,
            p.last - p.first, rows);
        panels += (long)s->entering * p.vectors * c->lanes;
    }
}

void product_of_rows(const Product *s, const Cut *c, const float *x, const float *panels, const float *shift,
                     const float *residual, float *out, long rows) {
    for (long first = 0; first < rows; first += BLOCK) {
        const long count = rows - first < BLOCK ? rows - first : BLOCK;
        const float *more = residual ? residual + first * s->leaving : 0;
        block_of_rows(s, c, x + first * s->entering, panels, shift, more, out + first * s->leaving, count);
    }
}

/* before, shift and residual may be null. */
static void multiply(const Product *s, const Cut *c, const float *x, const float *panels, const Before *before,
                     const float *shift, const float *residual, float *out) {
    const long blocks = s->positions < 2 * BLOCK ? 1 : s->positions / BLOCK, K = s->entering, N = s->leaving;
#pragma omp parallel num_threads(s->threads)
    {
        Held held = {.clip = -1, .together = rows_in_one(s->entering)};
#pragma omp for schedule(static)
        for (long block = 0; block < blocks; block++) {
            const long first = block * BLOCK, rows = block == blocks - 1 ? s->positions - first : BLOCK;
            if (!before && K >= LONG_ROW) fetch(x + (first + BLOCK) * K, BLOCK * K, x + s->positions * K);
            if (residual && N >= LONG_ROW)
                fetch(residual + (first + BLOCK) * N, BLOCK * N, residual + s->positions * N);
            const float *from = before ? prepared(s, before, &held, x, first, rows) : x + first * K;
            block_of_rows(s, c, from, panels, shift, residual ? residual + first * N : 0, out + first * N, rows);
        }
    }
}

/* out (positions, leaving) = x (positions, entering) weight (leaving, entering)^T.
 * scratch: entering (leaving + 16) floats. */
void pointwise_forward(const Product *s, const float *x, const float *weight, float *out, float *scratch) {
    const Cut c = cut(s->leaving);
    pack_panels(&c, weight, s->entering, 1, 0, scratch);
    multiply(s, &c, x, scratch, 0, 0, 0, out);
}

/* As pointwise_forward, then BN by the running statistics, plus the residual, which may be null, and act. before_scale and
 * before_shift (clips, entering), which may be null: act(x scale + shift) of x first, a clip being of `positions`.
 * scratch: entering (leaving + 16) floats, then 2 BLOCK entering for each thread where there is something to do first. */
void pointwise_running(const Product *s, const float *x, const float *weight, const float *mean, const float *variance,
                       const float *gain, const float *bias, const float *residual, float *out,
                       const float *before_scale, const float *before_shift, float *scratch, double eps,
                       int before_act, long positions) {
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    for (int n = 0; n < s->leaving; n++) {
        scale[n] = gain[n] / sqrtf(variance[n] + (float)eps);
        shift[n] = bias[n] - mean[n] * scale[n];
    }
    const Cut c = cut(s->leaving);
    const Before before = {before_scale, before_shift, positions, before_act,
                           scratch + (long)s->entering * (s->leaving + 16)};
    pack_panels(&c, weight, s->entering, 1, scale, scratch);
    multiply(s, &c, x, scratch, before_scale ? &before : 0, shift, residual, out);
}

/* Every other position of every other row: x (images, height, width, channels) -> out (images, height', width', channels). */
void pointwise_thin(const Image *s, const float *x, float *out) {
    const int out_height = (s->height + 1) / 2, out_width = (s->width + 1) / 2, C = s->leaving;
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (long row = 0; row < (long)s->clips * s->frames * out_height; row++) {
        const long from_row = row / out_height * s->height + row % out_height * 2;
        for (int at = 0; at < out_width; at++)
            memcpy(out + (row * out_width + at) * C, x + (from_row * s->width + 2 * at) * C, C * sizeof(float));
    }
}

/* One row of an image, with a zero before it and one after it. */
static void framed(const float *from, long step, int width, float *to) {
    to[0] = to[width + 1] = 0;
    if (step == 1)
        memcpy(to + 1, from, width * sizeof(float));
    else
        for (int i = 0; i < width; i++) to[1 + i] = from[i * step];
}

void image_row(const Image *s, const Cut *c, const float *x, const float *panels, float *framed_rows, float *out, int row) {
    const int out_width = (s->width + 1) / 2;
    const Product product = {out_width, IMAGE_DEPTH, s->leaving, NOTHING, 1};
    const long pitch = s->width + 2;
    for (int channel = 0; channel < 3; channel++)
        for (int dh = 0; dh < 3; dh++) {
            const long h = 2L * row + dh - 1;
            float *one = framed_rows + (channel * 3 + dh) * pitch;
            if (h < 0 || h >= s->height)
                memset(one, 0, pitch * sizeof(float));
            else
                framed(x + channel * s->of_channel + h * s->of_row, s->of_column, s->width, one);
        }
    for (int number = 0; number < c->panels; number++) {
        const Panel p = panel_of(c, number);
        IMAGES(c->lanes)[p.vectors - 1][p.half](&product, framed_rows, pitch, panels, out + p.first, p.last - p.first, out_width);
        panels += (long)IMAGE_DEPTH * p.vectors * c->lanes;
    }
}

/* Of x, which here leaves: out (positions, leaving) = gradient (positions, entering) weight (entering, leaving). */
void pointwise_input(const Product *s, const float *gradient, const float *weight, float *out, float *scratch) {
    const Cut c = cut(s->leaving);
    pack_panels(&c, weight, s->entering, 0, 0, scratch);
    multiply(s, &c, gradient, scratch, 0, 0, 0, out);
}

/* Floats that the sums of a piece's first `panels` panels take with `rows` factors. */
static long room(const Cut *c, int panels, int rows) {
    long found = 0;
    for (int number = 0; number < panels; number++) {
        const Panel p = panel_of(c, number);
        const int tile = rows_of[p.vectors - 1];
        found += (long)(rows + tile - 1) / tile * tile * p.vectors * c->lanes;
    }
    return found;
}

/* Of weight: out (leaving, entering) = gradient (positions, leaving)^T x (positions, entering).
 * scratch: pieces (fewer channels + 12) (more channels + 16) floats. */
void pointwise_weight(const Product *s, const float *x, const float *gradient, float *out, float *scratch, int pieces) {
    /* Vectors of what enters where no lanes are lost, as the result is then in order; else of that with more channels. */
    const int wide = s->entering >= s->leaving || s->entering % 16 == 0;
    const int K = wide ? s->leaving : s->entering, N = wide ? s->entering : s->leaving;
    const float *factors = wide ? gradient : x, *vectors = wide ? x : gradient;
    const Cut c = cut(N);
    const long size = room(&c, c.panels, K);
#pragma omp parallel for num_threads(s->threads) schedule(static)
    for (int task = 0; task < pieces * c.panels; task++) {
        const int piece = task / c.panels, number = task % c.panels;
        const long from = s->positions * piece / pieces, to = s->positions * (piece + 1) / pieces;
        const Panel p = panel_of(&c, number);
        const long start = room(&c, number, K), end = room(&c, number + 1, K);
        float *sums = scratch + piece * size + start;
        memset(sums, 0, (end - start) * sizeof(float));
        for (long first = from; first < to; first += SHORT)
            WEIGHT(c.lanes)[p.vectors - 1][p.half](to - first < SHORT ? to - first : SHORT, factors + first * K, K,
                                                   vectors + first * N + p.first, N, sums, p.last - p.first);
    }
    if (pieces > 1) {
#pragma omp parallel for num_threads(s->threads) schedule(static)
        for (long first = 0; first < size; first += SHORT) {
            const int count = size - first < SHORT ? (int)(size - first) : SHORT;
            double sum[SHORT] = {0};
            for (int piece = 0; piece < pieces; piece++) {
                const float *own = scratch + piece * size + first;
                for (int i = 0; i < count; i++) sum[i] += own[i];
            }
            for (int i = 0; i < count; i++) scratch[first + i] = (float)sum[i];
        }
    }
    for (int number = 0; number < c.panels; number++) {
        const Panel p = panel_of(&c, number);
        const int tile = rows_of[p.vectors - 1];
        const float *sums = scratch + room(&c, number, K);
        for (int k = 0; k < K; k++) {
            /* Its row among the tiles', of which the last one ends with the rows. */
            const int whole = K / tile * tile;
            const long row = K >= tile && k >= whole ? k - K + whole + tile : k;
            for (int i = 0; i < p.vectors; i++) {
                const float *own = sums + (row * p.vectors + i) * c.lanes;
                const int at = at_of(&c, &p, i), width = width_of(&c, &p, i);
                if (wide)
                    memcpy(out + (long)k * N + at, own, width * sizeof(float));
                else
                    for (int n = 0; n < width; n++) out[(long)(at + n) * K + k] = own[n];
            }
        }
    }
}
