/* 64-bit ARM: the machine `virt` of qemu-system-aarch64, with semihosting as its console:
 *   qemu-system-aarch64 -M virt -nic none -cpu cortex-a53 -m 64 -display none -chardev stdio,id=console \
 *     -semihosting-config enable=on,target=native,chardev=console -kernel program
 * Kernels use vector registers and read words wherever they lie, so the start-up code enables the former, and maps memory
 * onto itself as ordinary memory: without a map all of it counts as a device's, of which unaligned words cannot be read. */
#include "../board.h"
#include "../stack.h"

enum { SYS_WRITEC = 3, SYS_EXIT = 0x18, STACK_BYTES = 65536 };

static long semihosting(long operation, const void *argument) {
  register long x0 __asm__("x0") = operation;
  register const void *x1 __asm__("x1") = argument;
  __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
  return x0;
}

void board_write(const char *text, size_t size) {
  while (size--)
    semihosting(SYS_WRITEC, text++);
}

/* One gigabyte per entry: the first holds devices, the second memory. */
static _Alignas(4096) uint64_t map[512];

static void map_memory(void) {
  const uint64_t block = 1, used = 1 << 10, shared = 3 << 8, device = 0 << 2, ordinary = 1 << 2;
  map[0] = device | used | block;
  map[1] = 0x40000000 | ordinary | used | shared | block;
  __asm__ volatile("msr MAIR_EL1, %0\n\t" /* kind 0: device, kind 1: write-back */
                   "msr TCR_EL1, %1\n\t"  /* addresses of 39 bits from one table, pages of 4 KiB, write-back */
                   "msr TTBR0_EL1, %2\n\t"
                   "dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb\n\t"
                   "mrs x9, SCTLR_EL1\n\t"
                   "orr x9, x9, #1\n\t"     /* translate */
                   "orr x9, x9, #4\n\t"     /* cache data */
                   "orr x9, x9, #0x1000\n\t" /* cache code */
                   "bic x9, x9, #2\n\t"     /* unaligned words are no fault */
                   "msr SCTLR_EL1, x9\n\t"
                   "isb"
                   :
                   : "r"((uint64_t)0xff00), "r"((uint64_t)25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23), "r"(map)
                   : "x9", "memory");
}

extern unsigned char stack_end[]; /* of the linker script, which places the stack below it */

__attribute__((used)) static void begin(void) {
  map_memory();
  stack_paint(stack_end - STACK_BYTES);
  const uint64_t exit[] = {0x20026 /* the program ended by itself */, (uint64_t)board_main()};
  semihosting(SYS_EXIT, exit);
}

__attribute__((naked, used)) void _start(void) {
  __asm__ volatile("mov x9, #0x300000\n\t" /* floating point and vectors */
                   "msr CPACR_EL1, x9\n\t"
                   "isb\n\t"
                   "adrp x9, stack_end\n\t"
                   "add x9, x9, :lo12:stack_end\n\t"
                   "mov sp, x9\n\t"
                   "mov x29, #0\n\t"
                   "mov x30, #0\n\t"
                   "bl begin\n\t"
                   "b .");
}
