/* The start of a static position-independent program with packed relative relocations (DT_RELR).

   They take 2.6 KB where a table of entries takes 64 KB on armv7, and musl's own start file reads
   them from version 1.2.4 on only. So they are applied here, before it is entered, and are then
   emptied, so that a newer musl does not apply them once more. Nothing is relocated yet when this
   runs: it calls no function of another file, and takes addresses relative to its own. */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* gABI, "Relative Relocation Table"; the header of musl 1.2.3 has no names for them. */
#define RELR_SIZE 35
#define RELR 36

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"), used)) void neap_relocate(void) {
    const uintptr_t base = (uintptr_t)__ehdr_start;
    const uintptr_t *word = NULL;
    uintptr_t *place = NULL;
    size_t words = 0;
    for (ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == RELR)
            word = (const uintptr_t *)(base + entry->d_un.d_ptr);
        if (entry->d_tag == RELR_SIZE) {
            words = entry->d_un.d_val / sizeof(uintptr_t);
            entry->d_un.d_val = 0;
        }
    }
    for (; words > 0; words--, word++) {
        if ((*word & 1) == 0) {
            /* The address of a pointer; the bits of the words behind it speak of those that follow. */
            place = (uintptr_t *)(base + *word);
            *place++ += base;
            continue;
        }
        for (size_t bit = 1; bit < 8 * sizeof(uintptr_t); bit++)
            if (*word >> bit & 1)
                place[bit - 1] += base;
        place += 8 * sizeof(uintptr_t) - 1;
    }
}

/* Where the kernel enters. The stack is as it must be at a call, and musl's start reads it alone. */
#if defined(__aarch64__)
#define THEN "bl neap_relocate\n b _start\n"
#elif defined(__arm__)
#define THEN "bl neap_relocate\n bl _start\n"
#elif defined(__x86_64__)
#define THEN "call neap_relocate\n jmp _start\n"
#else
#error "cross/musl/start.c knows no start for this processor"
#endif
__asm__(".text\n.global neap_start\n.hidden neap_start\n"
#ifdef __thumb__
        ".thumb_func\n"
#endif
        ".type neap_start, %function\nneap_start:\n" THEN);
