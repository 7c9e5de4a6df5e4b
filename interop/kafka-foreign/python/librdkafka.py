"""What librdkafka does by confluent-kafka: librdkafka.py ADDRESS FUNCTION. Prints what the function returns, as JSON."""

import json
import sys
import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    ElectionType,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

ADDRESS = sys.argv[1]
CONNECTION = {"bootstrap.servers": ADDRESS}
DEADLINE_S = 60


def results(futures):
    return [future.result(DEADLINE_S) for future in futures.values()]


def failure(futures):
    try:
        results(futures)
    except KafkaException as error:
        return error.args[0].name()
    return None


def create(topic, partitions, **config):
    admin = AdminClient(CONNECTION)
    results(admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))
    return admin


def produce(topic, count, **settings):
    failures = []
    producer = Producer({**CONNECTION, **settings})
    for n in range(count):
        producer.produce(topic, key=f"k{n % 7}", value=str(n), headers={"n": str(n)}, on_delivery=lambda e, _: e and failures.append(str(e)))
    producer.flush(DEADLINE_S)
    return failures


def poll_until(done, *consumers):
    """Polls all, and gives the records that came, once `done` of them is true."""
    records = []
    deadline = time.monotonic() + DEADLINE_S
    while not done(records):
        assert time.monotonic() < deadline, f"{len(records)} records came"
        for consumer in consumers:
            record = consumer.poll(0.05)
            if record is not None:
                assert record.error() is None, record.error()
                records.append(record)
    return records


def idempotent_producer():
    create("certain", 3)
    failures = [
        failure for codec in ["none", "gzip", "snappy", "lz4", "zstd"] for failure in produce("certain", 1000, **{"enable.idempotence": True, "compression.type": codec})
    ]
    consumer = Consumer({**CONNECTION, "group.id": "certain", "auto.offset.reset": "earliest"})
    consumer.subscribe(["certain"])
    records = poll_until(lambda records: len(records) == 5000, consumer)
    consumer.close()
    return {
        "failures": failures,
        "values": len({(record.value(), record.timestamp()[0], record.partition(), record.offset()) for record in records}),
        "headers": all(record.headers() == [("n", record.value())] for record in records),
    }


def groups():
    """A group of each kind: two members by pattern share the partitions; one leaves, and the other has them all and commits."""
    shares = {}
    for settings in [
        {"group.protocol": "classic", "partition.assignment.strategy": "range"},
        {"group.protocol": "classic", "partition.assignment.strategy": "cooperative-sticky"},
        {"group.protocol": "consumer"},
        {"group.protocol": "consumer", "group.remote.assignor": "range"},
    ]:
        name = "-".join(settings.values())
        topic = f"shared-{name}"
        create(topic, 4)
        produce(topic, 100)
        members = [
            Consumer({**CONNECTION, **settings, "group.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False}) for _ in range(2)
        ]
        for member in members:
            member.subscribe([f"^{topic}$"])
        poll_until(lambda _: [len(member.assignment()) for member in members] == [2, 2], *members)
        members[0].close()
        poll_until(lambda _: len(members[1].assignment()) == 4, members[1])
        for partition in members[1].assignment():
            members[1].seek(TopicPartition(topic, partition.partition, 0))
        poll_until(lambda records: len(records) >= 100, members[1])
        members[1].commit(asynchronous=False)
        committed = members[1].committed([TopicPartition(topic, n) for n in range(4)], DEADLINE_S)
        shares[name] = sum(partition.offset for partition in committed)
        members[1].close()
    return shares


def transactions():
    create("ledger", 1)
    producer = Producer({**CONNECTION, "transactional.id": "ledger"})
    producer.init_transactions(DEADLINE_S)
    for text, commit in [("kept", True), ("dropped", False), ("kept too", True)]:
        producer.begin_transaction()
        producer.produce("ledger", text)
        producer.flush(DEADLINE_S)
        producer.commit_transaction(DEADLINE_S) if commit else producer.abort_transaction(DEADLINE_S)
    successor = Producer({**CONNECTION, "transactional.id": "ledger"})
    successor.init_transactions(DEADLINE_S)
    try:
        producer.begin_transaction()
        producer.produce("ledger", "late")
        producer.commit_transaction(DEADLINE_S)
        fenced = None
    except KafkaException as error:
        fenced = error.args[0].name()
    consumer = Consumer({**CONNECTION, "group.id": "ledger", "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
    consumer.subscribe(["ledger"])
    records = poll_until(lambda records: len(records) == 2, consumer)
    consumer.close()
    return {"values": [record.value().decode() for record in records], "fenced": fenced}


def topics():
    admin = create("managed", 2, **{"retention.ms": "100000"})
    again = failure(admin.create_topics([NewTopic("managed", 2, 1)]))
    results(admin.create_partitions([NewPartitions("managed", 5)]))
    resource = ConfigResource(ResourceType.TOPIC, "managed")
    set_retention = ConfigEntry("retention.ms", "5000000", incremental_operation=AlterConfigOpType.SET)
    results(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, "managed", incremental_configs=[set_retention])]))
    config = results(admin.describe_configs([resource]))[0]
    broker = results(admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]))[0]
    described = results(admin.describe_topics(TopicCollection(["managed"])))[0]
    produce("managed", 50)
    for n in range(5):
        produce_to = Producer(CONNECTION)
        produce_to.produce("managed", "x", partition=n)
        produce_to.flush(DEADLINE_S)
    places = {TopicPartition("managed", 0): OffsetSpec.latest()}
    end = results(admin.list_offsets(places, isolation_level=IsolationLevel.READ_COMMITTED))[0].offset
    low = results(admin.delete_records([TopicPartition("managed", 0, 1)]))[0].low_watermark
    start = results(admin.list_offsets({TopicPartition("managed", 0): OffsetSpec.earliest()}))[0].offset
    newest = results(admin.list_offsets({TopicPartition("managed", 0): OffsetSpec.max_timestamp()}))[0].offset
    elected = admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition("managed", 0)]).result(DEADLINE_S)
    results(admin.delete_topics(["managed"]))
    return {
        "again": again,
        "partitions": len(described.partitions),
        "retention": config["retention.ms"].value,
        "broker": broker["node.id"].value,
        "low": low,
        "start": start,
        "newest": 0 <= newest < end,
        "elected": [error.name() for error in elected.values()],
        "left": "managed" in admin.list_topics(timeout=DEADLINE_S).topics,
        "controller": admin.describe_cluster().result(DEADLINE_S).controller.id,
    }


def group_administration():
    admin = create("administered", 1)
    produce("administered", 10)
    consumer = Consumer({**CONNECTION, "group.id": "administered", "auto.offset.reset": "earliest"})
    consumer.subscribe(["administered"])
    poll_until(lambda records: len(records) == 10, consumer)
    consumer.commit(asynchronous=False)
    live = results(admin.describe_consumer_groups(["administered"]))[0]
    refused = failure(admin.delete_consumer_groups(["administered"]))
    consumer.close()
    listed = admin.list_consumer_groups().result(DEADLINE_S).valid
    place = ConsumerGroupTopicPartitions("administered", [TopicPartition("administered", 0, 4)])
    results(admin.alter_consumer_group_offsets([place]))
    offsets = results(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("administered")]))[0]
    results(admin.delete_consumer_groups(["administered"]))
    return {
        "state": live.state.name,
        "members": [len(member.assignment.topic_partitions) for member in live.members],
        "refused": refused,
        "listed": [group.group_id for group in listed],
        "offsets": [partition.offset for partition in offsets.topic_partitions],
        "missing": failure(admin.delete_consumer_groups(["administered"])),
    }


print(json.dumps(globals()[sys.argv[2]]()))
