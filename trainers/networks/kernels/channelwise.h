/* The channel-wise convolution for vectors of V channels; channelwise.c includes this once for each V.
 *
 * A tile is up to TILE neighbouring outputs of one row. `left` and `right` say that its neighbour on that side is
 * padding. Both, the tile's width and the stride are constants where these functions are inlined, so that a tile lives
 * in registers. */

#define NAME_(a, b) a##b
#define NAME(a, b) NAME_(a, b)
#define vec NAME(vec, V)
#define FN(name) NAME(name, V)

typedef float vec __attribute__((vector_size(V * 4), aligned(4), may_alias));

/* One tile of the output: taps is [kt][kh][kw][channels], out the tile's first position. */
static INLINE void FN(forward_tile)(const Shape *s, const Frames *x, int c, const float *taps, float *out, int row,
                                    int tile, int width, int left, int right, int stride, int kw) {
    vec total[TILE];
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) total[i] = (vec){0};
    const int reach = kw / 2;
    for (int dt = 0; dt < s->kt; dt++) {
        if (!x->of[dt]) continue;
        for (int dh = 0; dh < s->kh; dh++) {
            const int h = row * stride + dh - s->kh / 2;
            if (h < 0 || h >= s->height) continue;
            const float *in = x->of[dt] + c + ((long)(h - x->above) * s->width + tile * stride) * s->channels;
            const float *tap = taps + (long)((dt * s->kh + dh) * kw) * s->channels;
#pragma GCC unroll 3
            for (int dw = 0; dw < kw; dw++) {
                const vec weight = *(const vec *)(tap + dw * s->channels);
#pragma GCC unroll 8
                for (int i = 0; i < width; i++) {
                    const int at = i * stride + dw - reach;
                    if ((left && at < 0) || (right && at > (width - 1) * stride)) continue;
                    total[i] += weight * *(const vec *)(in + (long)at * s->channels);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) *(vec *)(out + (long)i * s->channels) = total[i];
}

/* As forward_tile at stride 1 with kernels of 3 x 3, and the tile below it: what both read is read once. to_row: floats from
 * one to the other. */
static INLINE void FN(forward_pair)(const Shape *s, const Frames *x, int c, const float *taps, float *out, long to_row,
                                    int row, int tile, int width, int left, int right) {
    vec total[2][TILE];
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) total[0][i] = total[1][i] = (vec){0};
    for (int dt = 0; dt < s->kt; dt++) {
        if (!x->of[dt]) continue;
        const float *in = x->of[dt] + c + ((long)(row - 1 - x->above) * s->width + tile) * s->channels;
        const float *tap = taps + (long)dt * 9 * s->channels;
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++, in += (long)s->width * s->channels) {
            if ((r == 0 && row == 0) || (r == 3 && row + 2 == s->height)) continue;
            vec weight[2][3];
#pragma GCC unroll 2
            for (int a = 0; a < 2; a++)
#pragma GCC unroll 3
                for (int dw = 0; dw < 3; dw++)
                    if (r - a >= 0 && r - a < 3) weight[a][dw] = *(const vec *)(tap + ((r - a) * 3 + dw) * s->channels);
#pragma GCC unroll 10
            for (int at = -1; at <= width; at++) {
                if ((left && at < 0) || (right && at == width)) continue;
                const vec here = *(const vec *)(in + (long)at * s->channels);
#pragma GCC unroll 3
                for (int dw = 0; dw < 3; dw++) {
                    const int i = at + 1 - dw;
                    if (i < 0 || i >= width) continue;
#pragma GCC unroll 2
                    for (int a = 0; a < 2; a++)
                        if (r - a >= 0 && r - a < 3) total[a][i] += weight[a][dw] * here;
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) {
        *(vec *)(out + (long)i * s->channels) = total[0][i];
        *(vec *)(out + to_row + (long)i * s->channels) = total[1][i];
    }
}

/* Inputs 2 tile .. 2 (tile + width) - 1 of one row of the input's gradient at stride 2. `right`: there is no output
 * after the tile; `odd`: nor a last odd input. */
static INLINE void FN(input_tile)(const Shape *s, const Frames *gradient, int c, const float *taps, float *out,
                                  int row, int tile, int width, int right, int odd) {
    vec even[TILE], between[TILE];
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) even[i] = between[i] = (vec){0};
    for (int dt = 0; dt < s->kt; dt++) {
        const float *frame = gradient->of[s->kt - 1 - dt];
        if (!frame) continue;
        for (int dh = 0; dh < 3; dh++) {
            const int h2 = row + 1 - dh;
            if (h2 < 0 || h2 % 2 || h2 / 2 >= s->out_height) continue;
            const float *in = frame + c + ((long)(h2 / 2) * s->out_width + tile) * s->channels;
            const float *tap = taps + (long)(dt * 3 + dh) * 3 * s->channels;
            const vec before = *(const vec *)tap, middle = *(const vec *)(tap + s->channels);
            const vec after = *(const vec *)(tap + 2 * s->channels);
            vec here = *(const vec *)in;
#pragma GCC unroll 8
            for (int i = 0; i < width; i++) {
                even[i] += middle * here;
                between[i] += after * here;
                if (right && i == width - 1) continue;
                here = *(const vec *)(in + (long)(i + 1) * s->channels);
                between[i] += before * here;
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) {
        *(vec *)(out + (long)(2 * i) * s->channels) = even[i];
        if (!(odd && i == width - 1)) *(vec *)(out + (long)(2 * i + 1) * s->channels) = between[i];
    }
}

/* Adds the share of one tile to the sums of the weight's gradient, [kh][kw][padded channels]. */
static INLINE void FN(weight_tile)(const Shape *s, const float *x, const float *gradient, float *sums, int frame,
                                   int row, int tile, int width, int left, int right, int stride, int kw) {
    vec g[TILE];
    const int reach = kw / 2;
#pragma GCC unroll 8
    for (int i = 0; i < width; i++) g[i] = *(const vec *)(gradient + (long)i * s->channels);
    for (int dh = 0; dh < s->kh; dh++) {
        const int h = row * stride + dh - s->kh / 2;
        if (h < 0 || h >= s->height) continue;
        const float *in = x + ((long)(frame * s->height + h) * s->width + tile * stride) * s->channels;
#pragma GCC unroll 3
        for (int dw = 0; dw < kw; dw++) {
            vec *const own = (vec *)(sums + (long)(dh * kw + dw) * padded(s->channels));
            vec sum = *own;
#pragma GCC unroll 8
            for (int i = 0; i < width; i++) {
                const int at = i * stride + dw - reach;
                if ((left && at < 0) || (right && at > (width - 1) * stride)) continue;
                sum += g[i] * *(const vec *)(in + (long)at * s->channels);
            }
            *own = sum;
        }
    }
}

#define CASES(call) \
    switch (width) { \
        case 1: { call(1); break; } \
        case 2: { call(2); break; } \
        case 3: { call(3); break; } \
        case 4: { call(4); break; } \
        case 5: { call(5); break; } \
        case 6: { call(6); break; } \
        case 7: { call(7); break; } \
        default: { call(8); } \
    }

/* A tile for `count` times V channels, one after the other, while its positions are in the cache. */
#define TILES(stride, kw) \
    static void FN(NAME(forward_tiles_##stride, kw))(const Shape *s, const Frames *x, int from, const float *taps, \
                                                     float *out, int row, int tile, int width, int count) { \
        CASES(FORWARD_##stride##kw) \
    } \
    static void FN(NAME(weight_tiles_##stride, kw))(const Shape *s, const float *x, const float *gradient, \
                                                    float *sums, int frame, int row, int tile, int width, int count) { \
        CASES(WEIGHT_##stride##kw) \
    }

#define EACH_BLOCK for (int c = 0; c < count * V; c += V)
#define F_(W, L, R, S, K) \
    EACH_BLOCK FN(forward_tile)(s, x, from + c, taps + c, out + c, row, tile, W, L, R, S, K)
#define G_(W, L, R, S, K) \
    EACH_BLOCK FN(weight_tile)(s, x + c, gradient + c, sums + c, frame, row, tile, W, L, R, S, K)
#define BY_SIDE(T, W, S, K) \
    const int left = tile == 0, right = (tile + W - 1) * S + K / 2 >= s->width; \
    if (left) { if (right) T(W, 1, 1, S, K); else T(W, 1, 0, S, K); } \
    else { if (right) T(W, 0, 1, S, K); else T(W, 0, 0, S, K); }
#define FORWARD_13(W) BY_SIDE(F_, W, 1, 3)
#define FORWARD_23(W) BY_SIDE(F_, W, 2, 3)
#define FORWARD_11(W) F_(W, 0, 0, 1, 1)
#define WEIGHT_13(W) BY_SIDE(G_, W, 1, 3)
#define WEIGHT_23(W) BY_SIDE(G_, W, 2, 3)
#define WEIGHT_11(W) G_(W, 0, 0, 1, 1)
TILES(1, 3)
TILES(2, 3)
TILES(1, 1)

#define P_(W, L, R, S, K) \
    EACH_BLOCK FN(forward_pair)(s, x, from + c, taps + c, out + c, to_row, row, tile, W, L, R)
#define PAIR(W) BY_SIDE(P_, W, 1, 3)
static void FN(forward_pairs)(const Shape *s, const Frames *x, int from, const float *taps, float *out, long to_row,
                              int row, int tile, int width, int count) {
    CASES(PAIR)
}

static void FN(input_tiles)(const Shape *s, const Frames *gradient, int from, const float *taps, float *out, long to_row,
                            int row, int rows, int tile, int width, int count) {
    (void)to_row, (void)rows;
    const int right = tile + width == s->out_width, odd = right && s->width % 2;
#define I_(W, R, O) EACH_BLOCK FN(input_tile)(s, gradient, from + c, taps + c, out + c, row, tile, W, R, O)
#define INPUT(W) if (odd) I_(W, 1, 1); else if (right) I_(W, 1, 0); else I_(W, 0, 0)
    CASES(INPUT)
}

static void FN(forward_tiles)(const Shape *s, const Frames *x, int from, const float *taps, float *out, long to_row,
                              int row, int rows, int tile, int width, int count) {
    if (rows == 2)
        FN(forward_pairs)(s, x, from, taps, out, to_row, row, tile, width, count);
    else if (s->kw == 1)
        FN(forward_tiles_11)(s, x, from, taps, out, row, tile, width, count);
    else if (s->stride == 1)
        FN(forward_tiles_13)(s, x, from, taps, out, row, tile, width, count);
    else
        FN(forward_tiles_23)(s, x, from, taps, out, row, tile, width, count);
}

static void FN(weight_tiles)(const Shape *s, const float *x, const float *gradient, float *sums, int frame, int row,
                             int tile, int width, int count) {
    if (s->kw == 1)
        FN(weight_tiles_11)(s, x, gradient, sums, frame, row, tile, width, count);
    else if (s->stride == 1)
        FN(weight_tiles_13)(s, x, gradient, sums, frame, row, tile, width, count);
    else
        FN(weight_tiles_23)(s, x, gradient, sums, frame, row, tile, width, count);
}

#undef NAME
#undef NAME_
#undef vec
#undef FN
#undef CASES
#undef TILES
#undef EACH_BLOCK
#undef F_
#undef G_
#undef I_
#undef INPUT
#undef BY_SIDE
#undef FORWARD_13
#undef FORWARD_23
#undef FORWARD_11
#undef WEIGHT_13
#undef WEIGHT_23
#undef WEIGHT_11
#undef P_
#undef PAIR
