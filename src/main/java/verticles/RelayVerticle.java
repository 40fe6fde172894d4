package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Receipts;
import neuralcore.eventbus.Services;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayFile;
import neuralcore.relay.Training;
import neuralcore.relay.ZstdDictionary;
import neuralcore.wire.ElementType;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The relays of this node: opens those of the configuration and those that clients ask for, one
 * verticle each, and passes on what is asked of them. No broker's library is loaded before the
 * first.
 */
public final class RelayVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(RelayVerticle.class);
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int MOST_RELAYS = 100;
    private static final long SAMPLE_MILLIS = 1_000;

    private final RuntimeConfig.Relays config;
    private final Path folder;

    /**
     * A relay that is open, or about to be.
     *
     * @param owners connections at whose end it ends, as the last of them goes; none if it stays
     */
    private record Open(RelayConfig config, Set<String> owners, Future<String> deployment) {}

    private final SortedMap<String, Open> relays = new TreeMap<>();
    private final RelayMeters meters;
    private @Nullable Future<RelayNode> node;

    /**
     * @param folder the data folder, which keeps the node's name
     */
    public RelayVerticle(RuntimeConfig.Relays config, Path folder, MeterRegistry registry) {
        this.config = config;
        this.folder = folder;
        this.meters = new RelayMeters(registry);
    }

    @Override
    public Future<?> start() {
        Receipts.of(vertx).patience(config.confirmTimeout().toMillis());
        offer(Addresses.RELAY_OPEN, this::open);
        offer(Addresses.RELAY_CLOSE, this::close);
        offer(Addresses.RELAY_LIST, this::list);
        offer(Addresses.RELAY_HEALTH, request -> pass(request, "health"));
        offer(Addresses.RELAY_ON, request -> pass(request, "on"));
        offer(Addresses.RELAY_OFF, request -> pass(request, "off"));
        offer(Addresses.RELAY_DRAIN, request -> pass(request, "drain"));
        offer(Addresses.RELAY_ROUTE, request -> pass(request, "route"));
        offer(Addresses.RELAY_PUBLISH, request -> pass(request, "publish"));
        offer(Addresses.RELAY_SCHEMA, request -> pass(request, "schema"));
        offer(Addresses.RELAY_REDRIVE, this::redrive);
        offer(Addresses.RELAY_TRAIN, this::train);
        vertx.setPeriodic(SAMPLE_MILLIS, timer -> sample());
        vertx.eventBus()
                .<String>localConsumer(
                        Addresses.CONNECTION_CLOSED, message -> ownerLeft(message.body()));
        return Future.succeededFuture();
    }

    /** Opens the relays that the configuration's file describes. */
    Future<?> openDescribed() {
        if (!Files.exists(config.file())) {
            return Future.succeededFuture();
        }
        return vertx.executeBlocking(() -> RelayFile.read(config.file()))
                .compose(
                        found ->
                                Future.all(
                                        Objects.requireNonNull(found).stream()
                                                .map(relay -> open(relay, "", Set.of()))
                                                .toList()));
    }

    /** The same over restarts, so that a message that comes back after one is known. */
    private RelayNode readNode() throws IOException {
        Path file = folder.resolve("relay-node");
        if (!Files.exists(file)) {
            byte[] random = new byte[8];
            new SecureRandom().nextBytes(random);
            Files.createDirectories(folder);
            Files.writeString(file, HexFormat.of().formatHex(random));
        }
        return new RelayNode(Files.readString(file).strip(), config.maxUnpacked());
    }

    private Future<RelayNode> node() {
        if (node == null) {
            node = vertx.executeBlocking(this::readNode).map(Objects::requireNonNull);
        }
        return node;
    }

    private void offer(String address, Function<Request, Future<Reply>> service) {
        Services.offerLocally(vertx, address, service);
    }

    private Future<Reply> open(Request request) {
        Map<String, @Nullable Object> values = new HashMap<>(request.params().values());
        boolean owned = Boolean.TRUE.equals(values.remove("owned"));
        RelayConfig relay = RelayConfig.of(values);
        return open(relay, request.client(), owned ? Set.of(request.connection()) : Set.of())
                .compose(done -> ask(relay.name(), "describe"));
    }

    /** One that is open with the same configuration gets its owners in addition. */
    private Future<String> open(RelayConfig relay, String client, Set<String> owners) {
        Open known = relays.get(relay.name());
        if (known != null) {
            if (!known.config().equals(relay)) {
                throw new NeuralCoreException(
                        ErrorCode.ALREADY_EXISTS,
                        "There is another relay '%s'; close it first, or choose another name."
                                .formatted(relay.name()));
            }
            if (!known.owners().isEmpty()) {
                known.owners().addAll(owners);
            }
            return known.deployment();
        }
        if (relays.size() >= MOST_RELAYS) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "There are %d relays; close one first.".formatted(MOST_RELAYS));
        }
        Future<String> deployment =
                node().compose(
                                ready ->
                                        vertx.deployVerticle(
                                                switch (relay.broker()) {
                                                    case REDIS ->
                                                            new RedisVerticle(relay, ready, client);
                                                    case KAFKA ->
                                                            new KafkaVerticle(relay, ready, client);
                                                }))
                        .onFailure(error -> relays.remove(relay.name()));
        relays.put(relay.name(), new Open(relay, new HashSet<>(owners), deployment));
        return deployment;
    }

    private void sample() {
        for (Open relay : relays.values()) {
            String name = relay.config().name();
            if (relay.deployment().succeeded()) {
                ask(name, "describe")
                        .onSuccess(
                                said -> {
                                    if (relays.get(name) == relay) {
                                        meters.sample(name, said.result());
                                    }
                                });
            }
        }
    }

    private void ownerLeft(String connection) {
        for (Open relay : List.copyOf(relays.values())) {
            if (relay.owners().remove(connection) && relay.owners().isEmpty()) {
                end(relay).onFailure(error -> log.warn("A relay did not end", error));
            }
        }
    }

    private Future<Void> end(Open relay) {
        relays.remove(relay.config().name(), relay);
        meters.remove(relay.config().name());
        return relay.deployment().compose(vertx::undeploy);
    }

    private Future<Reply> close(Request request) {
        String name = known(request.params());
        Future<?> forgotten =
                request.params().bool("forget", false)
                        ? ask(name, "forget")
                        : Future.succeededFuture();
        return forgotten
                .compose(done -> end(Objects.requireNonNull(relays.get(name))))
                .map(done -> Reply.of(Map.of()));
    }

    private Future<Reply> list(Request request) {
        List<Future<Reply>> asked =
                relays.values().stream()
                        .filter(relay -> relay.deployment().succeeded())
                        .map(relay -> ask(relay.config().name(), "describe"))
                        .toList();
        return Future.all(asked)
                .map(
                        all -> {
                            List<@Nullable Object> described = new ArrayList<>();
                            asked.forEach(reply -> described.add(reply.result().result()));
                            Map<String, @Nullable Object> result = new LinkedHashMap<>();
                            result.put("relays", described);
                            return Reply.of(result);
                        });
    }

    /** Puts the dead letters of all channels that a relay sends from back into their channels. */
    private Future<Reply> redrive(Request request) {
        return ask(known(request.params()), "describe")
                .compose(
                        described -> {
                            List<Future<Reply>> asked = new ArrayList<>();
                            if (described.result().get("routes") instanceof List<?> routes) {
                                for (Object route : routes) {
                                    if (route instanceof Map<?, ?> map
                                            && Boolean.TRUE.equals(map.get("durable"))) {
                                        asked.add(requeue(request, map));
                                    }
                                }
                            }
                            return Future.all(asked)
                                    .map(
                                            all ->
                                                    Reply.of(
                                                            Map.of(
                                                                    "requeued",
                                                                    asked.stream()
                                                                            .mapToLong(
                                                                                    RelayVerticle
                                                                                            ::requeued)
                                                                            .sum())));
                        });
    }

    /** The attachment holds payloads, JSON each; the answer's is the dictionary. */
    private Future<Reply> train(Request request) {
        List<String> channels = request.params().strings("channels");
        int size = request.params().integer("size", 24 << 10, 0, Integer.MAX_VALUE);
        List<String> payloads =
                request.tensors().isEmpty() ? List.of() : request.tensors().getFirst().toStrings();
        return vertx.executeBlocking(() -> Training.learn(channels, payloads, size))
                .map(Objects::requireNonNull)
                .map(
                        learnt ->
                                Reply.of(
                                        Map.of("dictionary", new ZstdDictionary(learnt).id()),
                                        new Tensor(
                                                ElementType.BYTES,
                                                learnt.length,
                                                0,
                                                ByteBuffer.wrap(learnt))));
    }

    private Future<Reply> requeue(Request request, Map<?, ?> route) {
        Map<String, @Nullable Object> params = new HashMap<>();
        params.put("namespace", route.get("namespace"));
        params.put("channel", route.get("channel"));
        params.put("limit", request.params().integer("limit", 1_000));
        return Services.call(
                vertx,
                new Request(
                        Addresses.MESSAGING_REQUEUE,
                        new Params(params),
                        List.of(),
                        request.connection(),
                        request.client()),
                PATIENCE);
    }

    private static long requeued(Future<Reply> reply) {
        return reply.result().result().get("requeued") instanceof Number number
                ? number.longValue()
                : 0;
    }

    private Future<Reply> pass(Request request, String verb) {
        Map<String, @Nullable Object> params = new HashMap<>(request.params().values());
        params.put("do", verb);
        return ask(known(request.params()), params);
    }

    private Future<Reply> ask(String name, String verb) {
        return ask(name, Map.of("do", verb));
    }

    private Future<Reply> ask(String name, Map<String, @Nullable Object> params) {
        return Services.call(
                vertx, new Request(Addresses.relay(name), new Params(params), List.of()), PATIENCE);
    }

    private String known(Params params) {
        String name = params.string("name");
        Open relay = relays.get(name);
        if (relay == null || !relay.deployment().succeeded()) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "There is no relay '%s' here; there are %s.".formatted(name, relays.keySet()));
        }
        return name;
    }
}
