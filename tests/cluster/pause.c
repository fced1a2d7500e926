/* What holds a pod's namespaces while its containers come and go: the first process of every pod. It collects processes that
 * lost their parent and ends when it is asked to. In C, because a static program of this size needs a compiler that is there
 * anyway (Rust's crates link with it) and no further target or toolchain. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void ended(int signal) {
    (void)signal;
    _exit(0);
}

static void orphan(int signal) {
    (void)signal;
    while (waitpid(-1, 0, WNOHANG) > 0) {
    }
}

int main(void) {
    signal(SIGINT, ended);
    signal(SIGTERM, ended);
    signal(SIGCHLD, orphan);
    for (;;) {
        pause();
    }
}
