package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * One node has the bus and the collections; a client of another node's door uses them as if they
 * were there.
 */
@Timeout(600)
class ClusterBusIT {
    private static final int TRIES = 1_200;
    private static final long TRY_MILLIS = 100;

    @TempDir Path folder;
    private int port;

    private DaemonProcess owner() throws Exception {
        return ClusterNode.start(
                folder.resolve("owner"),
                ClusterNode.arguments(credentials(), "bridge,bus,vectors", port, ""));
    }

    private DaemonProcess door() throws Exception {
        return ClusterNode.start(
                folder.resolve("door"),
                ClusterNode.arguments(credentials(), "bridge,web", 0, "127.0.0.1:" + port));
    }

    private Path credentials() {
        return folder.resolve("credentials");
    }

    @Test
    void aClientOfAnyDoorPublishesSubscribesAndSearches() throws Exception {
        port = ClusterNode.freePort();
        try (DaemonProcess owner = owner();
                DaemonProcess door = door();
                FrameClient near = owner.connect();
                FrameClient far = door.connect()) {
            untilAnswered(far, Addresses.MESSAGING_CHANNELS, json("namespace", "n"));

            create(far, "kept");
            subscribe(far, "kept");
            subscribe(near, "kept");
            publish(far, 1, "from afar");
            assertThat(delivered(far, near)).containsExactly("from afar", "from afar");
            publish(near, 2, "from near");
            assertThat(delivered(near, far)).containsExactly("from near", "from near");

            Frame.Answer kept =
                    answer(
                            far,
                            Addresses.MESSAGING_HISTORY,
                            json("namespace", "n", "channel", "kept", "limit", 100));
            assertThat((List<?>) kept.result().get("messages")).hasSize(2);

            answer(far, Addresses.VECTORS_CREATE, json("collection", "c", "dimension", 2));
            Tensor vectors = Tensor.ofFloats(2, 2);
            vectors.floats().put(new float[] {1, 0, 0, 1});
            answer(
                    far,
                    Addresses.VECTORS_UPSERT,
                    json("collection", "c"),
                    Tensor.ofStrings(List.of("a", "b")),
                    vectors);
            Tensor query = Tensor.ofFloats(1, 2);
            query.floats().put(new float[] {0, 1});
            Frame.Answer found =
                    answer(far, Addresses.VECTORS_SEARCH, json("collection", "c", "k", 1), query);
            assertThat(found.tensors().getFirst().toStrings()).containsExactly("b");
        }
    }

    /** The bus forgets the connections of a door that is killed. */
    @Test
    void whatADoorHadGoesWithIt() throws Exception {
        port = ClusterNode.freePort();
        try (DaemonProcess owner = owner();
                FrameClient near = owner.connect()) {
            try (DaemonProcess door = door();
                    FrameClient far = door.connect()) {
                untilAnswered(far, Addresses.MESSAGING_CHANNELS, json("namespace", "n"));
                create(far, "kept");
                subscribe(far, "kept");
                assertThat(subscribers(near)).isEqualTo(1);
            }
            for (int i = 0; i < TRIES && subscribers(near) > 0; i++) {
                Thread.sleep(TRY_MILLIS);
            }
            assertThat(subscribers(near)).isZero();
        }
    }

    /** A client that subscribed through a door hears that the bus is gone, and comes again. */
    @Test
    void whenTheBusIsKilledItsSubscribersAreSentAway() throws Exception {
        port = ClusterNode.freePort();
        try (DaemonProcess door = door()) {
            try (DaemonProcess owner = owner();
                    FrameClient far = door.connect()) {
                untilAnswered(far, Addresses.MESSAGING_CHANNELS, json("namespace", "n"));
                create(far, "kept");
                subscribe(far, "kept");
                owner.close();
                Frame told = far.receive();
                assertThat(((Frame.Failure) told).error())
                        .containsEntry("code", "CONNECTION_LOST")
                        .hasEntrySatisfying(
                                "message",
                                text -> assertThat((String) text).contains("has the bus"));
                assertThat(far.isClosedByDaemon()).isTrue();
            }
            try (FrameClient far = door.connect()) {
                Frame nobody = far.call(Addresses.MESSAGING_CHANNELS, json("namespace", "n"));
                assertThat(((Frame.Failure) nobody).error())
                        .containsEntry("code", "UNKNOWN_ADDRESS");
                try (DaemonProcess again = owner()) {
                    Frame.Answer channels =
                            untilAnswered(
                                    far, Addresses.MESSAGING_CHANNELS, json("namespace", "n"));
                    assertThat(channels.result().toString()).contains("kept");
                }
            }
        }
    }

    private static void create(FrameClient client, String channel) throws IOException {
        answer(
                client,
                Addresses.MESSAGING_CREATE,
                json("namespace", "n", "channel", channel, "persistent", true));
    }

    private static void subscribe(FrameClient client, String channel) throws IOException {
        answer(
                client,
                Addresses.MESSAGING_SUBSCRIBE,
                json("namespace", "n", "channel", channel, "subscription", 1));
    }

    private static void publish(FrameClient client, long sequence, String text) throws IOException {
        byte[] payload = text.getBytes(StandardCharsets.UTF_8);
        Envelope message =
                new Envelope(
                        "kept",
                        7L,
                        sequence,
                        System.currentTimeMillis() * 1_000_000,
                        5,
                        0,
                        0,
                        Envelope.BYTES,
                        Envelope.NONE,
                        payload,
                        payload.length);
        client.send(
                new Frame.Publish((int) sequence, Frame.Confirm.DURABLE, "n", List.of(message)));
    }

    /** What each client is delivered next, other frames aside. */
    private static List<String> delivered(FrameClient... clients) throws IOException {
        List<String> texts = new ArrayList<>();
        for (FrameClient client : clients) {
            Frame frame = client.receive();
            while (!(frame instanceof Frame.Deliver)) {
                frame = client.receive();
            }
            for (Delivery delivery : ((Frame.Deliver) frame).deliveries()) {
                Envelope message = delivery.envelope();
                texts.add(
                        new String(
                                message.body(),
                                0,
                                message.payloadLength(),
                                StandardCharsets.UTF_8));
            }
        }
        return texts;
    }

    private static int subscribers(FrameClient client) throws IOException {
        Frame.Answer stats = answer(client, Addresses.MESSAGING_STATS, json("namespace", "n"));
        String text = stats.result().toString();
        int at = text.indexOf("subscriptions=");
        return Integer.parseInt(text.substring(at + 14).split("\\D", 2)[0]);
    }

    private static Frame.Answer answer(
            FrameClient client, String address, Map<String, Object> params, Tensor... tensors)
            throws IOException {
        Frame frame = client.call(address, params, tensors);
        while (!(frame instanceof Frame.Answer) && !(frame instanceof Frame.Failure)) {
            frame = client.receive(); // published, flow
        }
        assertThat(frame).as(address).isInstanceOf(Frame.Answer.class);
        return (Frame.Answer) frame;
    }

    private static Frame.Answer untilAnswered(
            FrameClient client, String address, Map<String, Object> params) throws Exception {
        Frame frame = client.call(address, params);
        for (int i = 0; i < TRIES && !(frame instanceof Frame.Answer); i++) {
            Thread.sleep(TRY_MILLIS);
            frame = client.call(address, params);
        }
        assertThat(frame).isInstanceOf(Frame.Answer.class);
        return (Frame.Answer) frame;
    }
}
