/* The barest board at hand on a PC: a Linux process that makes two system calls and links nothing. */
#include "../board.h"
#include "../stack.h"

static long call(long number, long a, const void *b, size_t c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

void board_write(const char *text, size_t size) { call(1, 1, text, size); }

static _Alignas(64) unsigned char stack[65536];

__attribute__((used)) static void begin(void) {
  stack_paint(stack);
  call(231, board_main(), 0, 0);
}

__attribute__((naked, used)) void _start(void) {
  __asm__ volatile("lea stack+65536(%rip), %rsp\n\txor %ebp, %ebp\n\tcall begin");
}
