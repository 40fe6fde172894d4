package verticles.relay;

import io.vertx.core.Future;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import neuralcore.relay.StartAt;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Where a group begins to read that has no place in a partition, or one that is gone. */
final class KafkaBeginning {
    private KafkaBeginning() {}

    /**
     * Begins where the route says, in partitions that the group is new to; where the place it had
     * is gone, with the oldest message that is there. The place is kept at once, so that what comes
     * from now on is not passed over by a later beginning.
     */
    static Future<Void> seek(
            KafkaReader from, InvalidOffsetException without, StartAt replayStart) {
        Set<TopicPartition> where = new HashSet<>(without.partitions());
        StartAt start =
                without instanceof NoOffsetForPartitionException
                        ? replayStart
                        : new StartAt.Earliest();
        return places(from, where, start)
                .compose(
                        places -> {
                            Map<TopicPartition, OffsetAndMetadata> kept = new HashMap<>();
                            Future<Void> ready = Future.succeededFuture();
                            for (TopicPartition each : where) {
                                long place = places.getOrDefault(each, 0L);
                                kept.put(each, new OffsetAndMetadata(place));
                                ready = ready.compose(done -> from.ask(to -> to.seek(each, place)));
                            }
                            return ready.compose(done -> from.ask(to -> to.commit(kept)))
                                    .mapEmpty();
                        });
    }

    private static Future<Map<TopicPartition, Long>> places(
            KafkaReader from, Set<TopicPartition> where, StartAt start) {
        return switch (start) {
            case StartAt.Earliest _ -> from.ask(to -> to.beginningOffsets(where));
            case StartAt.Latest _ -> from.ask(to -> to.endOffsets(where));
            case StartAt.Offset at -> {
                Map<TopicPartition, Long> places = new HashMap<>();
                where.forEach(each -> places.put(each, at.offset()));
                yield Future.succeededFuture(places);
            }
            case StartAt.Time at -> {
                Map<TopicPartition, Long> times = new HashMap<>();
                where.forEach(each -> times.put(each, at.epochMillis()));
                yield from.ask(to -> to.endOffsets(where))
                        .compose(
                                ends ->
                                        from.ask(to -> to.offsetsForTimes(times))
                                                .map(
                                                        found -> {
                                                            Map<TopicPartition, Long> places =
                                                                    new HashMap<>(ends);
                                                            found.forEach(
                                                                    (each, place) -> {
                                                                        if (place != null) {
                                                                            places.put(
                                                                                    each,
                                                                                    place.offset());
                                                                        }
                                                                    });
                                                            return places;
                                                        }));
            }
        };
    }
}
