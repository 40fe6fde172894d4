package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.DeflaterOutputStream;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/** The table and the blobs of ATLAS's own bus: read from its file, and shown in a journal. */
@Timeout(120)
class NcbTest {
    private static final String ID = "00010203-0405-4607-8809-0a0b0c0d0e0f";

    @TempDir Path folder;

    private static byte[] packed(String id, double ts, long priority, String payload)
            throws IOException {
        try (MessageBufferPacker out = MessagePack.newDefaultBufferPacker()) {
            out.packMapHeader(6).packString("id").packString(id);
            out.packString("channel").packString("tasks");
            out.packString("ts").packDouble(ts);
            out.packString("priority").packLong(priority);
            out.packString("payload").packMapHeader(1).packString("text").packString(payload);
            out.packString("meta").packMapHeader(1).packString("trace_id").packString("t-1");
            return out.toByteArray();
        }
    }

    private static byte[] deflated(byte[] plain) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream deflater = new DeflaterOutputStream(out)) {
            deflater.write(plain);
        }
        return out.toByteArray();
    }

    private Path atlasFile(byte[]... blobs) throws Exception {
        Path file = folder.resolve("atlas.db");
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + file);
                var statement = connection.createStatement()) {
            statement.execute(
                    "CREATE TABLE ncb_messages (channel TEXT, seq INTEGER PRIMARY KEY"
                            + " AUTOINCREMENT, msg_id TEXT, ts REAL, priority INTEGER, data BLOB)");
            try (var insert =
                    connection.prepareStatement(
                            "INSERT INTO ncb_messages (channel, data) VALUES ('tasks', ?)")) {
                for (byte[] blob : blobs) {
                    insert.setBytes(1, blob);
                    insert.executeUpdate();
                }
            }
        }
        return file;
    }

    @Test
    void whatAtlasWroteIsRead() throws Exception {
        SqliteLibrary.provide(Path.of("target", "test-cache").toAbsolutePath());
        byte[] json =
                ("{\"id\":\"m-3\",\"channel\":\"tasks\",\"ts\":3,\"priority\":-3,"
                                + "\"payload\":{\"text\":\"three\"}}")
                        .getBytes(StandardCharsets.UTF_8);
        byte[] whole = packed(ID, 1.5, 100, "one");
        Path file =
                atlasFile(
                        whole,
                        deflated(packed("m-2", 2.25, 0, "two")),
                        json,
                        deflated(json),
                        Arrays.copyOf(whole, whole.length - 10),
                        new byte[] {0x78, (byte) 0x9c, 1, 2, 3},
                        deflated(new byte[NcbFile.MAX_BYTES + 1]),
                        new byte[0]);
        byte[] before = Files.readAllBytes(file);

        List<Envelope> read = new ArrayList<>();
        NcbFile.Outcome outcome = NcbFile.read(file, read::add);

        assertThat(outcome).isEqualTo(new NcbFile.Outcome(4, 4));
        assertThat(read).extracting(Envelope::priority).containsExactly(100L, 0L, -3L, -3L);
        assertThat(read)
                .extracting(Envelope::timestampNanos)
                .containsExactly(1_500_000_000L, 2_250_000_000L, 3_000_000_000L, 3_000_000_000L);
        assertThat(read)
                .extracting(message -> String.valueOf(Payloads.payload(message)))
                .containsExactly("{text=one}", "{text=two}", "{text=three}", "{text=three}");
        assertThat(read.getFirst().id()).as("the same id").isEqualTo(ID.replace("-", ""));
        assertThat(read.getFirst().id()).isNotEqualTo(read.get(1).id());
        assertThat(String.valueOf(Payloads.meta(read.getFirst()))).isEqualTo("{trace_id=t-1}");
        assertThat(Files.readAllBytes(file)).as("the stranger's file").isEqualTo(before);
    }

    @Test
    void whatIsNoSuchFileIsRefused() throws Exception {
        SqliteLibrary.provide(Path.of("target", "test-cache").toAbsolutePath());
        Path text = Files.writeString(folder.resolve("text"), "no database at all, but a text");
        for (Path file : List.of(text, folder.resolve("gone"))) {
            assertThatThrownBy(() -> NcbFile.read(file, message -> {}))
                    .isInstanceOf(NeuralCoreException.class)
                    .extracting(e -> ((NeuralCoreException) e).code())
                    .isEqualTo(ErrorCode.INVALID_REQUEST);
        }
        assertThat(folder.resolve("gone")).doesNotExist();
    }

    /** Its readers find in the view what its own bus would have written. */
    @Test
    void aJournalShowsItsMessagesInAtlasColumns() throws Exception {
        byte[] map = packed(ID, 1, 1, "payload");
        byte[] meta = {(byte) 0x81, (byte) 0xa1, 'k', 5};
        byte[] text = "{\"a\":[1,\"é\"]}".getBytes(StandardCharsets.UTF_8);
        byte[] jsonMeta = "{\"k\":5}".getBytes(StandardCharsets.UTF_8);
        try (Journals journals = new Journals(folder)) {
            journals.configured("tasks");
            journals.keep(
                    message(1, 1_700_000_000_250_000_000L, 5, Envelope.MSGPACK, map, meta),
                    message(2, 2_500_000_000_500_000_000L, -9, Envelope.JSON, text, jsonMeta),
                    message(3, 1_100_000_000_000_000_000L, 0, Envelope.MSGPACK, map, new byte[0]),
                    message(4, 2_147_483_648_125_000_000L, 255, Envelope.MSGPACK, map, meta),
                    message(5, 5_000_000_000L, 1L << 40, Envelope.MSGPACK, map, meta));
        }
        List<Envelope> read = new ArrayList<>();

        NcbFile.Outcome outcome = NcbFile.read(folder.resolve("test.journal"), read::add);

        assertThat(outcome).isEqualTo(new NcbFile.Outcome(5, 0));
        assertThat(read)
                .extracting(Envelope::priority)
                .containsExactly(5L, -9L, 0L, 255L, 1L << 40);
        long[] times = {
            1_700_000_000_250_000_000L,
            2_500_000_000_500_000_000L,
            1_100_000_000_000_000_000L,
            2_147_483_648_125_000_000L,
            5_000_000_000L
        };
        for (int i = 0; i < times.length; i++) {
            Envelope message = read.get(i);
            assertThat(message.channel()).isEqualTo("tasks");
            assertThat(message.timestampNanos()).isCloseTo(times[i], within(1_000L));
            assertThat(message.publisher()).isEqualTo(0x1234_5678_9abcL);
            assertThat(message.sequence()).isEqualTo(i + 1L);
        }
        assertThat(String.valueOf(Payloads.payload(read.get(1)))).isEqualTo("{a=[1, é]}");
        assertThat(String.valueOf(Payloads.meta(read.get(1)))).isEqualTo("{k=5}");
        assertThat(Arrays.copyOf(read.getFirst().body(), map.length)).isEqualTo(map);
        assertThat(String.valueOf(Payloads.meta(read.getFirst()))).isEqualTo("{k=5}");
        assertThat(String.valueOf(Payloads.meta(read.get(2)))).isEqualTo("{}");
    }

    private static Entry.Message message(
            long number, long nanos, long priority, byte type, byte[] payload, byte[] meta) {
        byte[] body = Arrays.copyOf(payload, payload.length + meta.length);
        System.arraycopy(meta, 0, body, payload.length, meta.length);
        return new Entry.Message(
                number,
                new Envelope(
                        "tasks",
                        0x1234_5678_9abcL,
                        number,
                        nanos,
                        priority,
                        0,
                        0,
                        type,
                        meta.length == 0 ? Envelope.NONE : type,
                        body,
                        payload.length),
                0,
                0);
    }
}
