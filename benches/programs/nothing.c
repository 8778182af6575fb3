/* Ends at once: what is left of a launch when the command costs nothing. */
#include "bare.h"

void run(long *stack) {
    (void)stack;
    call(SYS_exit_group, 0, 0, 0, 0);
}
