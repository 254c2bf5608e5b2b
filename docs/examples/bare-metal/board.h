/* What the example needs of a board, and the board of it. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>

void board_write(const char *text, size_t size);
/* Most bytes of the stack that were in use since board_main was called. */
size_t board_stack_used(void);
/* Called by the board's start-up code; what it returns is the program's exit code. */
int board_main(void);

#endif
