package neuralcore.embedding;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link HostedModel} and its {@link ModelHost} say to each other over a pipe: big-endian
 * numbers, lengths before contents. A request is a number, an operation and its content; an answer
 * is the number, whether it went well, and the content or the reason.
 */
final class HostWire {
    static final byte ENCODE = 1;
    static final byte RUN = 2;
    static final byte DONE = 0;
    static final byte FAILED = 1;

    private static final int MOST = 1 << 28;

    private HostWire() {}

    static void writeText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static String readText(DataInputStream in) throws IOException {
        return new String(in.readNBytes(count(in)), StandardCharsets.UTF_8);
    }

    static void writeInts(DataOutputStream out, int[] values) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Integer.BYTES));
        bytes.asIntBuffer().put(values);
        out.writeInt(values.length);
        out.write(bytes.array());
    }

    static int[] readInts(DataInputStream in) throws IOException {
        int[] values = new int[count(in)];
        ByteBuffer.wrap(in.readNBytes(values.length * Integer.BYTES)).asIntBuffer().get(values);
        return values;
    }

    static void writeFloats(DataOutputStream out, float[] values) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Float.BYTES));
        bytes.asFloatBuffer().put(values);
        out.writeInt(values.length);
        out.write(bytes.array());
    }

    static float[] readFloats(DataInputStream in) throws IOException {
        float[] values = new float[count(in)];
        ByteBuffer.wrap(in.readNBytes(values.length * Float.BYTES)).asFloatBuffer().get(values);
        return values;
    }

    private static int count(DataInputStream in) throws IOException {
        int count = in.readInt();
        if (count < 0 || count > MOST) {
            throw new IOException("a length of " + count);
        }
        return count;
    }

    /** Why something failed, as it is to be told to who asked. */
    static void writeFailure(DataOutputStream out, RuntimeException failure) throws IOException {
        ErrorCode code = ErrorCode.INTERNAL;
        @Nullable Double retryAfter = null;
        if (failure instanceof NeuralCoreException told) {
            code = told.code();
            retryAfter = told.retryAfterSeconds();
        }
        out.writeInt(code.number());
        out.writeDouble(retryAfter == null ? Double.NaN : retryAfter);
        writeText(out, String.valueOf(failure.getMessage()));
    }

    static NeuralCoreException readFailure(DataInputStream in) throws IOException {
        ErrorCode code = ErrorCode.ofNumber(in.readInt());
        double retryAfter = in.readDouble();
        return new NeuralCoreException(
                code, readText(in), Double.isNaN(retryAfter) ? null : Double.valueOf(retryAfter));
    }

    /** What to load, as text. */
    static String toText(EmbeddingModel.Source source) {
        ModelSpec spec = source.spec();
        Map<String, @Nullable Object> keys = new LinkedHashMap<>();
        keys.put("name", spec.name());
        keys.put("repository", spec.repository());
        keys.put("dimension", (long) spec.dimension());
        keys.put("max_tokens", (long) spec.maxTokens());
        keys.put("pooling", spec.pooling().name());
        keys.put("normalize", spec.normalize());
        keys.put("query_prefix", spec.queryPrefix());
        keys.put("document_prefix", spec.documentPrefix());
        keys.put("inputs", spec.inputs());
        keys.put("output", spec.output());
        keys.put("source", spec.source());
        keys.put("graph", file(spec.graph()));
        keys.put("tokenizer", file(spec.tokenizer()));
        keys.put("precision", spec.precision().name());
        keys.put("models", source.models().toString());
        keys.put("hub", source.hub().toString());
        keys.put("cache", source.cache().toString());
        keys.put("threads", (long) source.threads());
        keys.put("choice", source.precision().name());
        keys.put("provider", source.provider().kind().name());
        keys.put("device", (long) source.provider().device());
        keys.put("memory", source.provider().memoryBytes());
        return Json.writeText(keys);
    }

    private static Map<String, @Nullable Object> file(ModelFile file) {
        Map<String, @Nullable Object> keys = new LinkedHashMap<>();
        keys.put("name", file.name());
        keys.put("resource", file.resource());
        keys.put("bytes", file.size());
        keys.put("sha256", file.sha256());
        keys.put("path", file.path() == null ? "" : file.path().toString());
        return keys;
    }

    /** The source that {@link #toText} was called with, to be loaded in this process. */
    static EmbeddingModel.Source toSource(String text) {
        Params keys =
                new Params(Json.readObject(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
        ModelSpec spec =
                new ModelSpec(
                        keys.string("name"),
                        List.of(),
                        keys.string("repository"),
                        (int) keys.integer("dimension"),
                        (int) keys.integer("max_tokens"),
                        Pooling.of(keys.string("pooling")),
                        keys.bool("normalize", true),
                        keys.string("query_prefix"),
                        keys.string("document_prefix"),
                        new ArrayList<>(keys.strings("inputs")),
                        keys.string("output"),
                        Precision.valueOf(keys.string("precision")),
                        file(keys, "graph"),
                        file(keys, "tokenizer"),
                        keys.string("source"));
        return new EmbeddingModel.Source(
                spec,
                Path.of(keys.string("models")),
                Path.of(keys.string("hub")),
                Path.of(keys.string("cache")),
                (int) keys.integer("threads"),
                Precision.Choice.valueOf(keys.string("choice")),
                new Provider(
                        Provider.Kind.valueOf(keys.string("provider")),
                        (int) keys.integer("device"),
                        keys.integer("memory")),
                Isolation.INPROCESS);
    }

    private static ModelFile file(Params keys, String which) {
        Map<String, @Nullable Object> given = keys.optionalObject(which);
        if (given == null) {
            throw NeuralCoreException.invalid("'" + which + "' is missing.");
        }
        Params file = new Params(given);
        String path = file.string("path");
        return new ModelFile(
                file.string("name"),
                file.string("resource"),
                file.integer("bytes"),
                file.string("sha256"),
                path.isEmpty() ? null : Path.of(path));
    }
}
