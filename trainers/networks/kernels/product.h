/* The matrix product of pointwise.c, for whoever has its rows at hand. */

#ifndef PRODUCT_H
#define PRODUCT_H

#define WITHIN __attribute__((visibility("hidden")))

/* out (positions, leaving) = act(x (positions, entering) w + shift + residual). */
typedef struct {
    long positions;
    int entering, leaving, act, threads;
} Product;

/* Clips of three channels, however they lie in memory. of_...: floats from one to the next. */
typedef struct {
    long of_clip, of_channel, of_frame, of_row, of_column;
    int clips, frames, height, width, leaving, threads;
} Image;

/* Rows that are taken through all panels while they are in the cache; a multiple of those of every tile. */
#define BLOCK 48

/* Numbers that one of an image's 1x3x3 convolution is computed from. */
#define IMAGE_DEPTH 27

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

/* One row of the 1x3x3 convolution of stride 2 of an image: out (out_width, leaving). framed_rows: 9 (width + 2) floats of
 * scratch. */
WITHIN void image_row(const Image *s, const Cut *c, const float *x, const float *panels, float *framed_rows, float *out,
                      int row);

/* Described in pointwise.c. */
void pointwise_running(const Product *s, const float *x, const float *weight, const float *mean, const float *variance,
                       const float *gain, const float *bias, const float *residual, float *out,
                       const float *before_scale, const float *before_shift, float *scratch, double eps,
                       int before_act, long positions);

#endif
