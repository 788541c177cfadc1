/* A malloc to be preloaded, whose blocks are aligned to 8 bytes and never to 16: what jemalloc gives where it was configured
 * with --with-lg-quantum=3, as in Fluent Bit's packages, and what C allows for small blocks. What is asked for with an
 * alignment gets it.
 *
 *   cc -shared -fPIC -o malloc8.so malloc8.c && LD_PRELOAD=./malloc8.so PROGRAM
 *
 * A block of malloc, calloc or realloc begins 8 bytes into one of the C library's, whose blocks begin at multiples of 16; so
 * its address says which kind it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SHIFT = 8 };

static int is_shifted(const void *block) { return (uintptr_t) block % 16 == SHIFT; }

static void *shifted(char *base) { return base ? base + SHIFT : NULL; }

static void *base_of(void *block) { return is_shifted(block) ? (char *) block - SHIFT : block; }

/* The size with the shift, or one that no malloc can give. */
static size_t enlarged(size_t size) { return size > SIZE_MAX - SHIFT ? SIZE_MAX : size + SHIFT; }

/* How many bytes the C library's block at `base` has. */
static size_t usable_size(void *base)
{
    static size_t (*found)(void *);
    if (!found)
        *(void **) &found = dlsym(RTLD_NEXT, "malloc_usable_size");
    return base ? found(base) : 0;
}

void *malloc(size_t size) { return shifted(__libc_malloc(enlarged(size))); }

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return shifted(__libc_calloc(1, enlarged(bytes)));
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    if (is_shifted(block))
        return shifted(__libc_realloc((char *) block - SHIFT, enlarged(size)));
    /* A block that was asked for with an alignment. */
    void *new = malloc(size);
    if (new) {
        size_t had = usable_size(block);
        memcpy(new, block, had < size ? had : size);
        free(block);
    }
    return new;
}

void free(void *block)
{
    if (block)
        __libc_free(base_of(block));
}

void *memalign(size_t alignment, size_t size)
{
    return alignment <= SHIFT ? malloc(size) : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size)
{
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *new = memalign(alignment, size);
    if (!new)
        return ENOMEM;
    *block = new;
    return 0;
}

size_t malloc_usable_size(void *block)
{
    size_t usable = usable_size(base_of(block));
    return is_shifted(block) ? usable - SHIFT : usable;
}
