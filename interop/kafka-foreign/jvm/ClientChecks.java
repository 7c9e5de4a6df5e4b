import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the tools do not do: ClientChecks ADDRESS CHECK. Prints "ok", or fails. */
public class ClientChecks {
  private static final long DEADLINE_MS = 60_000;
  private static String address;

  public static void main(String[] arguments) throws Exception {
    address = arguments[0];
    switch (arguments[1]) {
      case "pattern" -> pattern();
      case "transactions" -> transactions();
      case "staticMembers" -> staticMembers();
      case "admin" -> admin();
      default -> throw new IllegalArgumentException(arguments[1]);
    }
    System.out.println("ok");
  }

  /** Topics that a pattern takes are read, also those that come later; one that is none is refused. */
  private static void pattern() throws Exception {
    send("orders-eu", "1");
    send("old-orders", "2");
    try (KafkaConsumer<String, String> consumer = consumer("patterns", Map.of("group.protocol", "consumer"))) {
      consumer.subscribe(new SubscriptionPattern("orders-.*"));
      check(poll(consumer, 1), List.of("1"));
      send("orders-us", "3");
      check(poll(consumer, 1), List.of("3"));
    }
    try (KafkaConsumer<String, String> consumer = consumer("wrong-patterns", Map.of("group.protocol", "consumer"))) {
      consumer.subscribe(new SubscriptionPattern("orders-("));
      await(
          () -> {
            try {
              consumer.poll(Duration.ofMillis(100));
              return false;
            } catch (InvalidRegularExpression refused) {
              return true;
            }
          });
    }
  }

  /** Reads, writes and commits offsets in transactions; an aborted one leaves nothing; an older producer is fenced. */
  private static void transactions() throws Exception {
    for (int n = 0; n < 20; n++) send("in", String.valueOf(n));
    KafkaProducer<String, String> producer = producer(Map.of("transactional.id", "mover"));
    producer.initTransactions();
    int moved = 0;
    int transactions = 0;
    try (KafkaConsumer<String, String> consumer = consumer("movers", Map.of("enable.auto.commit", false, "max.poll.records", 5))) {
      consumer.subscribe(List.of("in"));
      while (moved < 20) {
        var records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) {
          producer.send(new ProducerRecord<>("out", record.value()));
          offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        if (++transactions % 2 == 1) {
          producer.abortTransaction();
          TopicPartition place = new TopicPartition("in", 0);
          OffsetAndMetadata committed = consumer.committed(Set.of(place)).get(place);
          consumer.seek(place, committed == null ? 0 : committed.offset());
        } else {
          producer.commitTransaction();
          moved += records.count();
        }
      }
    }
    List<String> wanted = new ArrayList<>();
    for (int n = 0; n < 20; n++) wanted.add(String.valueOf(n));
    try (KafkaConsumer<String, String> consumer = consumer("readers", Map.of("isolation.level", "read_committed"))) {
      consumer.subscribe(List.of("out"));
      check(poll(consumer, 20), wanted);
    }
    KafkaProducer<String, String> successor = producer(Map.of("transactional.id", "mover"));
    successor.initTransactions();
    try {
      producer.beginTransaction();
      producer.send(new ProducerRecord<>("out", "late"));
      producer.commitTransaction();
      throw new AssertionError("the first producer was not fenced");
    } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
      successor.beginTransaction();
      successor.send(new ProducerRecord<>("out", "again"));
      successor.commitTransaction();
    }
    producer.close(Duration.ZERO);
    successor.close();
  }

  /** A static member that comes back has what it had, and its group does not rebalance; an operator can remove it. */
  private static void staticMembers() throws Exception {
    send("static", "1");
    Map<String, Object> settings = Map.of("group.instance.id", "one", "group.protocol", "classic");
    int generation;
    try (KafkaConsumer<String, String> consumer = consumer("statics", settings)) {
      consumer.subscribe(List.of("static"));
      check(poll(consumer, 1), List.of("1"));
      consumer.commitSync();
      generation = consumer.groupMetadata().generationId();
    }
    send("static", "2");
    try (KafkaConsumer<String, String> consumer = consumer("statics", settings)) {
      consumer.subscribe(List.of("static"));
      check(poll(consumer, 1), List.of("2"));
      check(consumer.groupMetadata().generationId(), generation);
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      var removal = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")));
      admin.removeMembersFromConsumerGroup("statics", removal).all().get();
      check(admin.describeConsumerGroups(List.of("statics")).all().get().get("statics").members().size(), 0);
    }
  }

  /** By ids of topics, and what the tools do not ask for. */
  private static void admin() throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      var created = admin.createTopics(List.of(new NewTopic("made", 2, (short) -1).configs(Map.of("cleanup.policy", "compact"))));
      Uuid id = created.topicId("made").get();
      check(created.numPartitions("made").get(), 2);
      check(created.config("made").get().get("cleanup.policy").value(), "compact");
      var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get();
      check(byId.get(id).name(), "made");
      check(admin.describeCluster().nodes().get().size(), 1);
      check(admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("group.version"), true);
      KafkaProducer<String, String> producer = producer(Map.of("transactional.id", "hanging"));
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>("made", 0, "key", "value")).get();
      var states = admin.describeTransactions(List.of("hanging")).all().get();
      check(states.get("hanging").state().toString(), "Ongoing");
      admin.fenceProducers(List.of("hanging")).all().get();
      try {
        producer.commitTransaction();
        throw new AssertionError("it was not fenced");
      } catch (ProducerFencedException fenced) {
        producer.close(Duration.ZERO);
      }
      admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
      check(admin.listTopics().names().get().contains("made"), false);
    }
  }

  private static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", address);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  private static KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", address);
    settings.put("group.id", group);
    settings.put("auto.offset.reset", "earliest");
    settings.put("metadata.max.age.ms", 1000);
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  private static void send(String topic, String value) throws InterruptedException, ExecutionException {
    try (KafkaProducer<String, String> producer = producer(Map.of())) {
      producer.send(new ProducerRecord<>(topic, value)).get();
    }
  }

  private static List<String> poll(KafkaConsumer<String, String> consumer, int count) throws Exception {
    List<String> values = new ArrayList<>();
    await(
        () -> {
          consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
          return values.size() >= count;
        });
    return values;
  }

  private static void await(BooleanSupplier done) throws Exception {
    long deadline = System.currentTimeMillis() + DEADLINE_MS;
    while (!done.getAsBoolean()) {
      if (System.currentTimeMillis() > deadline) throw new AssertionError("it took too long");
    }
  }

  private static void check(Object found, Object wanted) {
    if (!found.equals(wanted)) throw new AssertionError(found + " is not " + wanted);
  }
}
