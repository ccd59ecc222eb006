/* SPDX-License-Identifier: MIT */
/* See kernels.h. Integer kernels first, then floating-point. */
#include "bench/kernels.h"

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* --- list: chase, reverse and sum a shuffled linked list --- */

enum { LIST_NODES = 4096 };

struct node {
    struct node *next;
    uint64_t value;
};

static uint64_t list_run(unsigned rounds)
{
    static struct node nodes[LIST_NODES];
    static uint16_t order[LIST_NODES];
    struct node *head = NULL;
    uint32_t seed = 1;
    uint64_t sum = 0;

    for (unsigned i = 0; i < LIST_NODES; i++)
        order[i] = (uint16_t)i;
    for (unsigned i = LIST_NODES - 1; i; i--) {
        unsigned j = random_next(&seed) % (i + 1);
        uint16_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < LIST_NODES; i++) {
        nodes[order[i]] = (struct node){.next = head, .value = i};
        head = &nodes[order[i]];
    }
    for (unsigned r = 0; r < rounds; r++) {
        struct node *reversed = NULL, *n = head;

        for (; n; n = n->next)
            sum = sum * 3 + n->value;
        for (n = head; n;) {
            struct node *next = n->next;
            n->next = reversed;
            reversed = n;
            n = next;
        }
        head = reversed;
    }
    return sum;
}

/* --- matrix: integer multiplication --- */

enum { MATRIX_N = 64 };

static uint64_t matrix_run(unsigned rounds)
{
    static uint32_t a[MATRIX_N][MATRIX_N], b[MATRIX_N][MATRIX_N], c[MATRIX_N][MATRIX_N];
    uint32_t seed = 7;
    uint64_t sum = 0;

    for (unsigned i = 0; i < MATRIX_N; i++)
        for (unsigned j = 0; j < MATRIX_N; j++) {
            a[i][j] = random_next(&seed);
            b[i][j] = random_next(&seed);
        }
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < MATRIX_N; i++)
            for (unsigned j = 0; j < MATRIX_N; j++) {
                uint32_t dot = 0;
                for (unsigned k = 0; k < MATRIX_N; k++)
                    dot += a[i][k] * b[k][j];
                c[i][j] = dot;
            }
        a[r % MATRIX_N][r / MATRIX_N % MATRIX_N] ^= c[1][2];
        sum += c[r % MATRIX_N][3];
    }
    return sum;
}

/* --- state: a scanner of numbers, words and strings --- */

static uint64_t state_run(unsigned rounds)
{
    static const char text[] = "let x1 = 42 + 0x1f * (y - 3.25e2); print \"a \\\"b\\\" c\", x1; "
                               "# comment\nif x1 >= 100 { f(x1, -7) } else { return 0.5 }\n";
    enum { SPACE, WORD, NUMBER, STRING, ESCAPE, COMMENT } state = SPACE;
    uint64_t tokens = 0, sum = 0;

    for (unsigned r = 0; r < rounds; r++) {
        for (const char *p = text; *p; p++) {
            char c = *p;
            switch (state) {
            case SPACE:
                if (c >= '0' && c <= '9')
                    state = NUMBER;
                else if ((c >= 'a' && c <= 'z') || c == '_')
                    state = WORD;
                else if (c == '"')
                    state = STRING;
                else if (c == '#')
                    state = COMMENT;
                else if (c != ' ' && c != '\n')
                    tokens++;
                break;
            case WORD:
            case NUMBER:
                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.')
                    break;
                tokens += state;
                state = SPACE;
                break;
            case STRING:
                if (c == '\\')
                    state = ESCAPE;
                else if (c == '"') {
                    tokens += STRING;
                    state = SPACE;
                }
                break;
            case ESCAPE:
                state = STRING;
                break;
            case COMMENT:
                if (c == '\n')
                    state = SPACE;
                break;
            }
            sum = sum * 31 + (uint64_t)state + tokens;
        }
    }
    return sum;
}

/* --- crc: CRC-32 by table --- */

static uint64_t crc_run(unsigned rounds)
{
    static uint32_t table[256];
    static uint8_t data[16384];
    uint32_t seed = 3, crc = 0;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int k = 0; k < 8; k++)
            v = v >> 1 ^ (v & 1 ? UINT32_C(0xedb88320) : 0);
        table[i] = v;
    }
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)random_next(&seed);
    for (unsigned r = 0; r < rounds; r++) {
        crc = ~crc;
        for (size_t i = 0; i < sizeof(data); i++)
            crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
        crc = ~crc;
    }
    return crc;
}

/* --- sort: quicksort with insertion sort for short ranges --- */

enum { SORT_N = 8192 };

static void sort(uint32_t *v, long lo, long hi)
{
    while (hi - lo > 12) {
        uint32_t pivot = v[(lo + hi) / 2];
        long i = lo, j = hi;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                uint32_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        sort(v, lo, j);
        lo = i;
    }
    for (long i = lo + 1; i <= hi; i++) {
        uint32_t t = v[i];
        long j = i - 1;
        for (; j >= lo && v[j] > t; j--)
            v[j + 1] = v[j];
        v[j + 1] = t;
    }
}

static uint64_t sort_run(unsigned rounds)
{
    static uint32_t v[SORT_N];
    uint32_t seed = 11;
    uint64_t sum = 0;

    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < SORT_N; i++)
            v[i] = random_next(&seed);
        sort(v, 0, SORT_N - 1);
        for (unsigned i = 0; i < SORT_N; i += 97)
            sum = sum * 31 + v[i];
    }
    return sum;
}

/* --- hash: open addressing --- */

enum { HASH_SLOTS = 16384 };

static uint64_t hash_run(unsigned rounds)
{
    static uint64_t keys[HASH_SLOTS], values[HASH_SLOTS];
    uint32_t seed = 5;
    uint64_t sum = 0;

    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < HASH_SLOTS; i++)
            keys[i] = values[i] = 0;
        for (unsigned i = 0; i < HASH_SLOTS; i++) {
            uint64_t key = random_next(&seed) % 9973 + 1;
            uint64_t slot = key * UINT64_C(0x9e3779b97f4a7c15) >> 50;

            while (keys[slot] && keys[slot] != key)
                slot = (slot + 1) % HASH_SLOTS;
            keys[slot] = key;
            values[slot] += i;
            sum += values[slot];
        }
    }
    return sum;
}

/* --- interp: an interpreter of a small stack machine counting primes by trial division --- */

static uint64_t interp_run(unsigned rounds)
{
    enum { PUSH, LOAD, SAVE, ADD, REM, LESS, EQUAL, JZ, JMP, HALT };
    static const uint16_t program[] = {
        PUSH, 2, SAVE, 0,                                    /*  0: n = 2 */
        LOAD, 0, PUSH, 400, LESS, JZ,   57,                  /*  4: while n < 400 */
        PUSH, 2, SAVE, 1,                                    /* 11:   d = 2 */
        LOAD, 1, LOAD, 0,   LESS, JZ,   38,                  /* 15:   while d < n */
        LOAD, 0, LOAD, 1,   REM,  JZ,   38,                  /* 22:     and n % d */
        LOAD, 1, PUSH, 1,   ADD,  SAVE, 1,     JMP, 15,      /* 29:     d += 1 */
        LOAD, 2, LOAD, 1,   LOAD, 0,    EQUAL, ADD, SAVE, 2, /* 38:   primes += d == n */
        LOAD, 0, PUSH, 1,   ADD,  SAVE, 0,     JMP, 4,       /* 48:   n += 1 */
        HALT,                                                /* 57 */
    };
    uint64_t result = 0;

    for (unsigned r = 0; r < rounds; r++) {
        uint64_t stack[16], variable[4] = {0}, *sp = stack;

        for (const uint16_t *pc = program;;) {
            switch (*pc++) {
            case PUSH:
                *sp++ = *pc++;
                continue;
            case LOAD:
                *sp++ = variable[*pc++];
                continue;
            case SAVE:
                variable[*pc++] = *--sp;
                continue;
            case ADD:
                sp--;
                sp[-1] += *sp;
                continue;
            case REM:
                sp--;
                sp[-1] %= *sp;
                continue;
            case LESS:
                sp--;
                sp[-1] = sp[-1] < *sp;
                continue;
            case EQUAL:
                sp--;
                sp[-1] = sp[-1] == *sp;
                continue;
            case JZ:
                pc = *--sp ? pc + 1 : program + *pc;
                continue;
            case JMP:
                pc = program + *pc;
                continue;
            }
            break;
        }
        result = result * 31 + variable[2] + r;
    }
    return result;
}

/* --- floating-point --- */

static uint64_t double_bits(double v)
{
    union {
        double d;
        uint64_t u;
    } both = {.d = v};
    return both.u;
}

/* --- nbody: five bodies under gravity --- */

static uint64_t nbody_run(unsigned rounds)
{
    enum { BODIES = 5 };
    double p[BODIES][3] = {{0, 0, 0},
                           {4.84, -1.16, -0.10},
                           {8.34, 4.12, -0.4},
                           {12.89, -15.11, -0.22},
                           {15.37, -25.91, 0.17}};
    double v[BODIES][3] = {{0, 0, 0},
                           {0.6, 2.81, -0.02},
                           {-1.01, 1.82, 0.008},
                           {1.08, 0.86, -0.01},
                           {0.97, 0.59, -0.03}};
    const double mass[BODIES] = {39.47, 0.037, 0.011, 0.0017, 0.002};
    const double step = 0.01;

    for (unsigned r = 0; r < rounds; r++) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++) {
                double d[3], square = 0, pull;

                for (int k = 0; k < 3; k++) {
                    d[k] = p[i][k] - p[j][k];
                    square += d[k] * d[k];
                }
                pull = step / (square * __builtin_sqrt(square));
                for (int k = 0; k < 3; k++) {
                    v[i][k] -= d[k] * mass[j] * pull;
                    v[j][k] += d[k] * mass[i] * pull;
                }
            }
        for (int i = 0; i < BODIES; i++)
            for (int k = 0; k < 3; k++)
                p[i][k] += step * v[i][k];
    }
    return double_bits(p[0][0]) ^ double_bits(p[4][1]);
}

/* --- matmul: double precision --- */

static uint64_t matmul_run(unsigned rounds)
{
    static double a[MATRIX_N][MATRIX_N], b[MATRIX_N][MATRIX_N], c[MATRIX_N][MATRIX_N];
    uint32_t seed = 9;
    double sum = 0;

    for (int i = 0; i < MATRIX_N; i++)
        for (int j = 0; j < MATRIX_N; j++) {
            a[i][j] = random_next(&seed) * 0x1p-32;
            b[i][j] = random_next(&seed) * 0x1p-32 - 0.5;
        }
    for (unsigned r = 0; r < rounds; r++) {
        for (int i = 0; i < MATRIX_N; i++)
            for (int j = 0; j < MATRIX_N; j++) {
                double dot = 0;
                for (int k = 0; k < MATRIX_N; k++)
                    dot += a[i][k] * b[k][j];
                c[i][j] = dot;
            }
        a[r % MATRIX_N][r / MATRIX_N % MATRIX_N] += c[1][2] * 0.001;
        sum += c[r % MATRIX_N][3];
    }
    return double_bits(sum);
}

/* --- whet: elementary functions by series, in the proportions of the Whetstone mix --- */

static double whet_sin(double x)
{
    double s = x * x;
    return x * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72))));
}

static double whet_exp(double x)
{
    double term = 1, sum = 1;
    for (int i = 1; i < 12; i++) {
        term *= x / i;
        sum += term;
    }
    return sum;
}

static uint64_t whet_run(unsigned rounds)
{
    double e[4] = {1, -1, -1, -1}, t = 0.499975, x = 0.5, y = 0.5;

    for (unsigned r = 0; r < rounds; r++) {
        for (int i = 0; i < 12; i++) {
            e[0] = (e[0] + e[1] + e[2] - e[3]) * t;
            e[1] = (e[0] + e[1] - e[2] + e[3]) * t;
            e[2] = (e[0] - e[1] + e[2] + e[3]) * t;
            e[3] = (-e[0] + e[1] + e[2] + e[3]) * t;
        }
        x = t * whet_sin(x) + 0.25;
        y = t * whet_exp(-y) / (1 + x);
        x = __builtin_sqrt(x * x + y * y);
        if (x > 1.0)
            x -= (double)(int)x;
        e[r & 3] += (double)(r & 7) * 0.125 - y;
    }
    return double_bits(x + y) ^ double_bits(e[0]);
}

/* --- fft: 1024 complex points, in single precision --- */

enum { FFT_N = 1024 };

static uint64_t fft_run(unsigned rounds)
{
    static float re[FFT_N], im[FFT_N], wr[FFT_N / 2], wi[FFT_N / 2];
    float cr = 1, ci = 0, sum = 0;
    union {
        float f;
        uint32_t u;
    } both;

    for (int i = 0; i < FFT_N / 2; i++) { /* w = exp(-2 pi i / N), powers by multiplication */
        const float br = 0.99998117528f, bi = -0.00613588465f;
        float t = cr * br - ci * bi;
        wr[i] = cr;
        wi[i] = ci;
        ci = cr * bi + ci * br;
        cr = t;
    }
    for (int i = 0; i < FFT_N; i++) {
        re[i] = (float)(i % 17) - 8;
        im[i] = 0;
    }
    for (unsigned r = 0; r < rounds; r++) {
        for (int half = FFT_N / 2, stride = 1; half; half /= 2, stride *= 2)
            for (int base = 0; base < FFT_N; base += 2 * half)
                for (int k = 0; k < half; k++) {
                    int a = base + k, b = a + half;
                    float dr = re[a] - re[b], di = im[a] - im[b];
                    re[a] += re[b];
                    im[a] += im[b];
                    re[b] = dr * wr[k * stride] - di * wi[k * stride];
                    im[b] = dr * wi[k * stride] + di * wr[k * stride];
                }
        for (int i = 0; i < FFT_N; i++) { /* keep the numbers' size */
            re[i] *= 0.03125f;
            im[i] *= 0.03125f;
        }
        sum += re[r % FFT_N] + im[1];
    }
    both.f = sum;
    return both.u;
}

/* --- chase, random: all over 64 MiB, a cache line at a time --- */

enum { WIDE_LINES = 1 << 20 };
static struct line {
    uint64_t next, pad[7];
} wide[WIDE_LINES];

/* One cycle through all lines, in the order of a generator with full period. Made once: it is not
 * what is measured. */
static void wide_init(void)
{
    if (wide[0].next)
        return;
    for (uint64_t i = 0; i < WIDE_LINES; i++)
        wide[i].next = (i * 742938285 + 1013904223) % WIDE_LINES;
}

static uint64_t chase_run(unsigned rounds)
{
    uint64_t at = 0;

    wide_init();
    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < 1000; i++)
            at = wide[at].next;
    return at;
}

static uint64_t random_run(unsigned rounds)
{
    uint32_t seed = 13;
    uint64_t sum = 0;

    wide_init();
    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < 1000; i++)
            sum += wide[random_next(&seed) % WIDE_LINES].next;
    return sum;
}

const struct kernel bench_kernels[] = {
    {"list", list_run, 140},     {"matrix", matrix_run, 3},  {"state", state_run, 3000},
    {"crc", crc_run, 35},        {"sort", sort_run, 6},      {"hash", hash_run, 12},
    {"interp", interp_run, 2},   {"nbody", nbody_run, 5600}, {"matmul", matmul_run, 3},
    {"whet", whet_run, 19000},   {"fft", fft_run, 38},       {"chase", chase_run, 1000},
    {"random", random_run, 500},
};
const size_t bench_kernels_n = sizeof(bench_kernels) / sizeof(bench_kernels[0]);
