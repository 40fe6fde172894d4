package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import org.junit.jupiter.api.Test;

class InboundTest {
    private final Inbound inbound = new Inbound(new RecentIds(100));

    private static Inbound.Entry entry(String id, String key, long number) {
        return new Inbound.Entry(
                id,
                key,
                new Envelope(
                        "c", 7, number, 0, 0, 0, 0, Envelope.BYTES, Envelope.NONE, new byte[1], 1));
    }

    @Test
    void aMessageThatWasWrittenTwiceIsOfferedOnceInOneBatchAndAfterIt() {
        inbound.add(entry("1-0", "a", 1));
        inbound.add(entry("1-1", "b", 2));
        inbound.add(entry("2-0", "a", 3));
        inbound.add(entry("2-1", "", 4));
        inbound.add(entry("2-2", "", 5));
        assertThat(inbound.offer(10))
                .extracting(Envelope::sequence)
                .containsExactly(1L, 2L, 4L, 5L);
        Inbound.Outcome outcome = inbound.answered(new Frame.Published(1, 4, List.of()));
        assertThat(outcome.done()).containsExactly("1-0", "1-1", "2-0", "2-1", "2-2");
        assertThat(outcome.taken()).isEqualTo(4);

        inbound.add(entry("3-0", "b", 6));
        assertThat(inbound.offer(10)).isEmpty();
        assertThat(inbound.answered(new Frame.Published(0, 0, List.of())).done())
                .containsExactly("3-0");
    }

    @Test
    void whatIsNotAnsweredIsOfferedAgainAndItsCopyIsNot() {
        inbound.add(entry("1-0", "a", 1));
        inbound.add(entry("2-0", "a", 2));
        assertThat(inbound.offer(10)).hasSize(1);
        inbound.unanswered();
        assertThat(inbound.offer(10)).extracting(Envelope::sequence).containsExactly(1L);
    }
}
