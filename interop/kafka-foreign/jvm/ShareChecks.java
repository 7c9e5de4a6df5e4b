import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Share groups: ShareChecks ADDRESS CHECK [GROUP TOPIC]. A check prints "ok", or fails; `work` goes on until its input ends. */
public class ShareChecks {
  private static final long DEADLINE_MS = 60_000;
  private static String address;

  public static void main(String[] arguments) throws Exception {
    address = arguments[0];
    switch (arguments[1]) {
      case "acknowledge" -> acknowledge();
      case "renew" -> renew();
      case "lapse" -> lapse();
      case "partitions" -> partitions();
      case "together" -> together();
      case "work" -> work(arguments[2], arguments[3]);
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    System.out.println("ok");
  }

  /** Accepted is done, released comes again with a higher count, rejected does not. What a consumer leaves behind goes to the next. */
  private static void acknowledge() throws Exception {
    configure("acknowledging", Map.of("share.auto.offset.reset", "earliest"));
    send("acknowledged", 9, Map.of("compression.type", "zstd"));
    try (KafkaShareConsumer<String, String> consumer = consumer("acknowledging", Map.of("share.acknowledgement.mode", "explicit"))) {
      consumer.subscribe(List.of("acknowledged"));
      Map<String, Short> seen = new TreeMap<>();
      while (seen.size() < 9) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
          seen.put(record.value(), record.deliveryCount().get());
          int n = Integer.parseInt(record.value());
          var type = n % 3 == 0 ? AcknowledgeType.ACCEPT : n % 3 == 1 ? AcknowledgeType.RELEASE : AcknowledgeType.REJECT;
          if (record.deliveryCount().get() > 1) throw new AssertionError("it came again: " + record);
          consumer.acknowledge(record, type);
        }
        committed(consumer.commitSync());
      }
      List<String> again = new ArrayList<>();
      while (again.size() < 3) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
          again.add(record.value() + " " + record.deliveryCount().get());
          consumer.acknowledge(record, AcknowledgeType.RELEASE);
        }
      }
      check(again, List.of("1 2", "4 2", "7 2"));
    }
    try (KafkaShareConsumer<String, String> consumer = consumer("acknowledging", Map.of())) {
      consumer.subscribe(List.of("acknowledged"));
      check(poll(consumer, 3), List.of("1 3", "4 3", "7 3"));
    }
  }

  /** Records whose acquisition is renewed stay with their consumer. */
  private static void renew() throws Exception {
    configure("renewing", Map.of("share.auto.offset.reset", "earliest", "share.record.lock.duration.ms", "1500"));
    send("renewed", 2, Map.of());
    try (KafkaShareConsumer<String, String> consumer = consumer("renewing", Map.of("share.acknowledgement.mode", "explicit"));
        KafkaShareConsumer<String, String> other = consumer("renewing", Map.of())) {
      consumer.subscribe(List.of("renewed"));
      other.subscribe(List.of("renewed"));
      ConsumerRecords<String, String> records = ConsumerRecords.empty();
      while (records.isEmpty()) records = consumer.poll(Duration.ofMillis(200));
      check(consumer.acquisitionLockTimeoutMs(), Optional.of(1500));
      for (int n = 0; n < 4; n++) {
        for (ConsumerRecord<String, String> record : records) consumer.acknowledge(record, AcknowledgeType.RENEW);
        committed(consumer.commitSync());
        check(other.poll(Duration.ofMillis(700)).count(), 0);
        records = consumer.poll(Duration.ofMillis(100));
        check(records.count(), 2);
      }
      for (ConsumerRecord<String, String> record : records) consumer.acknowledge(record, AcknowledgeType.ACCEPT);
      committed(consumer.commitSync());
      check(other.poll(Duration.ofMillis(2500)).count(), 0);
    }
  }

  /** What is not acknowledged in time goes to somebody else, and cannot be acknowledged any more. */
  private static void lapse() throws Exception {
    configure("lapsing", Map.of("share.auto.offset.reset", "earliest", "share.record.lock.duration.ms", "1500"));
    send("lapsed", 1, Map.of());
    try (KafkaShareConsumer<String, String> slow = consumer("lapsing", Map.of("share.acknowledgement.mode", "explicit"));
        KafkaShareConsumer<String, String> quick = consumer("lapsing", Map.of())) {
      slow.subscribe(List.of("lapsed"));
      ConsumerRecords<String, String> records = ConsumerRecords.empty();
      while (records.isEmpty()) records = slow.poll(Duration.ofMillis(200));
      quick.subscribe(List.of("lapsed"));
      check(poll(quick, 1), List.of("0 2"));
      committed(quick.commitSync());
      for (ConsumerRecord<String, String> record : records) slow.acknowledge(record, AcknowledgeType.ACCEPT);
      for (var result : slow.commitSync().values()) {
        if (result.isEmpty()) throw new AssertionError("a lapsed record was accepted");
      }
    }
  }

  /** Several topics with several partitions, and partitions that come later. */
  private static void partitions() throws Exception {
    configure("parting", Map.of("share.auto.offset.reset", "earliest"));
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address));
        KafkaShareConsumer<String, String> consumer = consumer("parting", Map.of("metadata.max.age.ms", 1000))) {
      admin.createTopics(List.of(new NewTopic("parted", 3, (short) 1), new NewTopic("parted-too", 2, (short) 1))).all().get();
      send("parted", 30, Map.of());
      send("parted-too", 20, Map.of());
      consumer.subscribe(List.of("parted", "parted-too"));
      check(poll(consumer, 50).size(), 50);
      admin.createPartitions(Map.of("parted", org.apache.kafka.clients.admin.NewPartitions.increaseTo(5))).all().get();
      try (KafkaProducer<String, String> producer = producer(Map.of())) {
        for (int partition = 0; partition < 5; partition++) producer.send(new ProducerRecord<>("parted", partition, null, "late")).get();
      }
      check(poll(consumer, 5), List.of("late 1", "late 1", "late 1", "late 1", "late 1"));
    }
  }

  /** Consumers of one group share out what there is, each record to one of them. */
  private static void together() throws Exception {
    configure("together", Map.of("share.auto.offset.reset", "earliest"));
    send("shared-out", 3000, Map.of("batch.size", 1000));
    List<KafkaShareConsumer<String, String>> consumers = new ArrayList<>();
    for (int n = 0; n < 3; n++) consumers.add(consumer("together", Map.of("max.poll.records", 20)));
    for (var consumer : consumers) consumer.subscribe(List.of("shared-out"));
    Map<String, Integer> seen = new TreeMap<>();
    int[] counts = new int[3];
    long end = System.currentTimeMillis() + DEADLINE_MS;
    while (seen.size() < 3000 && System.currentTimeMillis() < end) {
      for (int n = 0; n < 3; n++) {
        for (ConsumerRecord<String, String> record : consumers.get(n).poll(Duration.ofMillis(50))) {
          seen.merge(record.value(), 1, Integer::sum);
          counts[n]++;
        }
      }
    }
    for (var consumer : consumers) consumer.close();
    check(seen.size(), 3000);
    check(counts[0] + counts[1] + counts[2], 3000);
    for (int count : counts) if (count == 0) throw new AssertionError("one got nothing");
  }

  /** Prints `got N COUNT` for what comes, and `accepted N` once that is sure. */
  private static void work(String group, String topic) throws Exception {
    Map<String, Object> settings = Map.of("share.acknowledgement.mode", "explicit", "max.poll.records", 50);
    try (KafkaShareConsumer<String, String> consumer = consumer(group, settings)) {
      consumer.subscribe(List.of(topic));
      while (System.in.available() >= 0) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
        for (ConsumerRecord<String, String> record : records) {
          System.out.println("got " + record.value() + " " + record.deliveryCount().get());
          consumer.acknowledge(record, AcknowledgeType.ACCEPT);
        }
        Map<TopicIdPartition, Optional<KafkaException>> results;
        try {
          results = consumer.commitSync(Duration.ofSeconds(20));
        } catch (KafkaException failed) {
          continue;
        }
        for (ConsumerRecord<String, String> record : records) {
          for (var result : results.entrySet()) {
            boolean isIts = result.getKey().topic().equals(record.topic()) && result.getKey().partition() == record.partition();
            if (isIts && result.getValue().isEmpty()) System.out.println("accepted " + record.value());
          }
        }
        System.out.flush();
        TimeUnit.MILLISECONDS.sleep(5);
      }
    }
  }

  private static void configure(String group, Map<String, String> configs) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      List<AlterConfigOp> changes = new ArrayList<>();
      configs.forEach((name, value) -> changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
      admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), changes)).all().get();
    }
  }

  private static KafkaShareConsumer<String, String> consumer(String group, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", address);
    settings.put("group.id", group);
    return new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", address);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  /** The numbers from 0 on. */
  private static void send(String topic, int count, Map<String, Object> settings) {
    try (KafkaProducer<String, String> producer = producer(settings)) {
      for (int n = 0; n < count; n++) producer.send(new ProducerRecord<>(topic, String.valueOf(n)));
    }
  }

  /** Values with delivery counts, of so many records. */
  private static List<String> poll(KafkaShareConsumer<String, String> consumer, int count) {
    List<String> found = new ArrayList<>();
    long end = System.currentTimeMillis() + DEADLINE_MS;
    while (found.size() < count && System.currentTimeMillis() < end) {
      consumer.poll(Duration.ofMillis(200)).forEach((record) -> found.add(record.value() + " " + record.deliveryCount().get()));
    }
    return found;
  }

  private static void committed(Map<TopicIdPartition, Optional<KafkaException>> results) {
    for (Optional<KafkaException> result : results.values()) {
      if (result.isPresent()) throw result.get();
    }
  }

  private static void check(Object found, Object wanted) {
    if (!found.equals(wanted)) throw new AssertionError("found " + found + ", not " + wanted);
  }
}
