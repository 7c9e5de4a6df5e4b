// A load for brokers of AMQP 0-9-1 that costs little itself, so that the broker is what is measured.
//
//   load publish PORT [NAME=VALUE...]   publishes with confirms
//   load consume PORT [NAME=VALUE...]   takes and acknowledges what is there
//   load both    PORT [NAME=VALUE...]   both at once, over two connections
//   load latency PORT [NAME=VALUE...]   to delivery and to confirm at a fixed rate, as seen from the time at which each message was due
//   load idle    PORT [NAME=VALUE...]   connections that send and expect heartbeats and do nothing else; says `ready` once all are there
//
// name=bench    queues are called that, or that with -0, -1, ... when there are several
// type=classic  or quorum        queues=1  spread over so many      fanout=0  1: every queue gets every message, through an exchange
// messages=100000 size=100 window=1000 (messages that are not confirmed) prefetch=1000
// rate=1000 seconds=5 (latency)  timeout=60 (seconds until it gives up)
// connections=10000 heartbeat=10 seconds=30 (idle)
//
// Prints one JSON object. Build: cc -O2 -o load load.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { METHOD = 1, HEADER = 2, BODY = 3, HEARTBEAT = 8, FRAME_END = 0xCE, READ_BYTES = 1 << 18, WRITE_BYTES_HIGH = 1 << 18, NAME_MAX_BYTES = 64 };

static struct {
  const char *mode, *name, *type;
  int port, queues, fanout, size, prefetch, rate, seconds, timeout, connections, heartbeat;
  uint64_t messages, window;
} options;

static uint64_t sent, confirmed, refused, received;
static double first_received, last_received;
/** Of deliveries as they come, and of confirms by their tag; in microseconds from the time at which the message was due. */
static float *latencies, *confirm_latencies;
static uint64_t latency_count, latency_capacity, first_due, due_interval;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "load: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
static double now(void) { return now_ns() / 1e9; }

static void put16(uint8_t *at, uint32_t value) { at[0] = value >> 8, at[1] = value; }
static void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16), put16(at + 2, value); }
static void put64(uint8_t *at, uint64_t value) { put32(at, value >> 32), put32(at + 4, value); }
static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }
static uint64_t get64(const uint8_t *at) { return (uint64_t)get32(at) << 32 | get32(at + 4); }

// ---- connections ----------------------------------------------------------------------------------------------------

typedef struct {
  uint8_t *bytes;
  size_t start, end, capacity;
} Buffer;

typedef struct {
  int socket;
  Buffer in, out;
  // Of deliveries: the last tag, and how many since the last acknowledgement.
  uint64_t delivered_tag;
  int unacknowledged;
} Connection;

static uint8_t *room(Buffer *buffer, size_t bytes) {
  if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
  if (buffer->end + bytes > buffer->capacity && buffer->start > 0) {
    memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
    buffer->end -= buffer->start;
    buffer->start = 0;
  }
  if (buffer->end + bytes > buffer->capacity) {
    buffer->capacity = (buffer->end + bytes) * 2;
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
    if (!buffer->bytes) fail("no memory", NULL);
  }
  return buffer->bytes + buffer->end;
}

static size_t held(const Buffer *buffer) { return buffer->end - buffer->start; }

static void flush(Connection *to) {
  while (held(&to->out) > 0) {
    ssize_t done = send(to->socket, to->out.bytes + to->out.start, held(&to->out), MSG_NOSIGNAL);
    if (done < 0 && errno == EAGAIN) return;
    if (done < 0) fail("cannot send", strerror(errno));
    to->out.start += done;
  }
}

static void fill(Connection *from) {
  ssize_t done = recv(from->socket, room(&from->in, READ_BYTES), READ_BYTES, 0);
  if (done == 0) fail("the broker closed the connection", NULL);
  if (done > 0) from->in.end += done;
  else if (errno != EAGAIN) fail("cannot receive", strerror(errno));
}

/** Sends, and receives once something is there or `wait_ns` are over. */
static void exchange(Connection **all, int count, uint64_t wait_ns) {
  struct pollfd polls[2];
  for (int n = 0; n < count; n++) {
    flush(all[n]);
    polls[n] = (struct pollfd){all[n]->socket, POLLIN | (held(&all[n]->out) ? POLLOUT : 0), 0};
  }
  struct timespec wait = {wait_ns / 1000000000u, wait_ns % 1000000000u};
  if (ppoll(polls, count, &wait, NULL) <= 0) return;
  for (int n = 0; n < count; n++) {
    if (polls[n].revents & POLLOUT) flush(all[n]);
    if (polls[n].revents & ~POLLOUT) fill(all[n]);
  }
}

static Connection *dial(void) {
  Connection *made = calloc(1, sizeof *made);
  made->socket = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (connect(made->socket, (void *)&address, sizeof address)) fail("cannot connect", strerror(errno));
  int on = 1;
  setsockopt(made->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(made->socket, F_SETFL, O_NONBLOCK);
  return made;
}

// ---- frames ---------------------------------------------------------------------------------------------------------

typedef struct {
  uint8_t bytes[512];
  size_t length;
} Method;

static Method method(int class_id, int method_id) {
  Method made = {.length = 4};
  put16(made.bytes, class_id), put16(made.bytes + 2, method_id);
  return made;
}
static void add8(Method *to, int value) { to->bytes[to->length++] = value; }
static void add16(Method *to, int value) { put16(to->bytes + to->length, value), to->length += 2; }
static void add32(Method *to, uint32_t value) { put32(to->bytes + to->length, value), to->length += 4; }
static void add64(Method *to, uint64_t value) { put64(to->bytes + to->length, value), to->length += 8; }
static void add_bytes(Method *to, const void *bytes, size_t length) { memcpy(to->bytes + to->length, bytes, length), to->length += length; }
static void add_short(Method *to, const char *text) { add8(to, strlen(text)), add_bytes(to, text, strlen(text)); }
static void add_long(Method *to, const char *text, size_t length) { add32(to, length), add_bytes(to, text, length); }

static void write_frame(Connection *to, int type, int channel, const void *payload, size_t length) {
  uint8_t *at = room(&to->out, length + 8);
  at[0] = type, put16(at + 1, channel), put32(at + 3, length);
  memcpy(at + 7, payload, length);
  at[7 + length] = FRAME_END;
  to->out.end += length + 8;
}

/** The next whole frame, or NULL. It is gone with the next call. */
static const uint8_t *next_frame(Connection *from, size_t *length) {
  if (held(&from->in) < 8) return NULL;
  const uint8_t *frame = from->in.bytes + from->in.start;
  *length = get32(frame + 3);
  if (held(&from->in) < *length + 8) return NULL;
  from->in.start += *length + 8;
  uint32_t class_id = get16(frame + 7), method_id = get16(frame + 9);
  if (frame[0] == METHOD && ((class_id == 10 && method_id == 50) || (class_id == 20 && method_id == 40))) {
    char text[256] = "";
    memcpy(text, frame + 14, frame[13]);
    fail("refused", text);
  }
  return frame;
}

static void await(Connection *from, uint32_t class_id, uint32_t method_id) {
  double until = now() + options.timeout;
  for (;;) {
    size_t length;
    for (const uint8_t *frame; (frame = next_frame(from, &length));)
      if (frame[0] == METHOD && get16(frame + 7) == class_id && get16(frame + 9) == method_id) return;
    if (now() > until) fail("no answer", NULL);
    exchange(&from, 1, 1000000000u);
  }
}

static void call(Connection *to, int channel, Method request, int reply) {
  write_frame(to, METHOD, channel, request.bytes, request.length);
  await(to, get16(request.bytes), reply);
}

// ---- what both sides need -------------------------------------------------------------------------------------------

static Connection *log_in(void) {
  Connection *made = dial();
  memcpy(room(&made->out, 8), "AMQP\0\0\x09\x01", 8), made->out.end += 8;
  await(made, 10, 10);
  Method start_ok = method(10, 11);
  add32(&start_ok, 0), add_short(&start_ok, "PLAIN"), add_long(&start_ok, "\0guest\0guest", 12), add_short(&start_ok, "en_US");
  write_frame(made, METHOD, 0, start_ok.bytes, start_ok.length);
  await(made, 10, 30);
  Method tune_ok = method(10, 31);
  add16(&tune_ok, 2047), add32(&tune_ok, 131072), add16(&tune_ok, options.heartbeat);
  write_frame(made, METHOD, 0, tune_ok.bytes, tune_ok.length);
  Method open = method(10, 40);
  add_short(&open, "/"), add_short(&open, ""), add8(&open, 0);
  call(made, 0, open, 41);
  Method channel = method(20, 10);
  add_short(&channel, "");
  call(made, 1, channel, 11);
  return made;
}

static const char *queue_name(int n) {
  static char text[NAME_MAX_BYTES * 2];
  if (options.queues == 1) snprintf(text, sizeof text, "%s", options.name);
  else snprintf(text, sizeof text, "%s-%d", options.name, n);
  return text;
}

static void declare(Connection *to) {
  for (int n = 0; n < options.queues; n++) {
    Method queue = method(50, 10);
    add16(&queue, 0), add_short(&queue, queue_name(n)), add8(&queue, 2);
    size_t table = queue.length;
    add32(&queue, 0);
    if (strcmp(options.type, "classic") != 0) {
      add_short(&queue, "x-queue-type"), add8(&queue, 'S'), add_long(&queue, options.type, strlen(options.type));
      put32(queue.bytes + table, queue.length - table - 4);
    }
    call(to, 1, queue, 11);
  }
  if (!options.fanout) return;
  Method made = method(40, 10);
  add16(&made, 0), add_short(&made, options.name), add_short(&made, "fanout"), add8(&made, 2), add32(&made, 0);
  call(to, 1, made, 11);
  for (int n = 0; n < options.queues; n++) {
    Method bind = method(50, 20);
    add16(&bind, 0), add_short(&bind, queue_name(n)), add_short(&bind, options.name), add_short(&bind, ""), add8(&bind, 0), add32(&bind, 0);
    call(to, 1, bind, 21);
  }
}

// ---- publishing -----------------------------------------------------------------------------------------------------

/** The frames of a message up to its body, for each queue. */
static struct {
  uint8_t bytes[256];
  size_t length;
} *prefixes;
static uint8_t *body;

static void prepare(Connection *to) {
  call(to, 1, (Method){{0, 85, 0, 10, 0}, 5}, 11);
  int kinds = options.fanout ? 1 : options.queues;
  prefixes = calloc(kinds, sizeof *prefixes);
  for (int n = 0; n < kinds; n++) {
    Connection frames = {0};
    Method publish = method(60, 40), header = method(60, 0);
    add16(&publish, 0);
    add_short(&publish, options.fanout ? options.name : "");
    add_short(&publish, options.fanout ? "" : queue_name(n));
    add8(&publish, 0);
    add64(&header, options.size), add16(&header, 0x1000), add8(&header, 2);
    write_frame(&frames, METHOD, 1, publish.bytes, publish.length);
    write_frame(&frames, HEADER, 1, header.bytes, header.length);
    prefixes[n].length = held(&frames.out);
    memcpy(prefixes[n].bytes, frames.out.bytes, prefixes[n].length);
    free(frames.out.bytes);
  }
  body = malloc(options.size < 8 ? 8 : options.size);
  memset(body, 'x', options.size < 8 ? 8 : options.size);
}

static void publish(Connection *to) {
  int kind = options.fanout ? 0 : sent % options.queues;
  size_t length = prefixes[kind].length;
  memcpy(room(&to->out, length), prefixes[kind].bytes, length), to->out.end += length;
  write_frame(to, BODY, 1, body, options.size);
  sent++;
}

static void count_confirm(uint64_t tag) {
  confirmed++;
  if (confirm_latencies && tag <= latency_capacity) confirm_latencies[tag - 1] = (now_ns() - first_due - (tag - 1) * due_interval) / 1e3;
}

/** Confirms may come in any order: what was confirmed one by one is remembered until all before it is, too. */
static void confirm(uint64_t tag, int multiple) {
  static uint64_t below;
  static uint8_t *ahead;
  static uint64_t capacity;
  if (tag >= capacity) {
    uint64_t larger = tag * 2 + 1024;
    ahead = realloc(ahead, larger);
    memset(ahead + capacity, 0, larger - capacity);
    capacity = larger;
  }
  if (!multiple) {
    if (tag > below && !ahead[tag]) ahead[tag] = 1, count_confirm(tag);
    while (below + 1 < capacity && ahead[below + 1]) below++;
    return;
  }
  for (; below < tag; below++) if (!ahead[below + 1]) ahead[below + 1] = 1, count_confirm(below + 1);
}

static void take_confirms(Connection *from) {
  size_t length;
  for (const uint8_t *frame; (frame = next_frame(from, &length));) {
    if (frame[0] != METHOD || get16(frame + 7) != 60) continue;
    uint32_t which = get16(frame + 9);
    if (which != 80 && which != 120) continue;
    uint64_t before = confirmed;
    confirm(get64(frame + 11), frame[19] & 1);
    if (which == 120) refused += confirmed - before;
  }
}

// ---- consuming ------------------------------------------------------------------------------------------------------

static void subscribe(Connection *to) {
  Method qos = method(60, 10);
  add32(&qos, 0), add16(&qos, options.prefetch), add8(&qos, 0);
  call(to, 1, qos, 11);
  for (int n = 0; n < options.queues; n++) {
    Method consume = method(60, 20);
    add16(&consume, 0), add_short(&consume, queue_name(n)), add_short(&consume, ""), add8(&consume, 0), add32(&consume, 0);
    write_frame(to, METHOD, 1, consume.bytes, consume.length);
  }
}

static void acknowledge(Connection *to) {
  Method ack = method(60, 80);
  add64(&ack, to->delivered_tag), add8(&ack, 1);
  write_frame(to, METHOD, 1, ack.bytes, ack.length);
  to->unacknowledged = 0;
}

static void take_deliveries(Connection *from, int every) {
  size_t length;
  for (const uint8_t *frame; (frame = next_frame(from, &length));) {
    if (frame[0] == METHOD && get16(frame + 7) == 60 && get16(frame + 9) == 60) from->delivered_tag = get64(frame + 12 + frame[11]);
    if (frame[0] != BODY) continue;
    if (received++ == 0) first_received = now();
    if (latencies && latency_count < latency_capacity) {
      uint64_t due;
      memcpy(&due, frame + 7, 8);
      latencies[latency_count++] = (now_ns() - due) / 1e3;
    }
    if (++from->unacknowledged >= every) acknowledge(from);
  }
  last_received = now();
}

// ---- modes ----------------------------------------------------------------------------------------------------------

static double processor_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run_throughput(int publishes, int consumes) {
  Connection *publisher = publishes ? log_in() : NULL, *consumer = consumes ? log_in() : NULL;
  declare(publishes ? publisher : consumer);
  if (publishes) prepare(publisher);
  if (consumes) subscribe(consumer);
  Connection *all[2];
  int count = 0;
  if (publishes) all[count++] = publisher;
  if (consumes) all[count++] = consumer;
  uint64_t copies = options.fanout ? options.queues : 1, expected = options.messages * copies;
  int every = options.prefetch / 4 > 0 ? options.prefetch / 4 : 1;
  double begin = now(), processor = processor_seconds();
  while ((publishes && confirmed < options.messages) || (consumes && received < expected)) {
    while (publishes && sent < options.messages && sent - confirmed < options.window && held(&publisher->out) < WRITE_BYTES_HIGH) publish(publisher);
    exchange(all, count, 200000000u);
    if (publishes) take_confirms(publisher);
    if (consumes) take_deliveries(consumer, every);
    if (now() - begin > options.timeout) break;
  }
  double took = (consumes && !publishes ? last_received - first_received : now() - begin);
  processor = processor_seconds() - processor;
  if (consumes) {
    // What was acknowledged last reaches the broker.
    if (consumer->unacknowledged > 0) acknowledge(consumer);
    for (double until = now() + 0.3; now() < until;) exchange(&consumer, 1, 50000000u), take_deliveries(consumer, 1 << 30);
  }
  printf("{\"sent\":%lu,\"confirmed\":%lu,\"refused\":%lu,\"received\":%lu,\"seconds\":%.4f,\"processors\":%.2f}\n", sent, confirmed, refused, received, took, processor / took);
}

/** Brokers compile their code while it runs: what happens until then does not count. */
enum { WARMUP_SECONDS = 10 };

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

static void print_percentiles(const char *before, float *measured, uint64_t count) {
  qsort(measured, count, sizeof *measured, by_value);
  printf(",\"%sp50us\":%.0f,\"%sp99us\":%.0f,\"%sp999us\":%.0f", before, measured[count / 2], before, measured[(uint64_t)(count * 0.99)], before, measured[(uint64_t)(count * 0.999)]);
}

static void run_latency(void) {
  Connection *publisher = log_in(), *consumer = log_in();
  declare(publisher), prepare(publisher), subscribe(consumer);
  uint64_t warmup = (uint64_t)options.rate * WARMUP_SECONDS, total = (uint64_t)options.rate * options.seconds + warmup;
  latency_capacity = total;
  latencies = malloc(total * sizeof *latencies), confirm_latencies = malloc(total * sizeof *confirm_latencies);
  Connection *all[2] = {publisher, consumer};
  due_interval = 1000000000u / options.rate;
  first_due = now_ns();
  while (received < total || confirmed < total) {
    uint64_t due;
    while (sent < total && now_ns() >= (due = first_due + sent * due_interval)) {
      memcpy(body, &due, 8);
      publish(publisher);
    }
    uint64_t at = now_ns(), next = sent < total ? first_due + sent * due_interval : at + 5000000u;
    exchange(all, 2, next > at ? next - at : 0);
    take_confirms(publisher), take_deliveries(consumer, 1);
    if (now_ns() - first_due > (uint64_t)(WARMUP_SECONDS + options.seconds + options.timeout) * 1000000000u) break;
  }
  if (received < total || confirmed < total) fail("not all messages came back", NULL);
  printf("{\"received\":%lu", received);
  print_percentiles("", latencies + warmup, total - warmup);
  print_percentiles("confirm_", confirm_latencies + warmup, total - warmup);
  printf("}\n");
}

static void run_idle(void) {
  int count = options.connections;
  Connection **all = calloc(count, sizeof *all);
  struct pollfd *polls = calloc(count, sizeof *polls);
  double begin = now(), opened = 0;
  for (int n = 0; n < count; n++) {
    all[n] = log_in();
    polls[n] = (struct pollfd){all[n]->socket, POLLIN, 0};
    // What it held for the login is not needed any more.
    free(all[n]->in.bytes), free(all[n]->out.bytes);
    all[n]->in = all[n]->out = (Buffer){0};
  }
  opened = now() - begin;
  printf("ready\n"), fflush(stdout);
  uint64_t heartbeats = 0;
  double beat = options.heartbeat / 2.0, next = now();
  for (double until = now() + options.seconds; now() < until;) {
    if (now() >= next) {
      for (int n = 0; n < count; n++) {
        write_frame(all[n], HEARTBEAT, 0, "", 0), flush(all[n]);
        free(all[n]->out.bytes), all[n]->out = (Buffer){0};
      }
      next += beat;
    }
    if (poll(polls, count, 100) <= 0) continue;
    for (int n = 0; n < count; n++) {
      if (!polls[n].revents) continue;
      uint8_t bytes[64];
      ssize_t done = recv(all[n]->socket, bytes, sizeof bytes, 0);
      if (done == 0) fail("the broker closed a connection", NULL);
      if (done > 0 && bytes[0] == HEARTBEAT) heartbeats += done / 8;
    }
  }
  printf("{\"connections\":%d,\"opened_seconds\":%.3f,\"heartbeats\":%lu}\n", count, opened, heartbeats);
}

static const char *option(int count, char **words, const char *name, const char *otherwise) {
  size_t length = strlen(name);
  for (int n = 3; n < count; n++) if (!strncmp(words[n], name, length) && words[n][length] == '=') return words[n] + length + 1;
  return otherwise;
}

int main(int count, char **words) {
  if (count < 3) fail("usage", "load publish|consume|both|latency|idle PORT [NAME=VALUE...]");
  options.mode = words[1];
  options.port = atoi(words[2]);
  options.name = option(count, words, "name", "bench");
  if (strlen(options.name) > NAME_MAX_BYTES) fail("the name is too long", NULL);
  options.type = option(count, words, "type", "classic");
  options.queues = atoi(option(count, words, "queues", "1"));
  options.fanout = atoi(option(count, words, "fanout", "0"));
  options.size = atoi(option(count, words, "size", "100"));
  if (options.size < 8) fail("size", "a message has at least 8 bytes");
  options.prefetch = atoi(option(count, words, "prefetch", "1000"));
  options.rate = atoi(option(count, words, "rate", "1000"));
  options.seconds = atoi(option(count, words, "seconds", "5"));
  options.timeout = atoi(option(count, words, "timeout", "60"));
  options.messages = strtoull(option(count, words, "messages", "100000"), NULL, 10);
  options.window = strtoull(option(count, words, "window", "1000"), NULL, 10);
  int idle = !strcmp(options.mode, "idle");
  options.connections = atoi(option(count, words, "connections", "10000"));
  options.heartbeat = atoi(option(count, words, "heartbeat", idle ? "10" : "0"));
  if (!strcmp(options.mode, "latency")) run_latency();
  else if (idle) run_idle();
  else if (!strcmp(options.mode, "publish")) run_throughput(1, 0);
  else if (!strcmp(options.mode, "consume")) run_throughput(0, 1);
  else if (!strcmp(options.mode, "both")) run_throughput(1, 1);
  else fail("no such mode", options.mode);
  return 0;
}
