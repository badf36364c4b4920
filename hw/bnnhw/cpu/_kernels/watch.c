/* Asking whether a long evaluation shall go on. */
#include "watch.h"

#include <time.h>

#include "network.h"

/* Milliseconds from one question to the next. A question may wait for Python's lock for five. */
enum { PERIOD = 50 };

static bnn_question *question;

void bnn_ask(bnn_question *asked) { question = asked; }

static int64_t milliseconds(void) {
    struct timespec now;
    if (timespec_get(&now, TIME_UTC) != TIME_UTC) return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int bnn_look(bnn_watch *watch) {
    if (watch->ended) return 0;
    if (watch->stop != NULL && *watch->stop) {
        watch->ended = 1;
    } else if (question != NULL) {
        const int64_t now = milliseconds();
        if (watch->asked == 0) {
            watch->asked = now;
        } else if (now - watch->asked >= PERIOD || now < watch->asked) { /* or the clock was set back */
            watch->ended = question();
            watch->asked = milliseconds();
        }
    }
    if (watch->ended) return 0;
    watch->left = BNN_PATIENCE;
    return 1;
}
