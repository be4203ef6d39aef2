/* Products of small matrices for vectors of V lanes; pointwise.c includes this once for each V.
 *
 * A tile is R rows by up to MOST_VECTORS vectors, of which the last may be half of one. Its sums live in registers, as all
 * numbers that shape it are constants where these functions are inlined. */

#define NAME_(a, b) a##b
#define NAME(a, b) NAME_(a, b)
#define FN(name) NAME(name, V)
#define vec NAME(vec, V)
#define half_vec NAME(half_vec, V)
#define bits NAME(bits, V)
#define half_bits NAME(half_bits, V)

typedef float vec __attribute__((vector_size(V * 4), aligned(4), may_alias));
typedef float half_vec __attribute__((vector_size(V * 2), aligned(4), may_alias));
typedef int32_t bits __attribute__((vector_size(V * 4), aligned(4), may_alias));
typedef int32_t half_bits __attribute__((vector_size(V * 2), aligned(4), may_alias));

/* total[r] += sum over k < depth of x[r row + k step] w[k pitch + ...]; the last vector of w lies `last` after the first. */
static INLINE void FN(sum)(long depth, const float *x, long row, long step, const float *w, long pitch, long last,
                           vec (*total)[MOST_VECTORS], half_vec *rest, int rows, int full, int half) {
    for (long k = 0; k < depth; k++, x += step, w += pitch) {
        vec by[MOST_VECTORS];
        half_vec by_half = {0};
#pragma GCC unroll 4
        for (int i = 0; i < full; i++) by[i] = *(const vec *)(w + (i + 1 == full + half ? last : i * V));
        if (half) by_half = *(const half_vec *)(w + last);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            const float value = x[r * row];
#pragma GCC unroll 4
            for (int i = 0; i < full; i++) total[r][i] += value * by[i];
            if (half) rest[r] += value * by_half;
        }
    }
}

static INLINE void FN(clear)(vec (*total)[MOST_VECTORS], half_vec *rest, int rows, int full) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int i = 0; i < full; i++) total[r][i] = (vec){0};
        rest[r] = (half_vec){0};
    }
}

/* One tile of out = act(x w + shift + residual): w a panel, out and shift at the panel's first channel; rows of x are `row`
 * floats apart, and of `parts` parts of `depth` floats, which are `apart` floats apart. */
static INLINE void FN(forward_tile)(const Product *s, const float *x, long row, int parts, long apart, long depth,
                                    const float *w, const float *shift, const float *residual, float *out, long last,
                                    int rows, int full, int half) {
    vec total[MOST_ROWS][MOST_VECTORS];
    half_vec rest[MOST_ROWS];
    FN(clear)(total, rest, rows, full);
    for (int part = 0; part < parts; part++)
        FN(sum)(depth, x + part * apart, row, 1, w + part * depth * (full + half) * V, (full + half) * V,
                (full + half - 1) * V, total, rest, rows, full, half);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        const long to = (long)r * s->leaving;
#pragma GCC unroll 4
        for (int i = 0; i < full; i++) {
            const long at = i + 1 == full + half ? last : i * V;
            vec found = total[r][i];
            if (shift) found += *(const vec *)(shift + at);
            if (residual) found += *(const vec *)(residual + to + at);
            if (s->act == RELU) found = (vec)((bits)found & ~(found < 0)); /* what is no number stays so */
            *(vec *)(out + to + at) = found;
        }
        if (half) {
            half_vec found = rest[r];
            if (shift) found += *(const half_vec *)(shift + last);
            if (residual) found += *(const half_vec *)(residual + to + last);
            if (s->act == RELU) found = (half_vec)((half_bits)found & ~(found < 0));
            *(half_vec *)(out + to + last) = found;
        }
    }
}

/* Adds to sums [rows][full + half][V] the products over `depth` positions of x (positions, xs) and w (positions, ws). */
static INLINE void FN(weight_tile)(long depth, const float *x, long xs, const float *w, long ws, float *sums, long last,
                                   int rows, int full, int half) {
    vec total[MOST_ROWS][MOST_VECTORS];
    half_vec rest[MOST_ROWS];
    FN(clear)(total, rest, rows, full);
    FN(sum)(depth, x, 1, xs, w, ws, last, total, rest, rows, full, half);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int i = 0; i < full; i++) *(vec *)(sums + (r * (full + half) + i) * V) += total[r][i];
        if (half) *(half_vec *)(sums + (r * (full + half) + full) * V) += rest[r];
    }
}

/* `rows` rows of one panel. The last tile overlaps the one before it, and writes the same there. */
#define ROWS_OF(R, each) \
    for (long at = 0; at < rows; at += R) { \
        if (at + R > rows && rows >= R) at = rows - R; \
        if (at + R <= rows) \
            each(at, R); \
        else \
            for (long one = at; one < rows; one++) each(one, 1); \
    }
#define PRODUCT(vectors, half, at, count) \
    FN(forward_tile)(s, x + (at) * K, K, 1, 0, K, w, shift, residual ? residual + (at) * N : 0, out + (at) * N, last, \
                     count, vectors - half, half)
#define IMAGE(vectors, half, at, count) \
    FN(forward_tile)(s, x + (at) * 2, 2, 9, apart, 3, w, 0, 0, out + (at) * N, last, count, vectors - half, half)
#define PRODUCT_10(at, count) PRODUCT(1, 0, at, count)
#define IMAGE_10(at, count) IMAGE(1, 0, at, count)
#define PRODUCT_11(at, count) PRODUCT(1, 1, at, count)
#define IMAGE_11(at, count) IMAGE(1, 1, at, count)
#define PRODUCT_20(at, count) PRODUCT(2, 0, at, count)
#define IMAGE_20(at, count) IMAGE(2, 0, at, count)
#define PRODUCT_21(at, count) PRODUCT(2, 1, at, count)
#define IMAGE_21(at, count) IMAGE(2, 1, at, count)
#define PRODUCT_30(at, count) PRODUCT(3, 0, at, count)
#define IMAGE_30(at, count) IMAGE(3, 0, at, count)
#define PRODUCT_31(at, count) PRODUCT(3, 1, at, count)
#define IMAGE_31(at, count) IMAGE(3, 1, at, count)
#define PRODUCT_40(at, count) PRODUCT(4, 0, at, count)
#define IMAGE_40(at, count) IMAGE(4, 0, at, count)
#define PRODUCT_41(at, count) PRODUCT(4, 1, at, count)
#define IMAGE_41(at, count) IMAGE(4, 1, at, count)
#define PANEL(vectors, half, R) \
    static void FN(NAME(forward_panel_##vectors, half))(const Product *s, const float *x, const float *w, \
                                                        const float *shift, const float *residual, float *out, \
                                                        long last, long rows) { \
        const long K = s->entering, N = s->leaving; \
        ROWS_OF(R, PRODUCT_##vectors##half) \
    } \
    static void FN(NAME(image_panel_##vectors, half))(const Product *s, const float *x, long apart, const float *w, \
                                                      float *out, long last, long rows) { \
        const long N = s->leaving; \
        ROWS_OF(R, IMAGE_##vectors##half) \
    } \
    static void FN(NAME(weight_panel_##vectors, half))(long depth, const float *x, long xs, const float *w, long ws, \
                                                       float *sums, long last) { \
        for (long tile = 0; tile < xs; tile += R, sums += R * vectors * V) { \
            const long at = tile + R > xs && xs >= R ? xs - R : tile; \
            if (at + R <= xs) \
                FN(weight_tile)(depth, x + at, xs, w, ws, sums, last, R, vectors - half, half); \
            else \
                for (long one = at; one < xs; one++) \
                    FN(weight_tile)(depth, x + one, xs, w, ws, sums + (one - at) * vectors * V, last, 1, \
                                    vectors - half, half); \
        } \
    }
PANEL(1, 0, ROWS_1)
PANEL(1, 1, ROWS_1)
PANEL(2, 0, ROWS_2)
PANEL(2, 1, ROWS_2)
PANEL(3, 0, ROWS_3)
PANEL(3, 1, ROWS_3)
#if MOST_VECTORS == 4
PANEL(4, 0, ROWS_4)
PANEL(4, 1, ROWS_4)
#define FOUR(kind) {FN(kind##_panel_40), FN(kind##_panel_41)},
#else
#define FOUR(kind)
#endif

/* By the vectors less one, and by whether the last one is half of one. */
#define CHOICE(kind) \
    static NAME(kind, _panel) *const FN(kind##_panels)[MOST_VECTORS][2] = { \
        {FN(kind##_panel_10), FN(kind##_panel_11)}, \
        {FN(kind##_panel_20), FN(kind##_panel_21)}, \
        {FN(kind##_panel_30), FN(kind##_panel_31)}, \
        FOUR(kind) \
    };
CHOICE(forward)
CHOICE(image)
CHOICE(weight)

#undef CHOICE
#undef FOUR
#undef PANEL
#undef ROWS_OF
#undef PRODUCT
#undef IMAGE
#undef PRODUCT_10
#undef IMAGE_10
#undef PRODUCT_11
#undef IMAGE_11
#undef PRODUCT_20
#undef IMAGE_20
#undef PRODUCT_21
#undef IMAGE_21
#undef PRODUCT_30
#undef IMAGE_30
#undef PRODUCT_31
#undef IMAGE_31
#undef PRODUCT_40
#undef IMAGE_40
#undef PRODUCT_41
#undef IMAGE_41
#undef NAME
#undef NAME_
#undef FN
#undef vec
#undef half_vec
#undef bits
#undef half_bits
