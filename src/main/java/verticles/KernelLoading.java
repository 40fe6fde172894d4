package verticles;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.WorkerExecutor;
import java.time.Duration;
import neuralcore.ops.Readiness;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.vectors.simd.KernelWarmUp;
import neuralcore.vectors.simd.Kernels;

/**
 * Keeps the vector kernels out of the way of a start: they are loaded once the door is open, and
 * run in once the model, too, is there and whoever waited for it has had time to use it.
 */
final class KernelLoading {
    private static final Duration AFTER_MODEL = Duration.ofSeconds(1);

    private KernelLoading() {}

    /** The kernels, on {@code context}. Those that a property forces are loaded at once. */
    static Future<Kernels> begin(Vertx vertx, Context context, WorkerExecutor workers) {
        Readiness readiness = Readiness.of(vertx);
        Future<Void> opened =
                KernelProvider.isForced()
                        ? Future.succeededFuture()
                        : Future.fromCompletionStage(readiness.whenReady(Readiness.DOOR), context);
        Future<Kernels> loaded =
                opened.compose(open -> workers.executeBlocking(KernelProvider::kernels, false));
        loaded.onSuccess(kernels -> KernelWarmUp.announce());
        loaded.onSuccess(
                kernels ->
                        readiness.whenReady(Readiness.MODEL).thenRun(() -> runIn(vertx, kernels)));
        return loaded;
    }

    /** In a thread of its own, as it rests between: searches need those that there are. */
    private static void runIn(Vertx vertx, Kernels kernels) {
        vertx.setTimer(
                AFTER_MODEL.toMillis(),
                timer ->
                        Thread.ofPlatform()
                                .name("neuralcore-kernels")
                                .daemon()
                                .start(() -> KernelWarmUp.run(kernels)));
    }
}
