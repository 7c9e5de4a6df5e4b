import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;

/**
 * Counts the words of the topic "events", which are followed by their time in milliseconds, in windows of a minute: WindowedCount ADDRESS DIRECTORY. The topic
 * "windows" gets each count under WORD@START. Runs until SIGTERM.
 */
public class WindowedCount {
  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("application.id", "windowed-count");
    settings.put("state.dir", arguments[1]);
    settings.put("commit.interval.ms", 100);
    settings.put("auto.offset.reset", "earliest");
    // One that stops does not say so: it may come back soon.
    settings.put("session.timeout.ms", 6000);
    settings.put("default.key.serde", Serdes.StringSerde.class);
    settings.put("default.value.serde", Serdes.StringSerde.class);

    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> events =
        builder.stream(
            "events",
            Consumed.with(Serdes.String(), Serdes.String())
                .withTimestampExtractor((record, latest) -> Long.parseLong(((String) record.value()).split(" ")[1])));
    events
        .groupBy((key, event) -> event.split(" ")[0])
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofHours(6)))
        .count(Materialized.as("windowed"))
        .toStream()
        .map((word, count) -> KeyValue.pair(word.key() + "@" + word.window().start(), String.valueOf(count)))
        .to("windows", Produced.with(Serdes.String(), Serdes.String()));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
  }
}
