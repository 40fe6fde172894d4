package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.Delivery;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

class OutboxTest {
    private record Sent(String connection, Frame frame) {
        int messages() {
            return frame instanceof Frame.Deliver deliver ? deliver.deliveries().size() : 0;
        }
    }

    private final List<Sent> sent = new ArrayList<>();
    private final Outbox outbox = new Outbox((to, frame) -> sent.add(new Sent(to, frame)));

    @Test
    void whatOneConnectionGetsGoesAsOneFrame() {
        for (int i = 0; i < 512; i++) {
            outbox.deliver("alice", delivery(10));
        }
        outbox.deliver("bob", delivery(10));
        outbox.send();

        assertThat(sent).extracting(Sent::connection).containsExactly("alice", "bob");
        assertThat(sent).extracting(Sent::messages).containsExactly(512, 1);
    }

    @Test
    void moreThan512MessagesAreSplit() {
        for (int i = 0; i < 1030; i++) {
            outbox.deliver("alice", delivery(10));
        }
        outbox.send();

        assertThat(sent).extracting(Sent::messages).containsExactly(512, 512, 6);
    }

    @Test
    void moreThanAMebibyteIsSplitButOneLargeMessageIsNot() {
        outbox.deliver("alice", delivery(600_000));
        outbox.deliver("alice", delivery(400_000));
        outbox.deliver("alice", delivery(100_000));
        outbox.deliver("alice", delivery(3_000_000));
        outbox.send();

        assertThat(sent).extracting(Sent::messages).containsExactly(2, 1, 1);
    }

    @Test
    void theAnswerNamesItsOwnBatchAndEvictionsGoToTheirPublishers() {
        outbox.rejected(7, ErrorCode.QUEUE_FULL);
        outbox.evicted("carol", 3);
        outbox.evicted("bob", 4);
        outbox.evicted("carol", 5);
        outbox.published(9);

        assertThat(outbox.answer(12))
                .isEqualTo(
                        new Frame.Published(
                                12, 9, List.of(new Frame.Rejection(7, ErrorCode.QUEUE_FULL))));
        assertThat(sent)
                .containsExactly(
                        new Sent(
                                "carol",
                                new Frame.Published(
                                        0,
                                        0,
                                        List.of(
                                                new Frame.Rejection(3, ErrorCode.QUEUE_FULL),
                                                new Frame.Rejection(5, ErrorCode.QUEUE_FULL)))),
                        new Sent(
                                "bob",
                                new Frame.Published(
                                        0,
                                        0,
                                        List.of(new Frame.Rejection(4, ErrorCode.QUEUE_FULL)))));
    }

    @Test
    void nothingIsSentTwice() {
        outbox.deliver("alice", delivery(10));
        outbox.rejected(1, ErrorCode.QUEUE_FULL);
        outbox.evicted("bob", 2);
        outbox.answer(1);
        sent.clear();

        outbox.send();

        assertThat(sent).isEmpty();
        assertThat(outbox.answer(2).rejections()).isEmpty();
    }

    private static Delivery delivery(int bytes) {
        return new Delivery(1, 1, 1, 1, false, Messages.message("a", 1, 5, 1, 0, new byte[bytes]));
    }
}
