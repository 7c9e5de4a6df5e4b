// A producer of Kafka's protocol by librdkafka that costs little itself and does not wait: `acks=all`, any number of requests under way.
//
//   pipelined ADDRESS TOPIC BYTES SECONDS      messages of BYTES each, which is a batch each at 64 KiB; a second more before, uncounted
//
// Prints one JSON object. Build: cc -O2 -o pipelined pipelined.c -lrdkafka (Debian: librdkafka-dev)
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 400, WARMUP_SECONDS = 1, FLUSH_MS = 10000 };

static long confirmed;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
  fprintf(stderr, "pipelined: %s\n", what);
  exit(1);
}

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client, (void)opaque;
  if (message->err) fail(rd_kafka_err2str(message->err));
  confirmed++;
}

static void set(rd_kafka_conf_t *settings, const char *name, const char *value) {
  char error[512];
  if (rd_kafka_conf_set(settings, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) fail(error);
}

int main(int count, char **words) {
  if (count != 5) fail("pipelined ADDRESS TOPIC BYTES SECONDS");
  size_t bytes = strtoul(words[3], NULL, 10);
  double seconds = strtod(words[4], NULL);

  rd_kafka_conf_t *settings = rd_kafka_conf_new();
  set(settings, "bootstrap.servers", words[1]);
  set(settings, "acks", "all");
  set(settings, "linger.ms", "0");
  set(settings, "batch.size", "65600");
  rd_kafka_conf_set_dr_msg_cb(settings, on_report);
  char error[512];
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, settings, error, sizeof error);
  if (client == NULL) fail(error);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(client, words[2], NULL);
  if (topic == NULL) fail("no topic");
  char *body = malloc(bytes);
  if (body == NULL) fail("no memory");
  memset(body, 'm', bytes);

  double began = now(), started = 0;
  long before = 0, sent = 0;
  for (;;) {
    double time = now();
    if (started == 0 && time - began > WARMUP_SECONDS) {
      started = time;
      before = confirmed;
    }
    if (started != 0 && time - started > seconds) break;
    // The body is not copied: nobody changes it.
    if (sent - confirmed < WINDOW && rd_kafka_produce(topic, 0, 0, body, bytes, NULL, 0, NULL) == 0) {
      sent++;
      rd_kafka_poll(client, 0);
    } else rd_kafka_poll(client, 1);
  }
  printf("{\"messages\":%ld,\"seconds\":%f}\n", confirmed - before, now() - started);
  if (rd_kafka_flush(client, FLUSH_MS)) fail("not all was confirmed in time");
  return 0;
}
