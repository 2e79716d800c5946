/* What libgcc_eh of GCC 12 and later asks of glibc and a static musl program does not have.

   `_dl_find_object` tells the unwinder which part of the program holds an address. The other half
   are strong references to functions of pthread that libgcc names only weakly: without them a
   static link leaves them out, and the first backtrace jumps to address 0. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* The layout is glibc's `struct dl_find_object`. */
struct found {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct question {
    uintptr_t address;
    struct found *answer;
};

static int look(struct dl_phdr_info *object, size_t size, void *data) {
    struct question *question = data;
    const ElfW(Phdr) *segment = NULL, *table = NULL;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *one = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + one->p_vaddr;
        if (one->p_type == PT_LOAD && question->address - begin < one->p_memsz) segment = one;
        if (one->p_type == PT_GNU_EH_FRAME) table = one;
    }
    if (!segment || !table) return 0;
    struct found *answer = question->answer;
    answer->map_start = (void *)(object->dlpi_addr + segment->p_vaddr);
    answer->map_end = (char *)answer->map_start + segment->p_memsz;
    answer->eh_frame = (void *)(object->dlpi_addr + table->p_vaddr);
    return 1;
}

int _dl_find_object(void *address, struct found *answer) {
    struct question question = {(uintptr_t)address, answer};
    return dl_iterate_phdr(look, &question) == 1 ? 0 : -1;
}

__attribute__((used)) static const void *const kept[] = {
    (const void *)pthread_once,        (const void *)pthread_key_create,
    (const void *)pthread_getspecific, (const void *)pthread_setspecific,
    (const void *)pthread_mutex_lock,  (const void *)pthread_mutex_unlock,
};
