package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.zip.GZIPInputStream;

/** What sentence-transformers makes of texts; {@code make_embedding_golden.py} wrote the file. */
public record Golden(String text, float[] vector) {

    public static List<Golden> read() {
        return read("all-MiniLM-L6-v2");
    }

    /** As {@link #read()}, of the model of this name. */
    static List<Golden> read(String model) {
        String resource = "/embedding/%s.golden.gz".formatted(model);
        try (InputStream in = Objects.requireNonNull(Golden.class.getResourceAsStream(resource));
                GZIPInputStream unpacked = new GZIPInputStream(in)) {
            ByteBuffer data =
                    ByteBuffer.wrap(unpacked.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
            int count = data.getInt();
            int dimension = data.getInt();
            List<Golden> goldens = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                byte[] text = new byte[data.getInt()];
                data.get(text);
                float[] vector = new float[dimension];
                for (int j = 0; j < dimension; j++) {
                    vector[j] = Float.float16ToFloat(data.getShort());
                }
                goldens.add(new Golden(new String(text, StandardCharsets.UTF_8), vector));
            }
            return goldens;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The text's beginning, readable in a message. */
    public String shown() {
        String start = text.length() > 40 ? text.substring(0, 40) + "…" : text;
        return "'" + start.replaceAll("\\p{C}", "?") + "' (" + text.length() + ")";
    }
}
