package flaneur.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams' side of the comparison: count and mean speed per device and 60 s of event time.
 *
 * <p>Same protocol as the Python peers (see bench/peers/meter.py): it measures the CPU time of this
 * process between the end of the warm-up and the last fix, prints one JSON object, and ends.
 * Arguments: bootstrap topic warm fixes state-directory store(rocksdb|memory) [property=value ...]
 */
public final class Peer {
  private static final JsonFactory JSON = new JsonFactory();
  private static final OperatingSystemMXBean PROCESS =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private Peer() {}

  record Fix(double tsS, double lat, double lon, double speedMps) {}

  record Summary(long count, double speedSum) {
    double mean() {
      return speedSum / count;
    }
  }

  static Fix parseFix(byte[] bytes) {
    double ts = 0;
    double lat = 0;
    double lon = 0;
    double speed = 0;
    try (JsonParser parser = JSON.createParser(bytes)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "ts" -> ts = parser.getDoubleValue();
          case "lat" -> lat = parser.getDoubleValue();
          case "lon" -> lon = parser.getDoubleValue();
          case "speed_mps" -> speed = parser.getDoubleValue();
          default -> parser.skipChildren();
        }
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return new Fix(ts, lat, lon, speed);
  }

  static byte[] encodeSummary(Summary summary) {
    return ByteBuffer.allocate(16).putLong(summary.count()).putDouble(summary.speedSum()).array();
  }

  static Summary decodeSummary(byte[] bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    return new Summary(buffer.getLong(), buffer.getDouble());
  }

  public static void main(String[] args) throws InterruptedException {
    String topic = args[1];
    long warm = Long.parseLong(args[2]);
    long last = warm + Long.parseLong(args[3]);
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "peer-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    properties.put("auto.offset.reset", "earliest");
    for (int index = 6; index < args.length; index++) {
      String[] pair = args[index].split("=", 2);
      properties.put(pair[0], pair[1]);
    }

    AtomicLong seen = new AtomicLong();
    long[] mark = new long[4]; // wall and CPU nanoseconds at the start and at the end
    CountDownLatch done = new CountDownLatch(1);
    Serde<Fix> fixes = Serdes.serdeFrom((t, fix) -> null, (t, bytes) -> parseFix(bytes));
    Serde<Summary> summaries =
        Serdes.serdeFrom(
            (t, summary) -> summary == null ? null : encodeSummary(summary),
            (t, bytes) -> bytes == null ? null : decodeSummary(bytes));
    Duration size = Duration.ofSeconds(60);
    Duration retention = Duration.ofHours(1);
    var supplier =
        args[5].equals("memory")
            ? Stores.inMemoryWindowStore("windows", retention, size, false)
            : Stores.persistentTimestampedWindowStore("windows", retention, size, false);

    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(
            topic,
            Consumed.with(Serdes.Bytes(), fixes)
                .withTimestampExtractor((record, previous) -> (long) (((Fix) record.value()).tsS() * 1000)))
        .groupByKey(Grouped.with(Serdes.Bytes(), fixes))
        .windowedBy(TimeWindows.ofSizeAndGrace(size, Duration.ofMinutes(10)))
        .aggregate(
            () -> new Summary(0, 0),
            (key, fix, before) -> {
              long count = seen.incrementAndGet();
              if (count == Math.max(warm, 1)) {
                mark[0] = System.nanoTime();
                mark[1] = PROCESS.getProcessCpuTime();
              } else if (count == last) {
                mark[2] = System.nanoTime();
                mark[3] = PROCESS.getProcessCpuTime();
                done.countDown();
              }
              return new Summary(before.count() + 1, before.speedSum() + fix.speedMps());
            },
            Materialized.<Bytes, Summary>as(supplier).withKeySerde(Serdes.Bytes()).withValueSerde(summaries));

    KafkaStreams streams = new KafkaStreams(builder.build(), properties);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    streams.start();
    done.await();
    Thread.sleep(200); // the last aggregate is stored just after it was counted

    long[] totals = new long[3];
    double[] speed = new double[1];
    var store =
        streams.store(
            StoreQueryParameters.fromNameAndType("windows", QueryableStoreTypes.<Bytes, Summary>windowStore()));
    try (var all = store.all()) {
      all.forEachRemaining(
          pair -> {
            totals[0] += 1;
            totals[1] += pair.value.count();
            totals[2] += pair.value.count() * pair.value.count();
            speed[0] += pair.value.mean() * pair.value.count();
          });
    }
    System.out.printf(
        Locale.ROOT,
        "{\"fixes\":%d,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"counted\":%d,\"windows\":%d,\"count_squares\":%d,"
            + "\"speed_sum\":%.3f,\"java\":\"%s\"}%n",
        last - Math.max(warm, 1),
        (mark[2] - mark[0]) / 1e9,
        (mark[3] - mark[1]) / 1e9,
        totals[1],
        totals[0],
        totals[2],
        speed[0],
        System.getProperty("java.version"));
    System.out.flush();
    streams.close(Duration.ofSeconds(5));
    Runtime.getRuntime().halt(0);
  }
}
