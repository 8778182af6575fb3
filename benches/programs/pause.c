/* Sleeps until it is killed. */
#include "bare.h"

void run(long *stack) {
    (void)stack;
    for (;;)
        call(SYS_pause, 0, 0, 0, 0);
}
