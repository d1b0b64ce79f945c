/* A network with one hidden layer, trained in C, that writes what it computes as a dump.

       cc -O2 -o dump_writer examples/dump_writer.c -lm && ./dump_writer dump_from_c
       python -m compare.run --dump dump_from_c

   Arrays are stored row by row; every step becomes a folder of plain .npy files. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N = 6, F = 5, H = 4, K = 3, UPDATES = 3 };
static const double RATE = 0.1, MOMENTUM = 0.9;

static double x[N * F], targets[N * K];
static double w1[F * H], b1[H], w2[H * K], b2[K];
static double dw1[F * H], db1[H], dw2[H * K], db2[K];
static double v_w1[F * H], v_b1[H], v_w2[H * K], v_b2[K];

/* The whole writer: a header padded to 128 bytes, then the numbers as they lie in memory. */
static void write_npy(const char *folder, const char *name, const double *a, int rows, int columns)
{
    char path[256], header[119], shape[40] = "()";
    if (rows && columns) snprintf(shape, sizeof shape, "(%d, %d)", rows, columns);
    if (rows && !columns) snprintf(shape, sizeof shape, "(%d,)", rows);
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    int used = snprintf(header, sizeof header,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }", shape);
    memset(header + used, ' ', 117 - used);
    header[117] = '\n';
    FILE *file = fopen(path, "wb");
    if (!file) { perror(path); exit(1); }
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, 118, file);
    fwrite(a, sizeof *a, (size_t)(rows ? rows : 1) * (columns ? columns : 1), file);
    fclose(file);
}

static double uniform(void) /* between -1 and 1 */
{
    static unsigned long long state = 88172645463325252ULL;
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1.0;
}

static void fill(double *a, int count)
{
    for (int i = 0; i < count; i++) a[i] = uniform();
}

static double loss_and_gradients(void)
{
    static double h[N * H], p[N * K], dh[N * H];
    double loss = 0;
    memset(dw1, 0, sizeof dw1); memset(db1, 0, sizeof db1);
    memset(dw2, 0, sizeof dw2); memset(db2, 0, sizeof db2);
    memset(dh, 0, sizeof dh);
    for (int n = 0; n < N; n++) {
        double sum = 0, largest = -INFINITY;
        for (int j = 0; j < H; j++) {
            double z = b1[j];
            for (int i = 0; i < F; i++) z += x[n * F + i] * w1[i * H + j];
            h[n * H + j] = z > 0 ? z : 0;
        }
        for (int k = 0; k < K; k++) {
            p[n * K + k] = b2[k];
            for (int j = 0; j < H; j++) p[n * K + k] += h[n * H + j] * w2[j * K + k];
            largest = fmax(largest, p[n * K + k]);
        }
        for (int k = 0; k < K; k++) sum += p[n * K + k] = exp(p[n * K + k] - largest);
        for (int k = 0; k < K; k++) {
            p[n * K + k] /= sum;
            if (targets[n * K + k] > 0) loss -= targets[n * K + k] * log(p[n * K + k]) / N;
            double dlogit = (p[n * K + k] - targets[n * K + k]) / N;
            db2[k] += dlogit;
            for (int j = 0; j < H; j++) {
                dw2[j * K + k] += h[n * H + j] * dlogit;
                dh[n * H + j] += dlogit * w2[j * K + k];
            }
        }
        for (int j = 0; j < H; j++) {
            double dz = h[n * H + j] > 0 ? dh[n * H + j] : 0;
            db1[j] += dz;
            for (int i = 0; i < F; i++) dw1[i * H + j] += x[n * F + i] * dz;
        }
    }
    return loss;
}

static void step(double *w, double *v, const double *dw, int count)
{
    for (int i = 0; i < count; i++) {
        v[i] = MOMENTUM * v[i] + RATE * dw[i];
        w[i] -= v[i];
    }
}

int main(int count, char **arguments)
{
    const char *folder = count > 1 ? arguments[1] : "dump_from_c";
    char path[200];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/run.json", folder);
    FILE *run = fopen(path, "w");
    if (!run) { perror(path); return 1; }
    fprintf(run, "{\"format\": 1, \"activation\": \"relu\", \"reduction\": \"mean\", "
                 "\"learning_rate\": %g, \"momentum\": %g, \"form\": \"velocity\"}\n",
            RATE, MOMENTUM);
    fclose(run);
    fill(x, N * F); fill(w1, F * H); fill(b1, H); fill(w2, H * K); fill(b2, K);
    for (int n = 0; n < N; n++) targets[n * K + n % K] = 1;
    write_npy(folder, "x", x, N, F);
    write_npy(folder, "targets", targets, N, K);
    for (int update = 0; update <= UPDATES; update++) {
        double loss = loss_and_gradients();
        snprintf(path, sizeof path, "%s/step_%05d", folder, update);
        mkdir(path, 0777);
        write_npy(path, "loss", &loss, 0, 0);
        write_npy(path, "w1", w1, F, H); write_npy(path, "b1", b1, H, 0);
        write_npy(path, "w2", w2, H, K); write_npy(path, "b2", b2, K, 0);
        write_npy(path, "dw1", dw1, F, H); write_npy(path, "db1", db1, H, 0);
        write_npy(path, "dw2", dw2, H, K); write_npy(path, "db2", db2, K, 0);
        write_npy(path, "v_w1", v_w1, F, H); write_npy(path, "v_b1", v_b1, H, 0);
        write_npy(path, "v_w2", v_w2, H, K); write_npy(path, "v_b2", v_b2, K, 0);
        step(w1, v_w1, dw1, F * H); step(b1, v_b1, db1, H);
        step(w2, v_w2, dw2, H * K); step(b2, v_b2, db2, K);
    }
    return 0;
}
