/* The matrix product of pointwise.c, for whoever has its rows at hand. */

#ifndef PRODUCT_H
#define PRODUCT_H

#define WITHIN __attribute__((visibility("hidden")))

/* out (positions, leaving) = act(x (positions, entering) w + shift + residual). */
typedef struct {
    long positions;
    int entering, leaving, act, threads;
} Product;

/* How `channels` are cut into vectors: the last one begins where it ends with the channels, so it may overlap the one
 * before it, and is half of one if that is enough. Panels are of up to MOST_VECTORS each. */
typedef struct {
    int lanes, vectors, half, panels, channels;
} Cut;

WITHIN Cut cut(int channels);

/* Panels one after the other, each [k][its vectors][lanes]: of w (depth, channels), or where it is `transposed`, of
 * w (channels, depth), each channel times its scale, which may be null. */
WITHIN void pack_panels(const Cut *c, const float *w, int depth, int transposed, const float *scale, float *to);

/* Of `rows` positions, by this thread alone. panels: packed; shift and residual may be null. */
WITHIN void product_of_rows(const Product *s, const Cut *c, const float *x, const float *panels, const float *shift,
                            const float *residual, float *out, long rows);

#endif
