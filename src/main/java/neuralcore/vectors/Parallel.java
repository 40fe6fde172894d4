package neuralcore.vectors;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Runs numbered tasks on the calling thread and, as far as they are free, on others. The caller
 * does itself what no other thread has begun, so callers that run on the executor's own threads
 * cannot wait for each other for ever.
 *
 * <p>Work for somebody who no longer waits ends early: {@link #until} gives the same threads with a
 * question that is asked before each task and, by {@link #check}, within long ones.
 *
 * <p>Thread-safe.
 */
public final class Parallel {
    private static final BooleanSupplier NEVER = () -> false;
    private static final Parallel SEQUENTIAL = new Parallel(Runnable::run, 1);

    private final Executor executor;
    private final int threads;
    private final BooleanSupplier unwanted;

    /**
     * @param executor where others help
     * @param threads at work at a time, the caller's included
     */
    public Parallel(Executor executor, int threads) {
        this(executor, threads, NEVER);
    }

    private Parallel(Executor executor, int threads, BooleanSupplier unwanted) {
        this.executor = executor;
        this.threads = threads;
        this.unwanted = unwanted;
    }

    /**
     * The same threads, for work that ends early once nobody wants it.
     *
     * @param unwanted asked often, by all threads
     */
    public Parallel until(BooleanSupplier unwanted) {
        return new Parallel(executor, threads, unwanted);
    }

    /**
     * For the middle of a long task, about once a millisecond.
     *
     * @throws NeuralCoreException {@link ErrorCode#TIMEOUT} if nobody wants the result any more
     */
    public void check() {
        if (unwanted.getAsBoolean()) {
            throw new NeuralCoreException(
                    ErrorCode.TIMEOUT,
                    "Given up: the caller's time had passed, or the caller had gone.");
        }
    }

    /** The calling thread alone. */
    public static Parallel sequential() {
        return SEQUENTIAL;
    }

    public int threads() {
        return threads;
    }

    /**
     * Runs the tasks 0 … {@code tasks} − 1 and returns when all have ended. After one has failed,
     * those not yet begun are left out, and what the first threw is thrown.
     */
    public void run(int tasks, IntConsumer task) {
        check();
        Run run =
                new Run(
                        tasks,
                        number -> {
                            check();
                            task.accept(number);
                        });
        try {
            for (int helper = 1; helper < Math.min(threads, tasks); helper++) {
                executor.execute(run::work);
            }
        } catch (RejectedExecutionException shuttingDown) {
            // The caller does the rest alone.
        }
        run.work();
        run.await();
    }

    private static final class Run {
        private final int tasks;
        private final IntConsumer task;
        private final AtomicInteger next = new AtomicInteger();
        private final CountDownLatch ended;
        private volatile @Nullable Throwable failure;

        Run(int tasks, IntConsumer task) {
            this.tasks = tasks;
            this.task = task;
            this.ended = new CountDownLatch(tasks);
        }

        void work() {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    if (failure == null) {
                        task.accept(i);
                    }
                } catch (RuntimeException | Error e) {
                    failure = e;
                } finally {
                    ended.countDown();
                }
            }
        }

        /** Not given up on interruption: the tasks read what the caller has locked. */
        void await() {
            boolean interrupted = false;
            while (true) {
                try {
                    ended.await();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            switch (failure) {
                case null -> {}
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
        }
    }
}
