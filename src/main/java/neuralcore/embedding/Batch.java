package neuralcore.embedding;

import java.util.List;

/** Texts for one worker to run together, and who waits for their vectors. Immutable. */
public final class Batch {

    /** A distinct text of a job. */
    record Part(EmbedJob job, int text) {}

    private final long id;
    private final String worker;
    private final TokenBatch tokens;
    private final List<List<Part>> receivers;

    Batch(long id, String worker, TokenBatch tokens, List<List<Part>> receivers) {
        this.id = id;
        this.worker = worker;
        this.tokens = tokens;
        this.receivers = List.copyOf(receivers);
    }

    public long id() {
        return id;
    }

    /** Who is to run it. */
    public String worker() {
        return worker;
    }

    public TokenBatch tokens() {
        return tokens;
    }

    /** Tokens that it takes to compute, padding included. */
    public int cost() {
        return tokens.texts() * tokens.width();
    }

    /** Who gets the vector of each text. */
    List<List<Part>> receivers() {
        return receivers;
    }
}
