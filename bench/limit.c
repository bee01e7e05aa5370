/* The physical limit of a server on one core: bodies in memory, one thread, epoll, writev.
 *
 *     limit PORT LIST
 *
 * A line of LIST is an answer, separated by tabs: path, file of the header, file of the body,
 * entity tag, file of the header of a 304. It answers GET of these paths, whatever the query, and
 * looks at no header but If-None-Match. It is no web server: whatever else is sent to it gets 404.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM 4096      /* bytes of requests that a connection holds */
#define PLACES 1024    /* of the table of answers: a power of two */
#define EVENTS 512

typedef struct {
    char *data;
    size_t size;
} bytes;

typedef struct {
    bytes path, header, body, tag, unchanged;
} answer;

typedef struct {
    int fd;
    size_t held;        /* bytes in `in` */
    int drained;        /* the last read left nothing behind */
    bytes parts[2];     /* what is still to be sent */
    char in[ROOM];
} connection;

static answer answers[PLACES];
static const bytes nothing = {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 45};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static bytes contents(const char *path) {
    struct stat found;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &found)) fail(path);
    bytes all = {malloc(found.st_size + 1), found.st_size};
    for (size_t at = 0; at < all.size;) {
        ssize_t got = read(fd, all.data + at, all.size - at);
        if (got <= 0) fail(path);
        at += got;
    }
    close(fd);
    return all;
}

static uint32_t place_of(const char *path, size_t size) {
    uint32_t hash = 2166136261u;
    for (size_t at = 0; at < size; at++) hash = (hash ^ (unsigned char)path[at]) * 16777619u;
    return hash & (PLACES - 1);
}

static answer *find(const char *path, size_t size) {
    for (uint32_t at = place_of(path, size);; at = (at + 1) & (PLACES - 1)) {
        answer *found = &answers[at];
        if (!found->path.data) return found;
        if (found->path.size == size && !memcmp(found->path.data, path, size)) return found;
    }
}

static void load(const char *list) {
    char line[4096];
    FILE *file = fopen(list, "r");
    if (!file) fail(list);
    for (int count = 0; fgets(line, sizeof line, file); count++) {
        if (count == PLACES / 2) exit(2);
        char *path = strtok(line, "\t"), *header = strtok(NULL, "\t"), *body = strtok(NULL, "\t");
        char *tag = strtok(NULL, "\t"), *unchanged = strtok(NULL, "\t\n");
        if (!unchanged) exit(2);
        answer *one = find(path, strlen(path));
        one->path = (bytes){strdup(path), strlen(path)};
        one->tag = (bytes){strdup(tag), strlen(tag)};
        one->header = contents(header);
        one->body = contents(body);
        one->unchanged = contents(unchanged);
    }
    fclose(file);
}

/* Put the answer to the request of `size` bytes at the front of the buffer into `parts`. */
static void choose(connection *c, size_t size) {
    c->parts[0] = nothing;
    c->parts[1].size = 0;
    if (memcmp(c->in, "GET ", 4)) return;
    char *path = c->in + 4, *end = c->in + size, *stop = path;
    while (stop < end && *stop != ' ' && *stop != '?') stop++;
    answer *found = find(path, stop - path);
    if (!found->path.data) return;
    char *said = memmem(stop, end - stop, "If-None-Match: ", 15);
    if (said && memmem(said, end - said, found->tag.data, found->tag.size)) {
        c->parts[0] = found->unchanged;
        return;
    }
    c->parts[0] = found->header;
    c->parts[1] = found->body;
}

/* Go on with a connection as far as it lets one; 0 once it is over. */
static int step(connection *c) {
    for (;;) {
        while (c->parts[0].size || c->parts[1].size) {
            struct iovec out[2] = {{c->parts[0].data, c->parts[0].size},
                                   {c->parts[1].data, c->parts[1].size}};
            ssize_t sent = writev(c->fd, out, c->parts[1].size ? 2 : 1);
            if (sent < 0) {
                c->drained = 0; /* more may come until it can go on */
                return errno == EAGAIN;
            }
            for (int part = 0; part < 2; part++) {
                size_t some = (size_t)sent < c->parts[part].size ? (size_t)sent : c->parts[part].size;
                c->parts[part].data += some;
                c->parts[part].size -= some;
                sent -= some;
            }
        }
        char *end = c->held ? memmem(c->in, c->held, "\r\n\r\n", 4) : NULL;
        if (end) {
            size_t size = end + 4 - c->in;
            choose(c, size);
            c->held -= size;
            memmove(c->in, c->in + size, c->held);
            continue;
        }
        if (c->drained) {
            c->drained = 0;
            return 1;
        }
        size_t room = ROOM - c->held;
        if (!room) return 0;
        ssize_t got = read(c->fd, c->in + c->held, room);
        if (got < 0) return errno == EAGAIN;
        if (!got) return 0;
        c->held += got;
        c->drained = (size_t)got < room;
    }
}

static int listen_on(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) fail("listen");
    return fd;
}

static void take_all(int listener, int poll) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        connection *c = calloc(1, sizeof *c);
        if (!c) fail("memory");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted);
    }
}

int main(int count, char **said) {
    if (count != 3) return 2;
    signal(SIGPIPE, SIG_IGN); /* clients may hang up */
    load(said[2]);
    int listener = listen_on(atoi(said[1])), poll = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL}, found[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        int events = epoll_wait(poll, found, EVENTS, -1);
        for (int at = 0; at < events; at++) {
            connection *c = found[at].data.ptr;
            if (!c) {
                take_all(listener, poll);
            } else if (!step(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
