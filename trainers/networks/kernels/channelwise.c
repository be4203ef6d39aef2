/* The channel-wise convolution over (clips, frames, height, width, channels) in float32: outputs, and the gradients of
 * its input and of its weight. One pass over memory each, where the general kernels unfold or take a slow way.
 *
 * Work is dealt out in pieces whose number follows from the shape alone, and sums are added up in their order: the
 * result is the same to the bit for any number of threads. */

#include "norm.h"
#include "product.h"

#include "activations.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define INLINE inline __attribute__((always_inline))
#define TILE 8
/* Rows of a tile at stride 1. */
#define PAIRS 2
/* Bytes of inputs that stay in a core's own cache, with room for what else there is. */
#define CACHED (384L << 10)
#define HELD (640L << 10)
/* Frames that a convolution reads for one of the output, at most. */
#define MOST_TAPS 31
/* Positions that are summed up in float32 before they enter a sum in double. */
#define ROWS_POSITIONS 256

typedef struct {
    int clips, frames, height, width, out_height, out_width, channels, kt, kh, kw, stride;
} Shape;

/* Of blocks of 16 and of 8 channels that do not overlap: room for sums of as many channels. */
static INLINE int padded(int channels) {
    const int rest = channels % 16;
    return channels - rest + (rest == 0 ? 0 : rest > 8 ? 16 : 8);
}

/* Of an input the frames that one of the output is computed from, one for each tap; null where there is none. They begin
 * with row `above`. */
typedef struct {
    const float *of[MOST_TAPS];
    int above;
} Frames;

#define V 16
#include "channelwise.h"
#undef V
#define V 8
#include "channelwise.h"
#undef V

typedef void Tiles(const Shape *, const Frames *, int, const float *, float *, long, int, int, int, int, int);
typedef void WeightTiles(const Shape *, const float *, const float *, float *, int, int, int, int, int);

/* How channels are cut: `wide` blocks of 16 from the first on, then `rests` of 16 or of 8, of which the last ends with the
 * channels: it may overlap the one before it, and writes the same there. */
typedef struct {
    int wide, rests, first[2], lanes[2];
} Plan;

static Plan plan(int channels) {
    Plan found = {channels / 16, 0, {0, 0}, {8, 8}};
    const int rest = channels % 16;
    if (found.wide == 0) {
        found.rests = channels > 8 ? 2 : 1;
        found.first[1] = channels - 8;
    } else if (rest) {
        found.rests = 1;
        found.lanes[0] = rest > 8 ? 16 : 8;
        found.first[0] = channels - found.lanes[0];
    }
    return found;
}

/* What computes tiles of 16 and of 8 channels, of up to so many rows at once. */
typedef struct {
    Tiles *by16, *by8;
    int rows;
} Way;

/* A tile of all channels, `rows` rows high. */
static INLINE void over_tile(const Shape *s, const Plan *by, const Way *way, const Frames *x, const float *taps,
                             float *out, long to_row, int row, int rows, int tile, int width) {
    if (by->wide) way->by16(s, x, 0, taps, out, to_row, row, rows, tile, width, by->wide);
    for (int i = 0; i < by->rests; i++) {
        const int c = by->first[i];
        (by->lanes[i] == 16 ? way->by16 : way->by8)(s, x, c, taps + c, out + c, to_row, row, rows, tile, width, 1);
    }
}

/* Rows first .. last - 1. positions: of a row that are computed, `step` floats of the result apart; a row is `to_row`
 * floats. ahead: what is read soon, `floats` of it. */
static INLINE void over_strip(const Shape *s, const Plan *by, const Way *way, int positions, const Frames *x,
                              const float *taps, float *out, long step, long to_row, int first, int last,
                              const float *ahead, long floats) {
    const int tiles = (positions + TILE - 1) / TILE, all = tiles * (last - first);
    /* From one tile to the one below, which reads the same rows while they are in the cache, if it does. */
    const int height = way->rows > 1 ? last - first : 1;
    int done = 0;
    for (int top = first; top < last; top += height)
        for (int n = 0; n < tiles; n++) {
            const int tile = (int)((long)positions * n / tiles), width = (int)((long)positions * (n + 1) / tiles) - tile;
            for (int row = top, rows; row < top + height; row += rows, done += rows) {
                rows = row + way->rows <= top + height ? way->rows : 1;
                for (long at = floats * done / all; at < floats * (done + rows) / all; at += 16)
                    __builtin_prefetch(ahead + at, 0, 2);
                float *to = out + (row - first) * to_row + tile * step;
                for (int r = rows; r < 2 * rows && row + r < top + height; r++)
                    for (long at = 0; at < width * step; at += 16) __builtin_prefetch(to + r * to_row + at, 1, 3);
                over_tile(s, by, way, x, taps, to, to_row, row, rows, tile, width);
            }
        }
}

/* weight (channels, kt, kh, kw) -> [kt][kh][kw][channels], or each axis reversed. */
static void pack(const float *weight, float *taps, int channels, int count, int reversed) {
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++) taps[(long)i * channels + c] = weight[(long)c * count + (reversed ? count - 1 - i : i)];
}

/* What is done to a row of the result while it is in the cache: act(out scale + shift), each for `together` positions, or,
 * where there are `sums`, these are the row's, for each channel (clips, frames, rows, channels). */
typedef struct {
    const float *scale, *shift;
    int act, together;
    float *sums;
} Finish;

static void finish_rows(const Finish *f, float *row, int width, int channels, long number, int rows) {
    if (f->sums) {
        for (; rows > 0; rows--, number++) {
            float *restrict sums = f->sums + number * channels;
            memset(sums, 0, channels * sizeof(float));
            for (int at = 0; at < width; at++, row += channels)
                for (int c = 0; c < channels; c++) sums[c] += row[c];
        }
        return;
    }
    const float *restrict scale = f->scale, *restrict shift = f->shift;
    const int all = rows * width;
    for (int at = 0; at < all; at += f->together, row += f->together * channels) {
        const int count = (all - at < f->together ? all - at : f->together) * channels;
        FOR_EACH(f->act, count, row[c] * scale[c] + shift[c], row)
    }
}

/* Rows that are taken through all frames together, so that the frames that an output needs are in the cache. */
static int rows_together(const Shape *s, int rows, int threads) {
    const long row = 4L * s->channels * (s->width > s->out_width ? s->width : s->out_width) * s->stride;
    long most = CACHED / (row * s->kt) - s->kh / 2 * 2;
    const long shared = (long)rows * s->clips / (4 * threads);
    if (most > shared) most = shared;
    return most < 1 ? 1 : most > rows ? rows : (int)most;
}

/* The frames that output `frame` is computed from, of those that begin at `x`, `image` floats apart, or, where a ring of
 * them is held, at frame % held. */
static INLINE Frames frames_of(const Shape *s, const float *x, long image, int frame, int held, int above) {
    Frames found = {.above = above};
    for (int dt = 0; dt < s->kt; dt++) {
        const int t = frame + dt - s->kt / 2;
        found.of[dt] = t < 0 || t >= s->frames ? 0 : x + (held ? t % held : t) * image;
    }
    return found;
}

/* positions: of a row that are computed, `step` floats of the result apart. image: floats of a frame of x. */
static void over_rows(const Shape *s, const Way *way, const float *from, long image, const float *taps, float *to,
                      int rows, int positions, long step, long to_row, const Finish *finish, int threads) {
    const int together = rows_together(s, rows, threads), parts = (rows + together - 1) / together;
    const Plan by = plan(s->channels);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int task = 0; task < s->clips * parts; task++) {
        const int clip = task / parts, part = task % parts;
        const int first = (int)((long)rows * part / parts), last = (int)((long)rows * (part + 1) / parts);
        const float *x = from + (long)clip * s->frames * image;
        for (int frame = 0; frame < s->frames; frame++) {
            const Frames frames = frames_of(s, x, image, frame, 0, 0);
            /* The next frame's share is read from memory while this one's is computed. */
            const int next = frame + s->kt / 2 + 1;
            const long soon = image * first / rows, floats = next < s->frames ? image * last / rows - soon : 0;
            const float *ahead = x + (next < s->frames ? next : frame) * image + soon;
            const long number = ((long)clip * s->frames + frame) * rows + first;
            over_strip(s, &by, way, positions, &frames, taps, to + number * to_row, step, to_row, first, last, ahead, floats);
            if (finish) finish_rows(finish, to + number * to_row, (int)(to_row / s->channels), s->channels, number, last - first);
        }
    }
}

static const Way forwards = {forward_tiles16, forward_tiles8, PAIRS}, inputs = {input_tiles16, input_tiles8, 1};
/* Where the rows below each other read nothing in common. */
static const Way singly = {forward_tiles16, forward_tiles8, 1};

static const Way *way_of(const Shape *s) { return s->stride == 1 && s->kh == 3 ? &forwards : &singly; }

static void forward(const Shape *s, const float *x, const float *weight, float *out, float *taps, int reversed,
                    const Finish *finish, int threads) {
    pack(weight, taps, s->channels, s->kt * s->kh * s->kw, reversed);
    over_rows(s, way_of(s), x, (long)s->height * s->width * s->channels, taps, out, s->out_height, s->out_width, s->channels,
              (long)s->out_width * s->channels, finish, threads);
}

/* scratch: kt kh kw channels floats. reversed: with the weight's axes reversed, which at stride 1 turns the output's
 * gradient into the input's. */
void channelwise_forward(const Shape *s, const float *x, const float *weight, float *out, float *scratch, int reversed,
                         int threads) {
    forward(s, x, weight, out, scratch, reversed, 0, threads);
}

/* BN by running statistics: (channels) each. */
typedef struct {
    const float *mean, *variance, *gain, *bias;
    double eps;
} Running;

/* As a scale and a shift, for a row of `together` positions. */
static void settle(const Running *r, int channels, int together, float *scale, float *shift) {
    for (int c = 0; c < channels; c++) {
        scale[c] = r->gain[c] / sqrtf(r->variance[c] + (float)r->eps);
        shift[c] = r->bias[c] - r->mean[c] * scale[c];
    }
    repeat(scale, channels, together);
    repeat(shift, channels, together);
}

static void means_of(const Shape *s, const float *row_sums, float *means) {
    const int C = s->channels, rows = s->frames * s->out_height;
    for (int clip = 0; clip < s->clips; clip++) {
        double total[MOST_CHANNELS] = {0};
        for (int row = 0; row < rows; row++)
            for (int c = 0; c < C; c++) total[c] += row_sums[((long)clip * rows + row) * C + c];
        for (int c = 0; c < C; c++) means[(long)clip * C + c] = (float)(total[c] / ((double)rows * s->out_width));
    }
}

/* As channelwise_forward, with BN by the running statistics and act. */
void channelwise_running(const Shape *s, const Running *norm, const float *x, const float *weight, float *out,
                         float *scratch, int act, int threads) {
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    const Finish finish = {scale, shift, act, rows_in_one(s->channels), 0};
    settle(norm, s->channels, finish.together, scale, shift);
    forward(s, x, weight, out, scratch, 0, &finish, threads);
}

/* As channelwise_forward, and the mean of each clip's channels, (clips, channels).
 * row_sums: clips frames out_height channels floats. */
void channelwise_means(const Shape *s, const float *x, const float *weight, float *out, float *scratch, float *means,
                       float *row_sums, int threads) {
    const Finish finish = {0, 0, 0, 1, row_sums};
    forward(s, x, weight, out, scratch, 0, &finish, threads);
    means_of(s, row_sums, means);
}

/* Rows of the result of which a thread holds the input's rows that they need, in kt frames. */
static int strip_rows(const Shape *s, int threads) {
    const long row = 4L * s->channels * s->width * s->kt;
    long most = (HELD / row - s->kh) / s->stride + 1, shared = (long)s->clips * s->out_height / threads;
    if (most > shared) most = shared;
    return most < 1 ? 1 : most > s->out_height ? s->out_height : (int)most;
}

static long ring_floats(const Shape *s, int threads) {
    return (long)s->kt * ((strip_rows(s, threads) - 1) * s->stride + s->kh) * s->width * s->channels;
}

/* What the convolution reads: act(BN(x w)) of x (clips, frames, height, width, entering), or where there is an image, its
 * 1x3x3 convolution. */
typedef struct {
    const Product *product;
    const Image *image;
    const Running *norm;
    const float *x, *weight;
} Source;

/* The 1x1x1 convolution that follows, with its BN, and plus what. */
typedef struct {
    const Product *product;
    const Running *norm;
    const float *weight, *residual;
} Then;

/* Floats that a thread holds. */
static long held_floats(const Shape *s, int threads, int goes_on, int image_width) {
    const long strip = goes_on ? (long)strip_rows(s, threads) * s->out_width * s->channels : 0;
    return ring_floats(s, threads) + strip + (image_width ? 9L * (image_width + 2) : 0);
}

/* Floats of scratch that what follows takes. entering: numbers that one of what is read is computed from; leaving: channels
 * after all, 0 if they stay; image_width: 0 where there is no image. */
long widened_room(const Shape *s, int entering, int leaving, int image_width, int threads) {
    const long C = s->channels, taps = (long)s->kt * s->kh * s->kw * C;
    return entering * (C + 16) + taps + C * (leaving + 16) + threads * held_floats(s, threads, leaving, image_width);
}

/* The channel-wise convolution of what each thread holds no more of than some rows of kt frames, so that it never leaves the
 * cache; nor does the result where something follows, which may be null. */
static void widened(const Shape *s, const Source *from, const float *weight, float *out, float *scratch,
                    const Finish *finish, const Then *then, int threads) {
    const Image *const image = from->image;
    const int C = s->channels, K = image ? IMAGE_DEPTH : from->product->entering, N = then ? then->product->leaving : 0;
    const int H = s->height, W = s->width;
    const Cut c = cut(C), c_then = cut(N);
    const Plan by = plan(C);
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS], scale_then[MOST_CHANNELS], shift_then[MOST_CHANNELS];
    float *const panels = scratch, *const taps = panels + (long)K * (C + 16);
    float *const panels_then = taps + (long)s->kt * s->kh * s->kw * C, *const held = panels_then + (long)C * (N + 16);
    if (from->norm) settle(from->norm, C, 1, scale, shift);
    pack_panels(&c, from->weight, K, 1, from->norm ? scale : 0, panels);
    pack(weight, taps, C, s->kt * s->kh * s->kw, 0);
    if (then) {
        settle(then->norm, N, 1, scale_then, shift_then);
        pack_panels(&c_then, then->weight, C, 1, scale_then, panels_then);
    }
    const int strip = strip_rows(s, threads), parts = (s->out_height + strip - 1) / strip;
    const long ring = ring_floats(s, threads), frame_floats = ring / s->kt, to_row = (long)s->out_width * C;
    const long own_floats = held_floats(s, threads, N, image ? image->width : 0);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int task = 0; task < s->clips * parts; task++) {
        const int clip = task / parts, part = task % parts;
        const int first = (int)((long)s->out_height * part / parts), last = (int)((long)s->out_height * (part + 1) / parts);
        int above = first * s->stride - s->kh / 2, below = (last - 1) * s->stride + s->kh / 2 + 1;
        above = above < 0 ? 0 : above;
        below = below > H ? H : below;
        float *const own = held + omp_get_thread_num() * own_floats, *const rest = own + ring;
        for (int t = 0; t < s->frames + s->kt / 2; t++) {
            float *const wide = own + t % s->kt * frame_floats;
            if (t < s->frames && image)
                for (int row = above; row < below; row++)
                    image_row(image, &c, from->x + clip * image->of_clip + t * image->of_frame, panels, rest,
                              wide + (long)(row - above) * W * C, row);
            else if (t < s->frames)
                product_of_rows(from->product, &c, from->x + (((long)clip * s->frames + t) * H + above) * W * K, panels,
                                shift, 0, wide, (long)(below - above) * W);
            const int frame = t - s->kt / 2;
            if (frame < 0) continue;
            const Frames frames = frames_of(s, own, frame_floats, frame, s->kt, above);
            const long number = ((long)clip * s->frames + frame) * s->out_height + first;
            float *const to = then ? rest : out + number * to_row;
            over_strip(s, &by, way_of(s), s->out_width, &frames, taps, to, C, to_row, first, last, taps, 0);
            finish_rows(finish, to, s->out_width, C, number, last - first);
            if (then) {
                const long at = number * s->out_width * N;
                product_of_rows(then->product, &c_then, to, panels_then, shift_then, then->residual + at, out + at,
                                (long)(last - first) * s->out_width);
            }
        }
    }
}

/* relu(BN(act(BN(...)) project) + residual) of `widened`; residual and out (clips, frames, out_height, out_width, leaving). */
void widened_projected(const Shape *s, const Product *wide, const Running *first_norm, const Running *norm,
                       const Product *narrow, const Running *last_norm, const float *x, const float *expand,
                       const float *weight, const float *project, const float *residual, float *out, float *scratch,
                       int act) {
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    const Finish finish = {scale, shift, act, rows_in_one(s->channels), 0};
    const Source from = {wide, 0, first_norm, x, expand};
    const Then then = {narrow, last_norm, project, residual};
    settle(norm, s->channels, finish.together, scale, shift);
    widened(s, &from, weight, out, scratch, &finish, &then, wide->threads);
}

/* `widened`, and its means and row_sums as channelwise_means. */
void widened_means(const Shape *s, const Product *p, const Running *first_norm, const float *x, const float *expand,
                   const float *weight, float *out, float *scratch, float *means, float *row_sums) {
    const Finish finish = {0, 0, 0, 1, row_sums};
    const Source from = {p, 0, first_norm, x, expand};
    widened(s, &from, weight, out, scratch, &finish, 0, p->threads);
    means_of(s, row_sums, means);
}

static long whole_lines(long floats) { return (floats + 15) / 16 * 16; }

/* What a thread of widened_excited holds of a clip: the result of its convolution, the sums of its rows, its means, the
 * scale and the shift of each channel, and scratch of all that is called; at the end of it, floats. */
typedef struct {
    long row_sums, means, scale, shift, widened, projected, end;
} Whole;

static Whole whole_of(const Shape *one, int entering, int leaving) {
    const long C = one->channels, rows = (long)one->frames * one->out_height;
    Whole found = {.row_sums = rows * one->out_width * C};
    found.means = found.row_sums + rows * C;
    found.scale = found.means + C;
    found.shift = found.scale + C;
    found.widened = whole_lines(found.shift + C);
    found.projected = whole_lines(found.widened + widened_room(one, entering, 0, 0, 1));
    found.end = whole_lines(found.projected + C * (leaving + 16) + 2 * BLOCK * C);
    return found;
}

/* Floats of scratch that widened_excited takes. */
long excited_room(const Shape *s, int entering, int leaving, int threads) {
    Shape one = *s;
    one.clips = 1;
    return threads * whole_of(&one, entering, leaving).end;
}

/* relu(BN(act(SE(BN(...))) project) + residual) of `widened`, each clip by one thread, which writes to the same memory
 * for each: widened_means, norm_excite and pointwise_running. few: channels between SE's two products. */
void widened_excited(const Shape *s, const Product *wide, const Running *first_norm, const Running *norm,
                     const Product *narrow, const Running *last_norm, const float *x, const float *expand,
                     const float *weight, const float *reduce, const float *reduce_bias, const float *restore,
                     const float *restore_bias, const float *project, const float *residual, float *out,
                     float *scratch, int act, int few) {
    const long entering = wide->positions / s->clips, leaving = narrow->positions / s->clips;
    const Product own_wide = {entering, wide->entering, wide->leaving, wide->act, 1};
    const Product own_narrow = {leaving, narrow->entering, narrow->leaving, narrow->act, 1};
    const Norm own_norm = {1, (int)leaving, s->channels, 1, act, 1, norm->eps};
    Shape one = *s;
    one.clips = 1;
    const Whole at = whole_of(&one, wide->entering, narrow->leaving);
#pragma omp parallel for num_threads(wide->threads) schedule(static)
    for (int clip = 0; clip < s->clips; clip++) {
        float *const own = scratch + omp_get_thread_num() * at.end;
        const long to = clip * leaving * narrow->leaving;
        widened_means(&one, &own_wide, first_norm, x + clip * entering * wide->entering, expand, weight, own,
                      own + at.widened, own + at.means, own + at.row_sums);
        norm_excite(&own_norm, own + at.means, norm->mean, norm->variance, norm->gain, norm->bias, reduce, reduce_bias,
                    restore, restore_bias, own + at.scale, own + at.shift, few);
        pointwise_running(&own_narrow, own, project, last_norm->mean, last_norm->variance, last_norm->gain,
                          last_norm->bias, residual + to, out + to, own + at.scale, own + at.shift, own + at.projected,
                          last_norm->eps, act, leaving);
    }
}

/* The stem: act(BN(...)) of the channel-wise convolution of the 1x3x3 convolution of stride 2 of `image`, by spatial
 * (channels, 27). */
void widened_image(const Shape *s, const Image *image, const Running *norm, const float *x, const float *spatial,
                   const float *weight, float *out, float *scratch, int act) {
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    const Finish finish = {scale, shift, act, rows_in_one(s->channels), 0};
    const Source from = {0, image, 0, x, spatial};
    settle(norm, s->channels, finish.together, scale, shift);
    widened(s, &from, weight, out, scratch, &finish, 0, image->threads);
}

/* The input's gradient at stride 2 with kernels of kt x 3 x 3. */
void channelwise_input(const Shape *s, const float *gradient, const float *weight, float *out, float *scratch,
                       int threads) {
    pack(weight, scratch, s->channels, s->kt * s->kh * s->kw, 0);
    over_rows(s, &inputs, gradient, (long)s->out_height * s->out_width * s->channels, scratch, out,
              s->height, s->out_width, 2L * s->channels, (long)s->width * s->channels, 0, threads);
}

/* All channels of the row's tiles, for the weight's gradient: the sums of each block are by themselves. */
static INLINE void weight_row(const Shape *s, const Plan *by, const float *x, const float *gradient, float *sums,
                              int frame, int row) {
    const int tiles = (s->out_width + TILE - 1) / TILE;
    for (int n = 0; n < tiles; n++) {
        const int tile = (int)((long)s->out_width * n / tiles);
        const int width = (int)((long)s->out_width * (n + 1) / tiles) - tile;
        const float *g = gradient + (long)tile * s->channels;
        if (by->wide) weight_tiles16(s, x, g, sums, frame, row, tile, width, by->wide);
        for (int i = 0; i < by->rests; i++) {
            const int c = by->first[i];
            WeightTiles *const run = by->lanes[i] == 16 ? weight_tiles16 : weight_tiles8;
            run(s, x + c, g + c, sums + 16 * by->wide + 8 * i, frame, row, tile, width, 1);
        }
    }
}

/* Adds to total [kt][kh][kw][padded channels] the sums over the output's frames first .. last - 1, numbered over the batch. */
static void weight_frames(const Shape *s, const Plan *by, const float *x, const float *gradient, double *total,
                          float *sums, long first, long last) {
    const int C = s->channels, count = s->kh * s->kw * padded(C), most = ROWS_POSITIONS / s->out_width + 1;
    for (long at = first; at < last; at++) {
        const int t = (int)(at % s->frames);
        const float *xs = x + at / s->frames * s->frames * s->height * s->width * C;
        const float *gs = gradient + at * s->out_height * s->out_width * C;
        for (int from = 0; from < s->out_height; from += most) {
            const int to = from + most < s->out_height ? from + most : s->out_height;
            for (int dt = 0; dt < s->kt; dt++) {
                const int frame = t + dt - s->kt / 2;
                if (frame < 0 || frame >= s->frames) continue;
                memset(sums, 0, count * sizeof(float));
                for (int row = from; row < to; row++)
                    weight_row(s, by, xs, gs + (long)row * s->out_width * C, sums, frame, row);
                double *restrict own = total + (long)dt * count;
                for (int i = 0; i < count; i++) own[i] += sums[i];
            }
        }
    }
}

/* out (channels, kt, kh, kw). scratch: pieces kt kh kw (channels + 16) doubles. */
void channelwise_weight(const Shape *s, const float *x, const float *gradient, float *out, double *scratch, int pieces,
                        int threads) {
    const Plan by = plan(s->channels);
    const int count = s->kt * s->kh * s->kw, C = s->channels, P = padded(C);
    const long frames = (long)s->clips * s->frames;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int piece = 0; piece < pieces; piece++) {
        double *const own = scratch + (long)piece * count * P;
        float sums[9 * (MOST_CHANNELS + 16)];
        memset(own, 0, (long)count * P * sizeof(double));
        weight_frames(s, &by, x, gradient, own, sums, frames * piece / pieces, frames * (piece + 1) / pieces);
    }
    for (int c = 0; c < C; c++) {
        /* The last block's sums are of whole blocks; those before it overlap with nothing. */
        const int at = c < (by.wide ? 16 * by.wide : 8) ? c : P - C + c;
        for (int i = 0; i < count; i++) {
            double sum = 0;
            for (int piece = 0; piece < pieces; piece++) sum += scratch[((long)piece * count + i) * P + at];
            out[(long)c * count + i] = (float)sum;
        }
    }
}
