package neuralcore.embedding;

import ai.onnxruntime.OrtException;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sessions of one network, and which of them a run gets.
 *
 * <p>The <em>narrow</em> one runs on the caller's thread alone: two runs side by side need no
 * barrier between their threads and take a tenth less time than one after the other. The
 * <em>wide</em> one has more threads, which pays where a short text comes alone. Each holds half of
 * the weights once more, laid out for its products, so the wide one is there only while texts come
 * one by one: it is opened in the background after some of them in a row, and closed when for a
 * while nothing of the kind has come between batches.
 *
 * <p>Thread-safe.
 *
 * @param <S> a session
 */
final class Sessions<S extends AutoCloseable> {
    private static final Logger log = LoggerFactory.getLogger(Sessions.class);

    /** Most tokens of a run for which waking other threads pays. */
    static final int SHORT = 160;

    /** So many short runs in a row, each alone, are texts that come one by one. */
    static final int ONE_BY_ONE = 8;

    /** So many other runs, with no such texts between, are bulk: some seconds of it. */
    static final int BULK = 64;

    /** Opens sessions. */
    @FunctionalInterface
    interface Opener<S> {
        S open(int threads) throws OrtException;

        /** Frees what sessions work on. All have been closed, and no more are opened. */
        default void close() {}
    }

    /** Work of a run with its session. */
    @FunctionalInterface
    interface Work<S> {
        void with(S session) throws OrtException;
    }

    private final Opener<S> opener;
    private final int threads;
    private final Executor background;
    private final S narrow;
    private @Nullable S wide;
    private boolean opening;
    private boolean closed;
    private int running;
    private int runningWide;
    private int oneByOne;
    private int others;

    /**
     * Opens the narrow session.
     *
     * @param threads of the wide one, the caller's included; 1 if there is to be none
     * @param background where the wide one is opened
     */
    Sessions(Opener<S> opener, int threads, Executor background) throws OrtException {
        this.opener = opener;
        this.threads = threads;
        this.background = background;
        try {
            this.narrow = opener.open(1);
        } catch (OrtException | RuntimeException e) {
            opener.close();
            throw e;
        }
    }

    /** The one that is always there, to be asked what the network is like. */
    S narrow() {
        return narrow;
    }

    /** Runs something with the session that suits it; not after or beside {@link #close}. */
    void run(int tokens, Work<S> work) throws OrtException {
        S session = begin(tokens);
        try {
            work.with(session);
        } finally {
            end(session);
        }
    }

    private synchronized S begin(int tokens) {
        boolean alone = running++ == 0;
        if (threads == 1) {
            return narrow;
        }
        S chosen = narrow;
        if (alone && tokens <= SHORT) {
            if (wide != null) {
                chosen = wide;
                runningWide++;
            }
            if (++oneByOne >= ONE_BY_ONE) {
                others = 0;
                if (wide == null && !opening) {
                    opening = true;
                    background.execute(this::openWide);
                }
            }
        } else {
            oneByOne = 0;
            others++;
            if (others >= BULK && wide != null && runningWide == 0) {
                close(wide);
                wide = null;
            }
        }
        return chosen;
    }

    private synchronized void end(S session) {
        running--;
        if (session != narrow) {
            runningWide--;
        }
    }

    private void openWide() {
        S opened = null;
        try {
            opened = opener.open(threads);
        } catch (OrtException | RuntimeException e) {
            // It is tried again after as many; meanwhile the narrow one does the work.
            log.warn("A session of {} threads cannot be opened: {}", threads, e.getMessage());
        }
        synchronized (this) {
            opening = false;
            oneByOne = 0;
            if (!closed) {
                wide = opened;
            } else {
                if (opened != null) {
                    close(opened);
                }
                opener.close();
            }
        }
    }

    /** Closes them and what they work on; one that is just being opened, when it is. */
    synchronized void close() {
        closed = true;
        close(narrow);
        if (wide != null) {
            close(wide);
            wide = null;
        }
        if (!opening) {
            opener.close();
        }
    }

    private static void close(AutoCloseable session) {
        try {
            session.close();
        } catch (Exception e) {
            log.warn("A session cannot be closed", e);
        }
    }
}
