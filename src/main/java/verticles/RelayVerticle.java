package verticles;

import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.relay.RelayConfig;
import neuralcore.relay.RelayFile;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * The relays of this node: opens those of the configuration and those that clients ask for, one
 * verticle each, and passes on what is asked of them. No broker's library is loaded before the
 * first.
 */
public final class RelayVerticle extends VerticleBase {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int MOST_RELAYS = 100;

    private final RuntimeConfig.Relays config;
    private final Path folder;

    /** The deployments of relays by name; an empty one is on its way. */
    private final SortedMap<String, String> relays = new TreeMap<>();

    private RelayNode node = new RelayNode("", 1);

    /**
     * @param folder the data folder, which keeps the node's name
     */
    public RelayVerticle(RuntimeConfig.Relays config, Path folder) {
        this.config = config;
        this.folder = folder;
    }

    @Override
    public Future<?> start() {
        offer(Addresses.RELAY_OPEN, this::open);
        offer(Addresses.RELAY_CLOSE, this::close);
        offer(Addresses.RELAY_LIST, this::list);
        offer(Addresses.RELAY_HEALTH, request -> pass(request, "health"));
        offer(Addresses.RELAY_ON, request -> pass(request, "on"));
        offer(Addresses.RELAY_OFF, request -> pass(request, "off"));
        offer(Addresses.RELAY_DRAIN, request -> pass(request, "drain"));
        offer(Addresses.RELAY_ROUTE, request -> pass(request, "route"));
        offer(Addresses.RELAY_REDRIVE, this::redrive);
        return vertx.executeBlocking(() -> new Beginning(nodeName(), RelayFile.read(config.file())))
                .compose(found -> openAll(Objects.requireNonNull(found)));
    }

    /** What the disk says before anything else. */
    private record Beginning(String node, List<RelayConfig> relays) {}

    private Future<Void> openAll(Beginning found) {
        node = new RelayNode(found.node(), config.maxUnpacked());
        return Future.all(found.relays().stream().map(relay -> deploy(relay, "")).toList())
                .mapEmpty();
    }

    /** The same over restarts, so that a message that comes back after one is known. */
    private String nodeName() {
        Path file = folder.resolve("relay-node");
        try {
            if (Files.exists(file)) {
                return Files.readString(file).strip();
            }
            byte[] random = new byte[8];
            new SecureRandom().nextBytes(random);
            String name = HexFormat.of().formatHex(random);
            Files.createDirectories(folder);
            Files.writeString(file, name);
            return name;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void offer(String address, Function<Request, Future<Reply>> service) {
        Services.offerLocally(vertx, address, service);
    }

    private Future<Reply> open(Request request) {
        Map<String, @Nullable Object> values = new HashMap<>(request.params().values());
        RelayConfig relay = RelayConfig.of(values);
        if (relays.size() >= MOST_RELAYS) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "There are %d relays; close one first.".formatted(MOST_RELAYS));
        }
        return deploy(relay, request.client()).compose(done -> ask(relay.name(), "describe"));
    }

    private Future<Void> deploy(RelayConfig relay, String client) {
        if (relays.putIfAbsent(relay.name(), "") != null) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "There is a relay '%s'; close it first, or choose another name."
                            .formatted(relay.name()));
        }
        return vertx.deployVerticle(
                        switch (relay.broker()) {
                            case REDIS -> new RedisVerticle(relay, node, client);
                        })
                .onFailure(error -> relays.remove(relay.name()))
                .<Void>map(
                        id -> {
                            relays.put(relay.name(), id);
                            return null;
                        });
    }

    private Future<Reply> close(Request request) {
        String name = known(request.params());
        Future<?> forgotten =
                request.params().bool("forget", false)
                        ? ask(name, "forget")
                        : Future.succeededFuture();
        return forgotten
                .compose(done -> vertx.undeploy(relays.getOrDefault(name, "")))
                .map(
                        done -> {
                            relays.remove(name);
                            return Reply.of(Map.of());
                        });
    }

    private Future<Reply> list(Request request) {
        List<Future<Reply>> asked =
                relays.keySet().stream().map(name -> ask(name, "describe")).toList();
        return Future.all(asked)
                .map(
                        all -> {
                            List<@Nullable Object> described = new ArrayList<>();
                            asked.forEach(reply -> described.add(reply.result().result()));
                            Map<String, @Nullable Object> result = new LinkedHashMap<>();
                            result.put("node", node.name());
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
        if (relays.getOrDefault(name, "").isEmpty()) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "There is no relay '%s' here; there are %s.".formatted(name, relays.keySet()));
        }
        return name;
    }
}
