"""What pika sees of a broker: pika_checks.py PORT CHECK. Prints one line for each thing that it found out."""

import re
import sys
import time

import pika
from pika.exceptions import ChannelClosedByBroker, NackError, UnroutableError

PORT = int(sys.argv[1])
WAIT_SECONDS = 20


def connect(**settings):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", PORT, **settings))


def say(what, *values):
    print(f"{what}:", *values)


def refused(connection, what, attempt):
    channel = connection.channel()
    try:
        attempt(channel)
        say(what, "was not refused")
    except ChannelClosedByBroker as error:
        # Names that the broker made up are different each time.
        say(what, error.reply_code, re.sub(r"amq\.gen-[\w-]+", "amq.gen-...", error.reply_text))


def confirms():
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare("pika.confirms", durable=True)
        channel.confirm_delivery()
        for n in range(300):
            channel.basic_publish("", "pika.confirms", str(n), pika.BasicProperties(delivery_mode=2, content_type="text/plain"), mandatory=True)
        try:
            channel.basic_publish("", "pika.nowhere", b"lost", mandatory=True)
        except UnroutableError as error:
            say("unroutable", error.messages[0].method.reply_code, error.messages[0].body)
        bodies = []
        for method, properties, body in channel.consume("pika.confirms", inactivity_timeout=WAIT_SECONDS):
            bodies.append(int(body))
            channel.basic_ack(method.delivery_tag)
            if len(bodies) == 300:
                break
        say("in order", bodies == list(range(300)), properties.content_type, properties.delivery_mode)
        say("given back", channel.cancel())


def limits():
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("pika.full", durable=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        for n in range(2):
            channel.basic_publish("", "pika.full", str(n))
        try:
            channel.basic_publish("", "pika.full", b"too much")
            say("full", "was taken")
        except NackError:
            say("full", "nack")
        say("messages", channel.queue_declare("pika.full", passive=True).method.message_count)
        say("purged", channel.queue_purge("pika.full").method.message_count)
        channel.queue_declare("pika.short", durable=True, arguments={"x-expires": 300})
        time.sleep(1.5)
        refused(connection, "expired queue", lambda other: other.queue_declare("pika.short", passive=True))
        channel.queue_declare("pika.kept", durable=True)
        channel.basic_publish("", "pika.kept", b"brief", pika.BasicProperties(expiration="100"))
        channel.basic_publish("", "pika.kept", b"lasting", pika.BasicProperties(expiration="100000"))
        time.sleep(1)
        method, properties, body = channel.basic_get("pika.kept", auto_ack=True)
        say("not expired", body, properties.expiration)
        say("nothing more", channel.basic_get("pika.kept", auto_ack=True))


def lifetimes():
    with connect() as connection:
        channel = connection.channel()
        name = channel.queue_declare("", exclusive=True).method.queue
        say("named", name.startswith("amq.gen-"))
        channel.basic_publish("", name, b"mine")
        say("mine", channel.basic_get(name, auto_ack=True)[2])
        channel.queue_declare("pika.auto", auto_delete=True)
        tag = channel.basic_consume("pika.auto", lambda *_: None)
        channel.basic_cancel(tag)
        refused(connection, "auto-deleted", lambda other: other.queue_declare("pika.auto", passive=True))
        channel.exchange_declare("pika.auto", "fanout", auto_delete=True)
        channel.queue_declare("pika.bound", durable=True)
        channel.queue_bind("pika.bound", "pika.auto")
        channel.queue_unbind("pika.bound", "pika.auto")
        refused(connection, "auto-deleted exchange", lambda other: other.exchange_declare("pika.auto", passive=True))
    with connect() as connection:
        refused(connection, "exclusive is gone", lambda other: other.queue_declare(name, passive=True))
        say("deleted", connection.channel().queue_delete("pika.bound").method.message_count)


def capabilities():
    with connect(heartbeat=30, blocked_connection_timeout=10) as connection:
        say("offers", connection.basic_nack_supported, connection.consumer_cancel_notify_supported, connection.exchange_exchange_bindings_supported, connection.publisher_confirms_supported)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.queue_declare("pika.nack", durable=True)
        for body in ("a", "b"):
            channel.basic_publish("", "pika.nack", body)
        method, _, body = channel.basic_get("pika.nack")
        channel.basic_nack(method.delivery_tag, requeue=True)
        again, _, body = channel.basic_get("pika.nack")
        say("requeued", body, again.redelivered, again.message_count)
        channel.basic_ack(again.delivery_tag)
        say("reply", answered(connection))
    try:
        connect(virtual_host="missing")
    except Exception as error:  # noqa: BLE001 - which one is what is tested
        say("no such vhost", type(error).__name__, getattr(error, "reply_code", None))


def answered(connection):
    """A call by direct reply-to, from one connection to itself."""
    channel = connection.channel()
    replies = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda _c, _m, properties, body: replies.append((properties.correlation_id, body)), auto_ack=True)
    channel.queue_declare("pika.rpc", durable=True)
    channel.basic_publish("", "pika.rpc", b"question", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7"))
    server = connection.channel()
    _, properties, _ = server.basic_get("pika.rpc", auto_ack=True)
    server.basic_publish("", properties.reply_to, b"answer", pika.BasicProperties(correlation_id=properties.correlation_id))
    until = time.time() + WAIT_SECONDS
    while not replies and time.time() < until:
        connection.process_data_events(time_limit=0.1)
    return replies


{"confirms": confirms, "limits": limits, "lifetimes": lifetimes, "capabilities": capabilities}[sys.argv[2]]()
