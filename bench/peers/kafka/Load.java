import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Loads a broker that speaks Kafka's protocol, by Kafka's own client, and prints one line of JSON.
 *
 *   Load produce ADDRESS TOPIC TOPICS BYTES SECONDS   acks=all, as fast as it goes, to TOPICS topics in turn
 *   Load consume ADDRESS TOPIC OTHER SECONDS          from the beginning to the end, again and again; before that OTHER in the same way
 *   Load latency ADDRESS TOPIC RATE SECONDS           from the send of a record of 100 bytes to its arrival at a consumer
 *
 * What happens while the programs are compiled, in the first seconds, does not count.
 */
public final class Load {
  private static final double PRODUCE_WARMUP_SECONDS = 5;
  private static final double CONSUME_WARMUP_SECONDS = 8;
  private static final double LATENCY_WARMUP_SECONDS = 8;
  private static final int TOPICS_AT_ONCE = 100;

  public static void main(String[] arguments) throws Exception {
    String address = arguments[1];
    String topic = arguments[2];
    switch (arguments[0]) {
      case "produce" -> produce(address, topic, number(arguments[3]), number(arguments[4]), number(arguments[5]));
      case "consume" -> consume(address, topic, arguments[3], number(arguments[4]));
      case "latency" -> latency(address, topic, number(arguments[3]), number(arguments[4]));
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static void produce(String address, String name, int topicCount, int bytes, int seconds) throws Exception {
    List<String> topics = IntStream.range(0, topicCount).mapToObj(n -> topicCount == 1 ? name : name + "-" + n).toList();
    createTopics(address, topics);
    byte[] body = new byte[bytes];
    Arrays.fill(body, (byte) 'm');
    AtomicLong confirmed = new AtomicLong();
    AtomicReference<Exception> failure = new AtomicReference<>();
    long warmAt;
    long warmConfirmed = 0;
    long countsFrom = 0;
    double measured;
    try (KafkaProducer<byte[], byte[]> producer = producer(address, 5)) {
      // The first send to a topic waits until its leader is known, and the first of all sends until it leads.
      for (String topic : topics) producer.send(new ProducerRecord<>(topic, body));
      producer.flush();
      warmAt = System.nanoTime() + nanos(PRODUCE_WARMUP_SECONDS);
      long endAt = warmAt + nanos(seconds);
      for (long n = 0; ; n++) {
        if ((n & 63) == 0) {
          long now = System.nanoTime();
          if (now >= endAt) break;
          if (countsFrom == 0 && now >= warmAt) {
            countsFrom = now;
            warmConfirmed = confirmed.get();
          }
        }
        producer.send(new ProducerRecord<>(topics.get((int) (n % topicCount)), body), (metadata, error) -> {
          if (error == null) confirmed.incrementAndGet();
          else failure.compareAndSet(null, error);
        });
        if (failure.get() != null) throw failure.get();
      }
      measured = (System.nanoTime() - countsFrom) / 1e9;
      warmConfirmed = confirmed.get() - warmConfirmed;
    }
    if (failure.get() != null) throw failure.get();
    System.out.printf("{\"messages\":%d,\"seconds\":%f,\"confirmed\":%d}%n", warmConfirmed, measured, confirmed.get());
  }

  private static void consume(String address, String topic, String other, int seconds) {
    try (KafkaConsumer<byte[], byte[]> consumer = consumer(address)) {
      // Another topic: what the measured one gives is read for the first time.
      long warmAt = System.nanoTime() + nanos(CONSUME_WARMUP_SECONDS);
      while (System.nanoTime() < warmAt) read(consumer, other, warmAt);
      double messages = 0;
      double measured = 0;
      long giveUpAt = System.nanoTime() + nanos(seconds);
      while (System.nanoTime() < giveUpAt) {
        double[] figures = read(consumer, topic, giveUpAt);
        messages += figures[0];
        measured += figures[1];
      }
      System.out.printf("{\"messages\":%.0f,\"seconds\":%f}%n", messages, measured);
    }
  }

  /** Until the end or `giveUpAt`. @return how many messages came after the first ones, and how many seconds after those the last */
  private static double[] read(KafkaConsumer<byte[], byte[]> consumer, String topic, long giveUpAt) {
    TopicPartition partition = new TopicPartition(topic, 0);
    consumer.assign(List.of(partition));
    consumer.seekToBeginning(List.of(partition));
    long end = consumer.endOffsets(List.of(partition)).get(partition);
    long messages = 0;
    long firstAt = 0;
    long lastAt = 0;
    while (consumer.position(partition) < end && System.nanoTime() < giveUpAt) {
      ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
      if (records.isEmpty()) continue;
      lastAt = System.nanoTime();
      if (firstAt == 0) firstAt = lastAt;
      else messages += records.count();
    }
    return new double[] {messages, (lastAt - firstAt) / 1e9};
  }

  private static void latency(String address, String topic, int rate, int seconds) throws Exception {
    createTopics(address, List.of(topic));
    long[] latencies = new long[rate * seconds];
    AtomicLong taken = new AtomicLong();
    long startAt = System.nanoTime() + nanos(1);
    long warmAt = startAt + nanos(LATENCY_WARMUP_SECONDS);
    long endAt = warmAt + nanos(seconds);
    Thread reader = new Thread(() -> {
      try (KafkaConsumer<byte[], byte[]> consumer = consumer(address)) {
        TopicPartition partition = new TopicPartition(topic, 0);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        while (System.nanoTime() < endAt + nanos(1)) {
          ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
          long now = System.nanoTime();
          for (ConsumerRecord<byte[], byte[]> record : records) {
            long sentAt = readLong(record.value());
            if (sentAt < warmAt || sentAt >= endAt) continue;
            int n = (int) taken.getAndIncrement();
            if (n < latencies.length) latencies[n] = now - sentAt;
          }
        }
      }
    });
    reader.start();
    try (KafkaProducer<byte[], byte[]> producer = producer(address, 0)) {
      for (long n = 0; ; n++) {
        long dueAt = startAt + (long) (n * 1e9 / rate);
        if (dueAt >= endAt) break;
        long wait = dueAt - System.nanoTime();
        if (wait > 20_000) LockSupport.parkNanos(wait);
        byte[] body = new byte[100];
        writeLong(body, System.nanoTime());
        producer.send(new ProducerRecord<>(topic, body));
      }
    }
    reader.join();
    int count = (int) Math.min(taken.get(), latencies.length);
    Arrays.sort(latencies, 0, count);
    System.out.printf("{\"messages\":%d,\"p50\":%f,\"p99\":%f,\"p999\":%f}%n", count, at(latencies, count, 0.5), at(latencies, count, 0.99),
        at(latencies, count, 0.999));
  }

  private static double at(long[] sorted, int count, double share) {
    return count == 0 ? Double.NaN : sorted[Math.min(count - 1, (int) (count * share))] / 1e6;
  }

  private static KafkaProducer<byte[], byte[]> producer(String address, int lingerMs) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", address);
    settings.put("acks", "all");
    settings.put("linger.ms", lingerMs);
    settings.put("batch.size", 65536);
    settings.put("buffer.memory", 64 * 1024 * 1024);
    settings.put("max.request.size", 4 * 1024 * 1024);
    settings.put("max.block.ms", 300_000);
    settings.put("request.timeout.ms", 300_000);
    settings.put("delivery.timeout.ms", 600_000);
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static KafkaConsumer<byte[], byte[]> consumer(String address) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", address);
    settings.put("max.poll.records", 5000);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static void createTopics(String address, List<String> names) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address, "default.api.timeout.ms", "300000", "request.timeout.ms", "300000"))) {
      for (int from = 0; from < names.size(); from += TOPICS_AT_ONCE) {
        List<String> some = names.subList(from, Math.min(names.size(), from + TOPICS_AT_ONCE));
        try {
          admin.createTopics(some.stream().map(name -> new NewTopic(name, 1, (short) 1)).toList()).all().get();
        } catch (ExecutionException error) {
          if (!(error.getCause() instanceof TopicExistsException)) throw error;
        }
      }
    }
  }

  private static int number(String text) {
    return Integer.parseInt(text);
  }

  private static long nanos(double seconds) {
    return (long) (seconds * 1e9);
  }

  private static void writeLong(byte[] bytes, long value) {
    for (int n = 0; n < 8; n++) bytes[n] = (byte) (value >>> (56 - 8 * n));
  }

  private static long readLong(byte[] bytes) {
    long value = 0;
    for (int n = 0; n < 8; n++) value = value << 8 | (bytes[n] & 0xff);
    return value;
  }
}
