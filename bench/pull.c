/* A load of many answers with large bodies, which costs the core that makes it next to nothing.
 *
 *     pull PORT CONNECTIONS SECONDS LIST [HEADER]
 *
 * Asks for the paths of LIST, with a header of its own if need be, in turn over so many connections, one request at a time on each. wrk
 * copies every byte that it reads: with one core for the load that is the limit long before the
 * server's core is. Here bodies are counted and dropped by the kernel (MSG_TRUNC, tcp(7)).
 * Findings are a line of JSON, as those of wrk.lua.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM 8192
#define PATHS 1024
#define MOST (1 << 24) /* answers whose times are kept */
#define DROP (8 << 20) /* bytes of one call */
#define EVENTS 512

typedef struct {
    int fd;
    size_t held;   /* bytes of the header */
    long left;     /* bytes of the body; -1 while the header is not whole */
    int64_t begun; /* microseconds */
    char in[ROOM + 1];
} connection;

static char *requests[PATHS];
static int paths, next, poll_fd, port;
static int64_t bytes;
static long refused, failed;
static uint32_t *times;
static long answers;

static int64_t micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void load(const char *list, const char *header) {
    char line[2048];
    FILE *file = fopen(list, "r");
    if (!file) exit(2);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        const char *form = "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n";
        const char *end = *header ? "\r\n" : "";
        if (paths == PATHS) exit(2);
        if (asprintf(&requests[paths++], form, line, port, header, end) < 0) exit(2);
    }
    fclose(file);
    if (!paths) exit(2);
}

static void ask(connection *c) {
    const char *request = requests[next];
    next = (next + 1) % paths;
    c->held = 0;
    c->left = -1;
    c->begun = micros();
    if (send(c->fd, request, strlen(request), 0) != (ssize_t)strlen(request)) failed++;
}

static void open_one(connection *c) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at)) exit(3);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &wanted);
    ask(c);
}

static void again(connection *c) {
    failed++;
    close(c->fd);
    open_one(c);
}

/* Read what there is of a header; the start of the body comes with it. */
static int read_header(connection *c) {
    ssize_t got = recv(c->fd, c->in + c->held, ROOM - c->held, MSG_DONTWAIT);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    c->held += got;
    bytes += got;
    c->in[c->held] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return c->held < ROOM;
    char *length = strcasestr(c->in, "\r\nContent-Length:");
    if (!length || length > end || c->held < 12) return 0;
    if (c->in[9] != '2') refused++;
    c->left = atol(length + 17) - (c->in + c->held - end - 4);
    return c->left >= 0;
}

static int drop_body(connection *c) {
    size_t most = c->left < DROP ? c->left : DROP;
    ssize_t got = recv(c->fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    c->left -= got;
    bytes += got;
    return 1;
}

static void step(connection *c) {
    if (!(c->left < 0 ? read_header(c) : drop_body(c))) {
        again(c);
    } else if (!c->left) {
        if (answers < MOST) times[answers] = micros() - c->begun;
        answers++;
        ask(c);
    }
}

static int order(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

int main(int count, char **said) {
    if (count != 5 && count != 6) return 2;
    signal(SIGPIPE, SIG_IGN);
    port = atoi(said[1]);
    int connections = atoi(said[2]);
    load(said[4], count == 6 ? said[5] : "");
    times = malloc(sizeof *times * MOST);
    connection *all = calloc(connections, sizeof *all);
    if (!times || !all) return 3;
    poll_fd = epoll_create1(0);
    int64_t begun = micros(), end = begun + atol(said[3]) * 1000000LL, now;
    for (int at = 0; at < connections; at++) open_one(&all[at]);
    struct epoll_event found[EVENTS];
    while ((now = micros()) < end) {
        int events = epoll_wait(poll_fd, found, EVENTS, 100);
        for (int at = 0; at < events; at++) step(found[at].data.ptr);
    }
    long kept = answers < MOST ? answers : MOST;
    qsort(times, kept, sizeof *times, order);
    printf("{\"requests\": %ld, \"bytes\": %ld, \"micros\": %ld, \"p50\": %u, \"p99\": %u, "
           "\"refused\": %ld, \"failed\": %ld}\n",
           answers, (long)bytes, (long)(now - begun), kept ? times[kept / 2] : 0,
           kept ? times[kept * 99 / 100] : 0, refused, failed);
    return 0;
}
