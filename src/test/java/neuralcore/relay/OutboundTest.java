package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SplittableRandom;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import org.junit.jupiter.api.Test;

class OutboundTest {
    @Test
    void aLoneMessageLeavesAtOnceAndLaterOnesTogether() {
        Outbound outbound = new Outbound(false, 3);
        outbound.offer(deliveries(1, 1));
        Outbound.Batch first = outbound.next(true, 0);
        assertThat(first.deliveries()).hasSize(1);
        outbound.offer(deliveries(2, 2));
        assertThat(outbound.next(true, 0)).as("waits for a third").isNull();
        outbound.offer(deliveries(4, 1));
        assertThat(outbound.next(true, 0).deliveries()).hasSize(3);
        outbound.offer(deliveries(5, 1));
        assertThat(outbound.next(false, 0).deliveries()).as("time is up").hasSize(1);
    }

    /** A broker that answers, refuses and vanishes as chance has it. */
    @Test
    void aDurableRouteLosesNothingAndTheFirstCopiesAreInOrder() {
        for (int run = 0; run < 500; run++) {
            long seed = System.nanoTime() + run;
            SplittableRandom random = new SplittableRandom(seed);
            Outbound outbound = new Outbound(true, random.nextInt(1, 20));
            List<Long> inBroker = new ArrayList<>();
            List<Long> acknowledged = new ArrayList<>();
            int offered = 0;
            Deque<Outbound.Batch> underWay = new ArrayDeque<>();
            while (acknowledged.size() < 200) {
                switch (random.nextInt(6)) {
                    case 0 -> {
                        int more = Math.min(200 - offered, random.nextInt(30));
                        outbound.offer(deliveries(offered + 1, more));
                        offered += more;
                    }
                    case 1, 2 -> {
                        Outbound.Batch batch = outbound.next(random.nextBoolean(), 0);
                        if (batch != null) {
                            underWay.add(batch);
                        }
                    }
                    case 3 -> {
                        if (!underWay.isEmpty()) {
                            Outbound.Batch batch = underWay.remove();
                            batch.deliveries().forEach(each -> inBroker.add(each.sequence()));
                            assertThat(outbound.answered(batch)).isTrue();
                            batch.deliveries().forEach(each -> acknowledged.add(each.sequence()));
                        }
                    }
                    case 4 -> {
                        if (!underWay.isEmpty()) {
                            Outbound.Batch batch = underWay.remove();
                            assertThat(outbound.failed(batch)).isEmpty();
                        }
                    }
                    default -> {
                        // It may have arrived, and the answer not.
                        for (Outbound.Batch batch : underWay) {
                            if (random.nextBoolean()) {
                                batch.deliveries().forEach(each -> inBroker.add(each.sequence()));
                            }
                        }
                        assertThat(outbound.lost()).isEmpty();
                        underWay.forEach(batch -> assertThat(outbound.answered(batch)).isFalse());
                        underWay.clear();
                    }
                }
            }
            List<Long> all = new ArrayList<>();
            for (long i = 1; i <= 200; i++) {
                all.add(i);
            }
            assertThat(acknowledged).as("seed %d", seed).isEqualTo(all);
            assertThat(new ArrayList<>(new LinkedHashSet<>(inBroker)))
                    .as("seed %d", seed)
                    .isEqualTo(all);
        }
    }

    @Test
    void aVolatileRouteCountsWhatItGivesUp() {
        Outbound outbound = new Outbound(false, 2);
        outbound.offer(deliveries(1, 8));
        while (outbound.next(true, 0) != null) {
            // Four batches, as many as may be under way.
        }

        assertThat(outbound.lost()).hasSize(8);
        assertThat(outbound.size()).isZero();
    }

    private static List<Delivery> deliveries(int first, int count) {
        List<Delivery> deliveries = new ArrayList<>();
        for (int i = first; i < first + count; i++) {
            Envelope message =
                    new Envelope(
                            "c", 1, i, 0, 0, 0, 0, Envelope.NONE, Envelope.NONE, new byte[0], 0);
            deliveries.add(new Delivery(1, i, i, 1, false, message));
        }
        return deliveries;
    }
}
