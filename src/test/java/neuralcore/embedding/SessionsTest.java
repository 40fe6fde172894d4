package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OrtException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionsTest {
    private static final int BATCH = 256;
    private static final int TEXT = 20;

    private static final class Session implements AutoCloseable {
        private final int threads;
        private boolean closed;

        private Session(int threads) {
            this.threads = threads;
        }

        @Override
        public void close() {
            assertThat(closed).isFalse();
            closed = true;
        }
    }

    private final List<Session> opened = new ArrayList<>();
    private final Deque<Runnable> background = new ArrayDeque<>();

    private int freed;

    private Session open(int threads) {
        assertThat(freed).isZero();
        Session session = new Session(threads);
        opened.add(session);
        return session;
    }

    private final class Opener implements Sessions.Opener<Session> {
        @Override
        public Session open(int threads) {
            return SessionsTest.this.open(threads);
        }

        @Override
        public void close() {
            assertThat(alive()).isEmpty();
            freed++;
        }
    }

    private Sessions<Session> sessions(int threads) throws OrtException {
        return new Sessions<>(new Opener(), threads, background::add);
    }

    /** Threads of the session that a run gets. */
    private static int threadsOf(Sessions<Session> sessions, int tokens) throws OrtException {
        int[] threads = new int[1];
        sessions.run(tokens, session -> threads[0] = session.threads);
        return threads[0];
    }

    private void runAll(Sessions<Session> sessions, int runs, int tokens) throws OrtException {
        for (int i = 0; i < runs; i++) {
            threadsOf(sessions, tokens);
        }
        while (!background.isEmpty()) {
            background.remove().run();
        }
    }

    /** Sessions of which the wide one is open. */
    private Sessions<Session> usedOneByOne(int threads) throws OrtException {
        Sessions<Session> sessions = sessions(threads);
        runAll(sessions, Sessions.ONE_BY_ONE, TEXT);
        return sessions;
    }

    private List<Session> alive() {
        return opened.stream().filter(session -> !session.closed).toList();
    }

    @Test
    void bulkNeedsOneSession() throws OrtException {
        Sessions<Session> sessions = sessions(4);
        for (int request = 0; request < 50; request++) {
            runAll(sessions, 10, BATCH);
            runAll(sessions, Sessions.ONE_BY_ONE - 1, TEXT); // what is left of its texts
        }
        assertThat(opened).hasSize(1);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(1);
    }

    @Test
    void textsOneByOneGetAllThreadsUntilBulkComes() throws OrtException {
        Sessions<Session> sessions = usedOneByOne(4);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(4);
        assertThat(threadsOf(sessions, Sessions.SHORT)).isEqualTo(4);
        assertThat(threadsOf(sessions, Sessions.SHORT + 1)).isEqualTo(1);

        runAll(sessions, Sessions.BULK - 2, BATCH);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(4);
        threadsOf(sessions, BATCH);
        assertThat(alive()).hasSize(1);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(1);

        runAll(sessions, Sessions.ONE_BY_ONE, TEXT);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(4);
    }

    @Test
    void batchesBetweenTextsThatComeOneByOneTakeNothingFromThem() throws OrtException {
        Sessions<Session> sessions = usedOneByOne(2);
        for (int i = 0; i < 10; i++) {
            runAll(sessions, Sessions.BULK / 2, BATCH);
            runAll(sessions, Sessions.ONE_BY_ONE, TEXT);
        }
        assertThat(opened).hasSize(2);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(2);
    }

    @Test
    void aRunBesideAnotherHasOneThread() throws OrtException {
        Sessions<Session> sessions = usedOneByOne(2);
        sessions.run(
                TEXT,
                first -> {
                    assertThat(first.threads).isEqualTo(2);
                    for (int i = 0; i < 2 * Sessions.BULK; i++) {
                        assertThat(threadsOf(sessions, TEXT)).isEqualTo(1);
                        assertThat(first.closed).isFalse();
                    }
                });
        threadsOf(sessions, BATCH);
        assertThat(alive()).hasSize(1);
    }

    @Test
    void oneThreadIsOneSession() throws OrtException {
        Sessions<Session> sessions = sessions(1);
        runAll(sessions, 10 * Sessions.ONE_BY_ONE, TEXT);
        assertThat(opened).hasSize(1);
    }

    @Test
    void aFailedRunIsOver() throws OrtException {
        Sessions<Session> sessions = usedOneByOne(2);
        assertThatThrownBy(
                        () ->
                                sessions.run(
                                        TEXT,
                                        session -> {
                                            throw new OrtException("no");
                                        }))
                .hasMessageContaining("no");
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(2);
        runAll(sessions, Sessions.BULK, BATCH);
        assertThat(alive()).hasSize(1);
    }

    @Test
    void whatCannotBeOpenedIsTriedAgainLater() throws OrtException {
        Deque<Boolean> troubles = new ArrayDeque<>(List.of(true, false));
        Sessions<Session> sessions =
                new Sessions<>(
                        threads -> {
                            if (threads > 1 && !troubles.isEmpty()) {
                                if (troubles.remove()) {
                                    throw new OrtException("no memory");
                                }
                                throw new IllegalStateException("no file");
                            }
                            return open(threads);
                        },
                        2,
                        background::add);
        for (int attempt = 0; attempt < 2; attempt++) {
            runAll(sessions, Sessions.ONE_BY_ONE, TEXT);
            assertThat(threadsOf(sessions, TEXT)).isEqualTo(1);
            threadsOf(sessions, BATCH);
        }
        runAll(sessions, Sessions.ONE_BY_ONE, TEXT);
        assertThat(threadsOf(sessions, TEXT)).isEqualTo(2);
    }

    @Test
    void closingClosesThemAllAlsoOneBeingOpened() throws OrtException {
        Sessions<Session> sessions = usedOneByOne(2);
        sessions.close();
        assertThat(opened).hasSize(2);
        assertThat(alive()).isEmpty();
        assertThat(freed).isEqualTo(1);

        freed = 0;
        opened.clear();
        Sessions<Session> other = sessions(2);
        for (int i = 0; i < Sessions.ONE_BY_ONE; i++) {
            threadsOf(other, TEXT);
        }
        assertThat(background).hasSize(1);
        other.close();
        assertThat(freed).isZero();
        background.remove().run();
        assertThat(opened).hasSize(2);
        assertThat(alive()).isEmpty();
        assertThat(freed).isEqualTo(1);
    }
}
