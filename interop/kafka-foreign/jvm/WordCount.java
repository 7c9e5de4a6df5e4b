import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Counts the words of the topic "lines" in the topic "counts", each word with its count as text: WordCount ADDRESS GUARANTEE DIRECTORY. Prints its states,
 * and runs until SIGTERM.
 */
public class WordCount {
  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("application.id", "word-count");
    settings.put("processing.guarantee", arguments[1]);
    settings.put("state.dir", arguments[2]);
    settings.put("num.stream.threads", 2);
    settings.put("commit.interval.ms", 100);
    // Each change of a count is published.
    settings.put("statestore.cache.max.bytes", 0);
    settings.put("auto.offset.reset", "earliest");
    // Those that were killed are missed sooner.
    settings.put("session.timeout.ms", 6000);
    settings.put("transaction.timeout.ms", 3000);
    settings.put("default.key.serde", Serdes.StringSerde.class);
    settings.put("default.value.serde", Serdes.StringSerde.class);

    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> lines = builder.stream("lines");
    lines
        .flatMapValues(line -> List.of(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.as("words"))
        .count(Materialized.as("counted"))
        .toStream()
        .mapValues(String::valueOf)
        .to("counts", Produced.with(Serdes.String(), Serdes.String()));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.setStateListener((now, before) -> System.out.println(now));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(20));
      // The listener may not be told any more.
      System.out.println(streams.state());
    }));
    streams.start();
  }
}
