package neuralcore.relay;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** Routes as a configuration or a call gives them, and back. */
public final class RouteParams {
    private static final String STANDARD_GROUP = "neuralcore";

    private RouteParams() {}

    /**
     * @param namespace where the route says nothing
     * @param prefix of the target's name
     */
    public static Route of(Map<String, @Nullable Object> values, String namespace, String prefix) {
        Given given = new Given("A route", values);
        String direction = given.text("direction");
        boolean out = direction.equals("out");
        if (!out && !direction.equals("in")) {
            throw NeuralCoreException.invalid(
                    "A route has 'direction' '%s'; it must be 'out' or 'in'.".formatted(direction));
        }
        String space = given.text("namespace", namespace);
        String channel = given.text("channel");
        Target target = target(given, out, prefix);
        Route route = out ? out(given, space, channel, target) : in(given, space, channel, target);
        given.done();
        if (!out && channel.indexOf('*') >= 0) {
            throw NeuralCoreException.invalid(
                    "An incoming route has 'channel' '%s'; it must be one channel."
                            .formatted(channel));
        }
        return route;
    }

    private static Target target(Given given, boolean out, String prefix) {
        String pubsub = given.optionalText("pubsub");
        String stream = given.optionalText("stream");
        String topic = given.optionalText("topic");
        if (Stream.of(pubsub, stream, topic).filter(Objects::nonNull).count() != 1) {
            throw NeuralCoreException.invalid(
                    "A route needs one of 'pubsub' and 'stream', a place in Redis, or 'topic', one in Kafka.");
        }
        if (topic != null) {
            return topic(given, out, checked(prefix + topic));
        }
        if (pubsub != null) {
            return new Target.PubSub(prefix + named("pubsub", pubsub));
        }
        String name = prefix + named("stream", stream);
        if (out) {
            return new Target.Stream(name, given.integer("trim_maxlen", 0, 0, Integer.MAX_VALUE));
        }
        String start = given.text("replay_start", "$");
        if (!start.matches("\\$|\\d{1,20}(-\\d{1,20})?")) {
            throw NeuralCoreException.invalid(
                    "A route has 'replay_start' '%s'; it must be '$', '0-0' or an entry's id."
                            .formatted(start));
        }
        return new Target.StreamGroup(
                name,
                given.text("group", STANDARD_GROUP),
                given.text("consumer", ""),
                start,
                given.millis("auto_claim", 0, 0),
                given.bool("delete_on_ack", false));
    }

    private static Target topic(Given given, boolean out, String name) {
        return out
                ? new Target.Topic(name, new PartitionKey(given.text("key", "channel")))
                : new Target.TopicGroup(
                        name,
                        given.text("group", STANDARD_GROUP),
                        StartAt.of(given.textOrNumber("replay_start", "latest")));
    }

    /** What Kafka takes as a topic's name. */
    private static String checked(String topic) {
        if (!topic.replace(Target.CHANNEL_MARK, "c").matches("[\\w.-]{1,249}")) {
            throw NeuralCoreException.invalid(
                    "A route has 'topic' '%s'; it must be 1 to 249 letters, digits, '_', '-' or '.'."
                            .formatted(topic));
        }
        return topic;
    }

    private static String named(String key, @Nullable String name) {
        if (name == null || name.isEmpty() || name.length() > 512) {
            throw NeuralCoreException.invalid(
                    "A route's '%s' must have 1 to 512 characters.".formatted(key));
        }
        return name;
    }

    private static Route in(Given given, String namespace, String channel, Target target) {
        boolean own = given.bool("own", false);
        if (own && target instanceof Target.PubSub) {
            throw NeuralCoreException.invalid(
                    "A route with 'own' reads '%s' of Pub/Sub, which has no groups; use a stream."
                            .formatted(target.name()));
        }
        return new Route.In(namespace, channel, target, own);
    }

    private static Route out(Given given, String namespace, String channel, Target target) {
        Boolean durable = given.optionalBool("durable");
        if (Boolean.TRUE.equals(durable) && channel.indexOf('*') >= 0) {
            throw NeuralCoreException.invalid(
                    "A route with 'durable' has 'channel' '%s'; only one channel has a cursor: make a route for each."
                            .formatted(channel));
        }
        return new Route.Out(
                namespace,
                channel,
                target,
                given.choice("serializer", Serializer.class, Serializer.NCB),
                given.choice("compression", Compression.class, Compression.NONE),
                filter(given),
                externalOnly(given, target),
                durable);
    }

    /** What came from the place itself is delivered here, so that place must have one name. */
    private static boolean externalOnly(Given given, Target target) {
        boolean only = given.bool("external_only", false);
        if (only && !target.name().matches("[^'\\\\{}]+")) {
            throw NeuralCoreException.invalid(
                    "A route with 'external_only' leads to '%s'; it must be one place, without quotes."
                            .formatted(target.name()));
        }
        return only;
    }

    private static @Nullable String filter(Given given) {
        StringBuilder all = new StringBuilder();
        Long min = given.optionalInteger("priority_min");
        Long max = given.optionalInteger("priority_max");
        String more = given.text("filter", "");
        if (min != null) {
            and(all, "priority >= " + min);
        }
        if (max != null) {
            and(all, "priority <= " + max);
        }
        if (!more.isEmpty()) {
            and(all, "(" + more + ")");
        }
        return all.isEmpty() ? null : all.toString();
    }

    private static void and(StringBuilder all, String term) {
        all.append(all.isEmpty() ? "" : " and ").append(term);
    }

    /** For people and clients to look at. */
    public static Map<String, @Nullable Object> toMap(Route route) {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        map.put("direction", route instanceof Route.Out ? "out" : "in");
        map.put("namespace", route.namespace());
        map.put("channel", route.channel());
        switch (route.target()) {
            case Target.PubSub pubsub -> map.put("pubsub", pubsub.name());
            case Target.Stream stream -> {
                map.put("stream", stream.name());
                map.put("trim_maxlen", stream.trimMaxlen());
            }
            case Target.StreamGroup stream -> {
                map.put("stream", stream.name());
                map.put("group", stream.group());
                map.put("consumer", stream.consumer());
                map.put("replay_start", stream.replayStart());
                map.put("auto_claim", stream.autoClaimMillis() / 1e3);
                map.put("delete_on_ack", stream.deleteOnAck());
            }
            case Target.Topic topic -> {
                map.put("topic", topic.name());
                map.put("key", topic.key().text());
            }
            case Target.TopicGroup topic -> {
                map.put("topic", topic.name());
                map.put("group", topic.group());
                map.put("replay_start", topic.replayStart().word());
            }
        }
        if (route instanceof Route.Out out) {
            map.put("serializer", out.serializer().name().toLowerCase(Locale.ROOT));
            map.put("compression", out.compression().name().toLowerCase(Locale.ROOT));
            map.put("filter", out.filter());
            map.put("external_only", out.externalOnly());
        }
        if (route instanceof Route.In in) {
            map.put("own", in.own());
        }
        return map;
    }
}
