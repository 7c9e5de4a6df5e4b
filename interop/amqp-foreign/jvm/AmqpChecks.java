import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What RabbitMQ's client for Java sees of a broker: AmqpChecks PORT CHECK. Prints one line for each thing that it found out. */
public final class AmqpChecks {
    private static final int WAIT_SECONDS = 20;
    private static ConnectionFactory factory;

    public static void main(String[] words) throws Exception {
        factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(Integer.parseInt(words[0]));
        try (Connection connection = factory.newConnection()) {
            Channel channel = connection.createChannel();
            switch (words[1]) {
                case "confirms" -> confirms(channel);
                case "types" -> types(channel);
                case "errors" -> errors(connection);
                case "order" -> order(connection);
                case "transactions" -> transactions(channel);
                case "deadLetters" -> deadLetters(channel);
                case "calls" -> calls(connection);
                case "consumers" -> consumers(connection);
                case "exchanges" -> exchanges(channel);
                default -> throw new IllegalArgumentException(words[1]);
            }
        }
    }

    private static void confirms(Channel channel) throws Exception {
        channel.confirmSelect();
        String queue = channel.queueDeclare("java.confirms", true, false, false, null).getQueue();
        ConcurrentSkipListSet<Long> open = new ConcurrentSkipListSet<>();
        CountDownLatch all = new CountDownLatch(1);
        channel.addConfirmListener(
            (tag, multiple) -> {
                if (multiple) open.headSet(tag, true).clear();
                else open.remove(tag);
                if (open.isEmpty()) all.countDown();
            },
            (tag, multiple) -> say("nack", tag));
        for (int n = 0; n < 10_000; n++) {
            open.add(channel.getNextPublishSeqNo());
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_TEXT_PLAIN, text("message " + n));
        }
        say("confirmed", channel.waitForConfirms(WAIT_SECONDS * 1000) && all.await(WAIT_SECONDS, TimeUnit.SECONDS));
        say("ready", channel.messageCount(queue));
        int inOrder = 0;
        for (GetResponse got; (got = channel.basicGet(queue, true)) != null; inOrder++)
            if (!string(got.getBody()).equals("message " + inOrder)) throw new AssertionError(string(got.getBody()));
        say("in order", inOrder);
        BlockingQueue<String> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener((code, why, exchange, key, properties, body) -> returned.add(code + " " + why + " " + key + " " + string(body)));
        channel.basicPublish("", "java.nowhere", true, null, text("comes back"));
        channel.waitForConfirmsOrDie(WAIT_SECONDS * 1000);
        say("returned", returned.poll());
    }

    private static void types(Channel channel) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        Map<String, Object> headers = new TreeMap<>();
        headers.put("boolean", true);
        headers.put("byte", (byte) -5);
        headers.put("short", (short) -300);
        headers.put("int", 70_000);
        headers.put("long", 1L << 40);
        headers.put("float", 1.5f);
        headers.put("double", -2.25d);
        headers.put("decimal", new BigDecimal("12.34"));
        headers.put("text", "Grüße");
        headers.put("bytes", new byte[] {0, (byte) 0xFF});
        headers.put("time", new Date(1_700_000_000_000L));
        headers.put("list", List.of("a", 1, List.of(true)));
        headers.put("table", Map.of("inside", Map.of("deep", 1L)));
        headers.put("nothing", null);
        AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder()
            .contentType("text/plain").contentEncoding("utf-8").headers(headers).deliveryMode(2).priority(7)
            .correlationId("c-1").replyTo("somebody").expiration("3600000").messageId("m-1").timestamp(new Date(1_700_000_001_000L))
            .type("kind").userId("guest").appId("checks").clusterId("cluster").build();
        channel.basicPublish("", queue, sent, text("typed"));
        AMQP.BasicProperties got = get(channel, queue).getProps();
        Map<String, String> shown = new TreeMap<>();
        got.getHeaders().forEach((name, value) -> shown.put(name, describe(value)));
        say("headers", shown);
        say("properties", got.getContentType(), got.getContentEncoding(), got.getDeliveryMode(), got.getPriority(), got.getCorrelationId(), got.getReplyTo(),
            got.getExpiration(), got.getMessageId(), got.getTimestamp().getTime(), got.getType(), got.getUserId(), got.getAppId(), got.getClusterId());
        channel.basicPublish("", queue, null, text("plain"));
        GetResponse plain = get(channel, queue);
        say("no properties", plain.getProps().getDeliveryMode(), plain.getProps().getHeaders(), plain.getEnvelope().getRoutingKey().startsWith("amq.gen-"));
    }

    private interface Attempt {
        void on(Channel channel) throws Exception;
    }

    private static void errors(Connection connection) throws Exception {
        Channel first = connection.createChannel();
        first.queueDeclare("java.errors", true, false, false, Map.of("x-max-length", 10));
        refused(connection, "passive", (channel) -> channel.queueDeclarePassive("java.missing"));
        refused(connection, "other arguments", (channel) -> channel.queueDeclare("java.errors", true, false, false, Map.of("x-max-length", 11)));
        refused(connection, "not durable", (channel) -> channel.queueDeclare("java.errors", false, false, false, Map.of("x-max-length", 10)));
        refused(connection, "reserved", (channel) -> channel.queueDeclare("amq.mine", true, false, false, null));
        refused(connection, "no exchange", (channel) -> {
            channel.basicPublish("java.nothing", "", null, text("lost"));
            channel.basicQos(1);
        });
        refused(connection, "unknown tag", (channel) -> {
            channel.basicAck(99, false);
            channel.basicQos(1);
        });
        refused(connection, "bind to nothing", (channel) -> channel.queueBind("java.errors", "java.nothing", ""));
        refused(connection, "default exchange", (channel) -> channel.queueBind("java.errors", "", "x"));
        try (Connection other = factory.newConnection()) {
            other.createChannel().queueDeclare("java.mine", false, true, false, null);
            refused(connection, "exclusive", (channel) -> channel.queueDeclarePassive("java.mine"));
        }
        refused(connection, "delete in use", (channel) -> {
            first.basicConsume("java.errors", true, new DefaultConsumer(first));
            channel.queueDelete("java.errors", true, false);
        });
        refused(connection, "bad expiration", (channel) -> {
            channel.basicPublish("", "java.errors", new AMQP.BasicProperties.Builder().expiration("soon").build(), text("x"));
            channel.basicQos(1);
        });
    }

    private static void refused(Connection connection, String what, Attempt attempt) throws Exception {
        Channel channel = connection.createChannel();
        try {
            attempt.on(channel);
            say(what, "was not refused");
            channel.close();
        } catch (IOException | AlreadyClosedException error) {
            Throwable cause = error instanceof ShutdownSignalException ? error : error.getCause();
            ShutdownSignalException signal = (ShutdownSignalException) cause;
            String scope = signal.isHardError() ? "connection" : "channel";
            AMQP.Channel.Close reason = (AMQP.Channel.Close) signal.getReason();
            say(what, scope, reason.getReplyCode(), reason.getReplyText());
        }
    }

    private static void order(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare("java.order", true, false, false, null).getQueue();
        for (int n = 0; n < 6; n++) channel.basicPublish("", queue, null, text("m" + n));
        Channel taker = connection.createChannel();
        taker.basicQos(4);
        BlockingQueue<Delivery> deliveries = subscribe(taker, queue, false, "taker");
        List<Delivery> held = take(deliveries, 4);
        say("prefetch", bodies(held), deliveries.size());
        taker.basicAck(held.get(0).getEnvelope().getDeliveryTag(), false);
        say("one more", bodies(take(deliveries, 1)));
        taker.basicReject(held.get(1).getEnvelope().getDeliveryTag(), false);
        say("after a rejection", bodies(take(deliveries, 1)));
        taker.close();
        List<String> back = new ArrayList<>();
        for (GetResponse got; (got = channel.basicGet(queue, true)) != null; ) back.add(string(got.getBody()) + " " + got.getEnvelope().isRedeliver());
        say("back in order", back);
        Channel recovering = connection.createChannel();
        channel.basicPublish("", queue, null, text("again"));
        BlockingQueue<Delivery> again = subscribe(recovering, queue, false, "again");
        say("first", bodies(take(again, 1)));
        recovering.basicRecover(true);
        Delivery second = take(again, 1).get(0);
        say("recovered", string(second.getBody()), second.getEnvelope().isRedeliver(), second.getEnvelope().getDeliveryTag());
    }

    private static void transactions(Channel channel) throws Exception {
        String queue = channel.queueDeclare("java.tx", true, false, false, null).getQueue();
        channel.txSelect();
        channel.basicPublish("", queue, null, text("kept"));
        say("before commit", channel.messageCount(queue));
        channel.txCommit();
        say("after commit", channel.messageCount(queue));
        channel.basicPublish("", queue, null, text("dropped"));
        channel.txRollback();
        say("after rollback", channel.messageCount(queue));
        channel.basicAck(get(channel, queue).getEnvelope().getDeliveryTag(), false);
        channel.txRollback();
        channel.basicRecover(true);
        GetResponse again = get(channel, queue);
        say("ack rolled back", string(again.getBody()), again.getEnvelope().isRedeliver());
        channel.basicAck(again.getEnvelope().getDeliveryTag(), false);
        channel.txCommit();
        say("ack committed", channel.messageCount(queue));
    }

    private static void deadLetters(Channel channel) throws Exception {
        channel.exchangeDeclare("java.dlx", "direct", true);
        channel.queueDeclare("java.dead", true, false, false, null);
        channel.queueBind("java.dead", "java.dlx", "dead");
        Map<String, Object> settings = Map.of("x-dead-letter-exchange", "java.dlx", "x-dead-letter-routing-key", "dead", "x-message-ttl", 100);
        channel.queueDeclare("java.living", true, false, false, settings);
        channel.basicPublish("", "java.living", null, text("expires"));
        say("expired", death(await(channel, "java.dead")));
        channel.queueDeclare("java.full", true, false, false,
            Map.of("x-dead-letter-exchange", "java.dlx", "x-dead-letter-routing-key", "dead", "x-max-length", 1));
        channel.basicPublish("", "java.full", null, text("first"));
        channel.basicPublish("", "java.full", null, text("second"));
        say("too much", death(await(channel, "java.dead")));
        channel.basicReject(get(channel, "java.full").getEnvelope().getDeliveryTag(), false);
        say("rejected", death(await(channel, "java.dead")));
        // Round in a circle, with a rejection in it: counts grow.
        channel.queueDeclare("java.wait", true, false, false,
            Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", "java.work", "x-message-ttl", 50));
        channel.queueDeclare("java.work", true, false, false, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", "java.wait"));
        channel.basicPublish("", "java.work", null, text("retried"));
        for (int n = 0; n < 3; n++) channel.basicReject(await(channel, "java.work").getEnvelope().getDeliveryTag(), false);
        say("retried", death(await(channel, "java.work")));
    }

    private static void calls(Connection connection) throws Exception {
        Channel serving = connection.createChannel();
        serving.queueDeclare("java.rpc", false, false, true, null);
        RpcServer server = new RpcServer(serving, "java.rpc") {
            @Override
            public byte[] handleCall(byte[] request, AMQP.BasicProperties properties) {
                return text("re: " + string(request));
            }
        };
        Thread thread = new Thread(() -> {
            try {
                server.mainloop();
            } catch (IOException | ShutdownSignalException gone) {
                // The connection closes at the end.
            }
        });
        thread.setDaemon(true);
        thread.start();
        RpcClient client = new RpcClient(new RpcClientParams().channel(connection.createChannel()).exchange("").routingKey("java.rpc").timeout(WAIT_SECONDS * 1000));
        for (int n = 0; n < 3; n++) say("answer", client.stringCall("call " + n));
        client.close();
        server.close();
    }

    private static void consumers(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        channel.queueDeclare("java.single", true, false, false, Map.of("x-single-active-consumer", true));
        BlockingQueue<Delivery> a = subscribe(channel, "java.single", true, "a");
        BlockingQueue<Delivery> b = subscribe(channel, "java.single", true, "b");
        for (int n = 0; n < 4; n++) channel.basicPublish("", "java.single", null, text("s" + n));
        say("active", bodies(take(a, 4)), b.size());
        channel.basicCancel("a");
        channel.basicPublish("", "java.single", null, text("s4"));
        say("next active", bodies(take(b, 1)));
        BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
        channel.queueDeclare("java.deleted", true, false, false, null);
        channel.basicConsume("java.deleted", true, "told", new DefaultConsumer(channel) {
            @Override
            public void handleCancel(String tag) {
                cancelled.add(tag);
            }
        });
        connection.createChannel().queueDelete("java.deleted");
        say("cancelled", cancelled.poll(WAIT_SECONDS, TimeUnit.SECONDS));
        channel.queueDeclare("java.urgent", true, false, false, Map.of("x-max-priority", 5));
        for (int priority : new int[] {1, 5, 3, 9, 0})
            channel.basicPublish("", "java.urgent", new AMQP.BasicProperties.Builder().priority(priority).build(), text("p" + priority));
        List<String> order = new ArrayList<>();
        for (int n = 0; n < 5; n++) order.add(string(await(channel, "java.urgent").getBody()));
        say("by priority", order);
        Channel exclusive = connection.createChannel();
        exclusive.queueDeclare("java.alone", true, false, false, null);
        exclusive.basicConsume("java.alone", true, "alone", false, true, null, new DefaultConsumer(exclusive));
        refused(connection, "consumed alone", (other) -> other.basicConsume("java.alone", true, new DefaultConsumer(other)));
    }

    private static void exchanges(Channel channel) throws Exception {
        channel.exchangeDeclare("java.topic", "topic", true, false, Map.of("alternate-exchange", "java.rest"));
        channel.exchangeDeclare("java.rest", "fanout", true);
        channel.exchangeDeclare("java.inner", "headers", true, false, true, null);
        channel.exchangeBind("java.inner", "java.topic", "#.deep");
        for (String name : List.of("java.eu", "java.all", "java.other", "java.matched")) channel.queueDeclare(name, true, false, false, null);
        channel.queueBind("java.eu", "java.topic", "orders.*.eu");
        channel.queueBind("java.all", "java.topic", "orders.#");
        channel.queueBind("java.other", "java.rest", "");
        channel.queueBind("java.matched", "java.inner", "", Map.of("x-match", "all", "size", 3, "colour", "red"));
        channel.confirmSelect();
        publish(channel, "java.topic", "orders.new.eu", null);
        publish(channel, "java.topic", "orders", null);
        publish(channel, "java.topic", "news", null);
        publish(channel, "java.topic", "very.deep", Map.of("size", 3, "colour", "red"));
        publish(channel, "java.topic", "deep", Map.of("size", 4, "colour", "red"));
        channel.waitForConfirmsOrDie(WAIT_SECONDS * 1000);
        for (String name : List.of("java.eu", "java.all", "java.other", "java.matched")) {
            List<String> keys = new ArrayList<>();
            for (GetResponse got; (got = channel.basicGet(name, true)) != null; ) keys.add(got.getEnvelope().getExchange() + "/" + got.getEnvelope().getRoutingKey());
            say(name, keys);
        }
    }

    // ---- small things -----------------------------------------------------------------------------------------------

    private static void publish(Channel channel, String exchange, String key, Map<String, Object> headers) throws IOException {
        channel.basicPublish(exchange, key, new AMQP.BasicProperties.Builder().headers(headers).build(), text(key));
    }

    private static BlockingQueue<Delivery> subscribe(Channel channel, String queue, boolean autoAck, String tag) throws IOException {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, autoAck, tag, new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(String consumer, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
                deliveries.add(new Delivery(envelope, properties, body));
            }
        });
        return deliveries;
    }

    private static List<Delivery> take(BlockingQueue<Delivery> from, int count) throws InterruptedException {
        List<Delivery> taken = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            Delivery next = from.poll(WAIT_SECONDS, TimeUnit.SECONDS);
            if (next == null) throw new AssertionError("delivery " + n + " of " + count + " did not come");
            taken.add(next);
        }
        return taken;
    }

    private static List<String> bodies(List<Delivery> deliveries) {
        return deliveries.stream().map((delivery) -> string(delivery.getBody())).toList();
    }

    /** A message that is there. */
    private static GetResponse get(Channel channel, String queue) throws Exception {
        return await(channel, queue);
    }

    private static GetResponse await(Channel channel, String queue) throws Exception {
        for (long until = System.currentTimeMillis() + WAIT_SECONDS * 1000; System.currentTimeMillis() < until; Thread.sleep(20)) {
            GetResponse got = channel.basicGet(queue, false);
            if (got != null) return got;
        }
        throw new AssertionError("nothing came to " + queue);
    }

    /** The list of deaths, without what depends on the time. */
    private static String death(GetResponse got) {
        List<String> deaths = new ArrayList<>();
        for (Object each : (List<?>) got.getProps().getHeaders().get("x-death")) {
            Map<?, ?> death = (Map<?, ?>) each;
            deaths.add(death.get("queue") + " " + death.get("reason") + " " + death.get("count") + " " + death.get("exchange") + " " + death.get("routing-keys"));
        }
        return string(got.getBody()) + " by " + got.getEnvelope().getExchange() + "/" + got.getEnvelope().getRoutingKey() + ": " + deaths
            + ", first " + got.getProps().getHeaders().get("x-first-death-queue") + " " + got.getProps().getHeaders().get("x-first-death-reason");
    }

    private static String describe(Object value) {
        if (value instanceof LongString text) return "text " + text;
        if (value instanceof byte[] bytes) return "bytes " + bytes.length;
        if (value instanceof Date date) return "time " + date.getTime();
        if (value instanceof List<?> list) return "list " + list.stream().map(AmqpChecks::describe).toList();
        if (value instanceof Map<?, ?> table) {
            Map<String, String> shown = new TreeMap<>();
            table.forEach((name, inner) -> shown.put(String.valueOf(name), describe(inner)));
            return "table " + shown;
        }
        return value == null ? "nothing" : value.getClass().getSimpleName() + " " + value;
    }

    private static byte[] text(String from) {
        return from.getBytes(StandardCharsets.UTF_8);
    }

    private static String string(byte[] from) {
        return new String(from, StandardCharsets.UTF_8);
    }

    private static void say(String what, Object... values) {
        StringBuilder line = new StringBuilder(what).append(':');
        for (Object value : values) line.append(' ').append(value);
        System.out.println(line);
    }
}
