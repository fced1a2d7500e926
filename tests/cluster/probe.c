/* What the tests of a node let run in pods: a program without a shell, so that an image of it holds nothing else.
 *   probe say WORDS         prints WORDS and ends well
 *   probe fail INDEX CODE   ends with CODE if it is that completion index of its Job, well if it is another
 *   probe grow              takes memory until it is killed
 *   probe wait              waits to be asked to end, and then ends with 143 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void asked(int signal) {
    (void)signal;
    _exit(143);
}

static int fail(const char *index, const char *code) {
    const char *mine = getenv("JOB_COMPLETION_INDEX");
    if (mine && strcmp(mine, index) == 0) {
        fprintf(stderr, "index %s fails\n", mine);
        return atoi(code);
    }
    printf("index %s is done\n", mine ? mine : "of no Job");
    return 0;
}

static int grow(void) {
    const size_t step = 1 << 20;
    for (size_t mib = 1;; mib++) {
        char *more = malloc(step);
        if (!more) {
            return 1;
        }
        /* Not zero: equal pages of zeros might be shared. */
        memset(more, (int)(mib % 255) + 1, step);
    }
}

int main(int count, char **words) {
    if (count > 2 && strcmp(words[1], "say") == 0) {
        puts(words[2]);
        return 0;
    }
    if (count > 3 && strcmp(words[1], "fail") == 0) {
        return fail(words[2], words[3]);
    }
    if (count > 1 && strcmp(words[1], "grow") == 0) {
        return grow();
    }
    if (count > 1 && strcmp(words[1], "wait") == 0) {
        signal(SIGTERM, asked);
        for (;;) {
            pause();
        }
    }
    fputs("probe: say, fail, grow or wait\n", stderr);
    return 2;
}
