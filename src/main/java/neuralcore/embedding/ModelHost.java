package neuralcore.embedding;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import neuralcore.wire.NeuralCoreException;

/**
 * The program of a process that runs one model for a daemon: reads what to load and then requests
 * from standard input, answers on standard output, ends when its input does. It serves nobody else,
 * and what makes it crash takes nothing else along.
 */
final class ModelHost {
    private final EmbeddingModel model;
    private final DataOutputStream out;
    private final ThreadLocal<EmbeddingModel.BatchRunner> runners;

    private ModelHost(EmbeddingModel model, DataOutputStream out) {
        this.model = model;
        this.out = out;
        this.runners = ThreadLocal.withInitial(model::newRunner);
    }

    public static void main(String[] arguments) throws IOException {
        InputStream input = System.in;
        OutputStream output = System.out;
        // What a library prints must not come between answers.
        System.setOut(new PrintStream(System.err, true, StandardCharsets.UTF_8));
        DataInputStream in = new DataInputStream(new BufferedInputStream(input, 1 << 16));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(output, 1 << 16));
        EmbeddingModel.Source source = HostWire.toSource(HostWire.readText(in));
        EmbeddingModel model;
        try {
            model = LocalModel.load(source, task -> Thread.ofPlatform().daemon().start(task));
        } catch (NeuralCoreException e) {
            out.writeByte(HostWire.FAILED);
            HostWire.writeText(out, String.valueOf(e.getMessage()));
            out.flush();
            return;
        }
        out.writeByte(HostWire.DONE);
        HostWire.writeText(out, model.spec().precision().name());
        HostWire.writeText(out, model.provider().kind().name());
        out.flush();
        int count = Math.max(2, Runtime.getRuntime().availableProcessors());
        try (ExecutorService threads = Executors.newFixedThreadPool(count)) {
            new ModelHost(model, out).serve(in, threads);
        }
        model.close();
    }

    private void serve(DataInputStream in, ExecutorService threads) throws IOException {
        while (true) {
            int number;
            try {
                number = in.readInt();
            } catch (EOFException e) {
                return;
            }
            byte operation = in.readByte();
            Work work =
                    switch (operation) {
                        case HostWire.ENCODE -> encode(in);
                        case HostWire.RUN -> run(in);
                        default -> throw new IOException("operation " + operation);
                    };
            threads.execute(() -> answer(number, work));
        }
    }

    @FunctionalInterface
    private interface Work {
        void write(DataOutputStream answer) throws IOException;
    }

    private Work encode(DataInputStream in) throws IOException {
        List<String> texts = new ArrayList<>();
        for (int count = in.readInt(); count > 0; count--) {
            texts.add(HostWire.readText(in));
        }
        return answer -> {
            for (int[] ids : model.encode(texts)) {
                HostWire.writeInts(answer, ids);
            }
        };
    }

    private Work run(DataInputStream in) throws IOException {
        int[] ids = HostWire.readInts(in);
        int[] lengths = HostWire.readInts(in);
        return answer -> {
            float[] vectors = new float[lengths.length * model.spec().dimension()];
            runners.get().run(new TokenBatch(ids, lengths), FloatBuffer.wrap(vectors));
            HostWire.writeFloats(answer, vectors);
        };
    }

    private void answer(int number, Work work) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte verdict = HostWire.DONE;
        try {
            try {
                work.write(new DataOutputStream(content));
            } catch (RuntimeException e) {
                content.reset();
                verdict = HostWire.FAILED;
                HostWire.writeFailure(new DataOutputStream(content), e);
            }
            synchronized (out) {
                out.writeInt(number);
                out.writeByte(verdict);
                content.writeTo(out);
                out.flush();
            }
        } catch (IOException e) {
            // Nobody reads any more; the input ends, too.
            Thread.currentThread().interrupt();
        }
    }
}
