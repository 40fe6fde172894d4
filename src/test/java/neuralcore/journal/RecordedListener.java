package neuralcore.journal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import neuralcore.wire.ErrorCode;

/** Remembers what a journal told, and waits for it. Thread-safe. */
final class RecordedListener implements JournalListener {
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(60);

    final List<Long> refused = new ArrayList<>();
    final List<Pruned> pruned = new ArrayList<>();
    private long committed;
    private boolean full;
    private ErrorCode failure;

    @Override
    public synchronized void committed(long position) {
        if (position <= committed) {
            throw new IllegalStateException(position + " after " + committed);
        }
        committed = position;
        notifyAll();
    }

    @Override
    public synchronized void refused(long position, ErrorCode code) {
        refused.add(position);
        notifyAll();
    }

    @Override
    public synchronized void full(boolean isFull) {
        full = isFull;
        notifyAll();
    }

    @Override
    public synchronized void pruned(Pruned told) {
        pruned.add(told);
        notifyAll();
    }

    @Override
    public synchronized void failed(ErrorCode code, String message) {
        failure = code;
        notifyAll();
    }

    synchronized long committed() {
        return committed;
    }

    synchronized ErrorCode failure() {
        return failure;
    }

    synchronized boolean isFull() {
        return full;
    }

    synchronized List<Long> refused() {
        return List.copyOf(refused);
    }

    synchronized long prunedRows() {
        return pruned.stream().mapToLong(Pruned::rows).sum();
    }

    synchronized long prunedUnacknowledged() {
        return pruned.stream().mapToLong(Pruned::unacknowledged).sum();
    }

    void awaitCommit(long position) {
        await(() -> committed >= position || failure != null);
        if (failure() != null) {
            throw new AssertionError("The journal failed: " + failure());
        }
    }

    synchronized void await(BooleanSupplier condition) {
        long end = System.nanoTime() + PATIENCE;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("Waited a minute in vain.");
            }
            try {
                wait(100);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }
}
