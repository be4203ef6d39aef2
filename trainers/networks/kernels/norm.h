/* What norm.c computes, for whoever has a clip at hand. */

#ifndef NORM_H
#define NORM_H

typedef struct {
    int clips, positions, channels, groups, act, threads;
    double eps;
} Norm;

void norm_excite(const Norm *s, const float *clip_mean, const float *mean, const float *variance, const float *gain,
                 const float *bias, const float *reduce, const float *reduce_bias, const float *restore,
                 const float *restore_bias, float *scales, float *shifts, int narrow);

#endif
