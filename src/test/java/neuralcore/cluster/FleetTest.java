package neuralcore.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import neuralcore.cluster.Fleet.Effect;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;

class FleetTest {
    private static final long FOREVER = Long.MAX_VALUE;

    private final Fleet fleet = new Fleet(100_000, false);

    static Announcement node(String name, long since) {
        return node(name, since, "digest", false);
    }

    private static Announcement node(String name, long since, String digest, boolean leaving) {
        return new Announcement(
                name,
                "member-" + name,
                since,
                "1.0",
                "m",
                digest,
                "int8",
                1_024,
                0,
                false,
                leaving);
    }

    private static int[] texts(int count, int tokens) {
        int[] texts = new int[count];
        Arrays.fill(texts, tokens);
        return texts;
    }

    private static List<Effect.Send> sends(List<Effect> effects) {
        return effects.stream()
                .filter(Effect.Send.class::isInstance)
                .map(Effect.Send.class::cast)
                .toList();
    }

    private static NeuralCoreException because(ErrorCode code) {
        return new NeuralCoreException(code, "because");
    }

    @Test
    void aLargeRequestIsCutIntoPartsThatGoToAllNodes() {
        fleet.heard(node("a", 1), 0);
        fleet.heard(node("b", 2), 0);
        List<Effect.Send> sent =
                sends(fleet.admit(texts(300, 10), false, false, FOREVER).effects());
        assertThat(sent).extracting(Effect.Send::node).containsExactly("a", "b", "a");
        assertThat(sent).extracting(Effect.Send::from).containsExactly(0, 103, 206);
        assertThat(sent).extracting(Effect.Send::to).containsExactly(103, 206, 300);
    }

    @Test
    void aPartGoesWhereItIsFinishedFirst() {
        fleet.heard(node("slow", 1), 0);
        fleet.heard(node("fast", 2), 0);
        List<Effect.Send> first =
                sends(fleet.admit(texts(200, 10), false, false, FOREVER).effects());
        assertThat(first).extracting(Effect.Send::node).containsExactly("fast", "slow");
        fleet.answered(first.get(0).part(), 10);
        fleet.answered(first.get(1).part(), 100);
        List<Effect.Send> next =
                sends(fleet.admit(texts(200, 10), false, false, FOREVER).effects());
        assertThat(next).extracting(Effect.Send::node).containsExactly("fast", "fast");
    }

    @Test
    void aNodeThatDiffersFromTheOldestIsRefusedWithTheReason() {
        fleet.heard(node("old", 1), 0);
        List<Effect> effects = fleet.heard(node("other", 2, "another digest", false), 0);
        assertThat(effects).hasSize(1).first().isInstanceOf(Effect.Refused.class);
        assertThat(((Effect.Refused) effects.getFirst()).reason())
                .contains("files", "another dige");
        List<Effect.Send> sent =
                sends(fleet.admit(texts(300, 10), false, false, FOREVER).effects());
        assertThat(sent).extracting(Effect.Send::node).containsOnly("old");
        assertThat(fleet.memberGone("member-old"))
                .as("what was left alone sets the terms")
                .contains(new Effect.Accepted("other"));
    }

    @Test
    void withoutANodeARequestIsRefusedAndWithOneThatIsLeavingToo() {
        assertThatThrownBy(() -> fleet.admit(texts(1, 1), true, false, FOREVER))
                .hasMessageContaining("--join");
        fleet.heard(node("a", 1, "digest", true), 0);
        assertThatThrownBy(() -> fleet.admit(texts(1, 1), true, false, FOREVER))
                .hasMessageContaining("a: it is leaving");
    }

    @Test
    void aNodeThatIsSureToComeIsWaitedFor() {
        Fleet waits = new Fleet(10, true);
        assertThat(waits.admit(texts(1, 1), true, false, FOREVER).effects()).isEmpty();
        assertThat(sends(waits.heard(node("a", 1), 0))).hasSize(1);
    }

    @Test
    void whatASilentNodeHadGoesToAnotherAndItsLateAnswerIsNobodys() {
        fleet.heard(node("a", 1), 0);
        Effect.Send first =
                sends(fleet.admit(texts(1, 5), true, false, FOREVER).effects()).getFirst();
        fleet.heard(node("b", 2), 4_000);
        List<Effect> effects = fleet.tick(Fleet.SILENCE_MILLIS + 1);
        assertThat(effects)
                .first()
                .isEqualTo(new Effect.Lost("a", "it has been silent for 5001 ms", 1));
        Effect.Send again = sends(effects).getFirst();
        assertThat(again.node()).isEqualTo("b");
        assertThat(fleet.awaits(first.part())).isFalse();
        assertThat(fleet.answered(first.part(), 1)).isEmpty();
        assertThat(fleet.answered(again.part(), 1))
                .containsExactly(new Effect.Completed(again.request()));
    }

    @Test
    void whoWasHeldUpItselfTakesNobodyForGone() {
        fleet.heard(node("a", 1), 0);
        fleet.tick(250);
        assertThat(fleet.tick(60_000)).isEmpty();
        assertThat(fleet.seen()).hasSize(1);
    }

    @Test
    void aPartMeetsEachNodeOnceAndFailsWhenAllHaveFailedIt() {
        fleet.heard(node("a", 1), 0);
        fleet.heard(node("b", 2), 0);
        Effect.Send first =
                sends(fleet.admit(texts(1, 5), true, false, FOREVER).effects()).getFirst();
        Effect.Send second =
                sends(fleet.failed(first.part(), because(ErrorCode.UNAVAILABLE))).getFirst();
        assertThat(second.node()).isNotEqualTo(first.node());
        assertThat(fleet.failed(second.part(), because(ErrorCode.UNAVAILABLE)))
                .hasSize(1)
                .first()
                .isInstanceOf(Effect.Failed.class);
    }

    @Test
    void aRequestThatIsWrongFailsAtOnce() {
        fleet.heard(node("a", 1), 0);
        fleet.heard(node("b", 2), 0);
        List<Effect.Send> sent =
                sends(fleet.admit(texts(300, 10), false, false, FOREVER).effects());
        List<Effect> effects =
                fleet.failed(sent.getFirst().part(), because(ErrorCode.INVALID_REQUEST));
        assertThat(effects).hasSize(1).first().isInstanceOf(Effect.Failed.class);
        assertThat(sent).noneMatch(part -> fleet.awaits(part.part()));
    }

    @Test
    void aRequestWhoseTimeIsUpFails() {
        fleet.heard(node("a", 1), 0);
        fleet.admit(texts(1, 5), true, false, 1_000);
        assertThat(fleet.tick(999)).isEmpty();
        assertThat(fleet.tick(1_000))
                .first()
                .isInstanceOfSatisfying(
                        Effect.Failed.class,
                        failed -> assertThat(failed.reason().code()).isEqualTo(ErrorCode.TIMEOUT));
    }

    @Test
    void queriesGoBeforeDocumentsThatWait() {
        fleet.heard(node("a", 1), 0);
        List<Effect.Send> running =
                sends(fleet.admit(texts(2_000, 10), false, false, FOREVER).effects());
        assertThat(running).as("the window").hasSizeBetween(1, 10);
        Fleet.Admitted query = fleet.admit(texts(100, 10), true, false, FOREVER);
        assertThat(query.effects()).as("there is no room").isEmpty();
        assertThat(sends(fleet.answered(running.getFirst().part(), 10)).getFirst().request())
                .isEqualTo(query.request());
    }

    /**
     * Nodes come, fail, fall silent and leave while requests run: each request is answered once and
     * wholly, by nodes that were there, no part twice by the same node, and nothing is left over.
     */
    @Test
    void whateverNodesDoEachRequestIsAnsweredOnce() {
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        for (int run = 0; run < 300; run++) {
            simulate(seed + run);
        }
    }

    private static void simulate(long seed) {
        Random random = new Random(seed);
        Fleet fleet = new Fleet(1_000_000, true);
        Map<String, Long> alive = new HashMap<>();
        List<Effect.Send> flying = new ArrayList<>();
        Map<Long, BitSet> done = new HashMap<>();
        Map<Long, Integer> sizes = new HashMap<>();
        Set<Long> ended = new HashSet<>();
        Set<String> tried = new HashSet<>();
        long now = 0;
        int names = 0;
        for (int step = 0; step < 400; step++) {
            now += random.nextInt(200);
            List<Effect> effects = new ArrayList<>();
            boolean last = step > 350;
            switch (last ? 9 : random.nextInt(10)) {
                case 0 -> alive.put("n" + ++names, now);
                case 1 -> {
                    if (!alive.isEmpty()) {
                        String gone = List.copyOf(alive.keySet()).get(random.nextInt(alive.size()));
                        alive.remove(gone);
                        if (random.nextBoolean()) {
                            effects.addAll(fleet.memberGone("member-" + gone));
                        }
                    }
                }
                case 2, 3, 4 -> {
                    int size = 1 + random.nextInt(400);
                    Fleet.Admitted admitted;
                    try {
                        admitted =
                                fleet.admit(
                                        texts(size, 1 + random.nextInt(30)),
                                        random.nextBoolean(),
                                        false,
                                        FOREVER);
                    } catch (NeuralCoreException refused) {
                        break;
                    }
                    sizes.put(admitted.request(), size);
                    done.put(admitted.request(), new BitSet());
                    effects.addAll(admitted.effects());
                }
                default -> {
                    if (last && alive.isEmpty()) {
                        alive.put("n" + ++names, now);
                    }
                    for (int i = flying.size(); i > 0 && !flying.isEmpty(); i--) {
                        Effect.Send part = flying.remove(random.nextInt(flying.size()));
                        if (!alive.containsKey(part.node())) {
                            continue;
                        }
                        if (!last && random.nextInt(20) == 0) {
                            effects.addAll(
                                    fleet.failed(part.part(), because(ErrorCode.SHUTTING_DOWN)));
                        } else if (fleet.awaits(part.part())) {
                            BitSet texts = done.get(part.request());
                            assertThat(texts.get(part.from(), part.to()).isEmpty())
                                    .as("answered twice, seed %d", seed)
                                    .isTrue();
                            texts.set(part.from(), part.to());
                            effects.addAll(fleet.answered(part.part(), random.nextInt(50)));
                        }
                    }
                }
            }
            for (Map.Entry<String, Long> node : alive.entrySet()) {
                effects.addAll(fleet.heard(node(node.getKey(), node.getValue()), now));
            }
            effects.addAll(fleet.tick(now));
            for (Effect effect : effects) {
                switch (effect) {
                    case Effect.Send send -> {
                        String key = send.request() + ":" + send.from() + "@" + send.node();
                        assertThat(tried.add(key)).as("%s twice, seed %d", key, seed).isTrue();
                        flying.add(send);
                    }
                    case Effect.Completed completed -> {
                        assertThat(ended.add(completed.request())).as("seed %d", seed).isTrue();
                        assertThat(done.get(completed.request()).cardinality())
                                .as("seed %d", seed)
                                .isEqualTo(sizes.get(completed.request()));
                    }
                    case Effect.Failed failed ->
                            assertThat(ended.add(failed.request())).as("seed %d", seed).isTrue();
                    default -> {}
                }
            }
        }
        for (int i = 0; i < 200 && ended.size() < sizes.size(); i++) {
            List<Effect> effects = new ArrayList<>();
            for (int second = 0; second < 6; second++) {
                now += 1_000;
                effects.addAll(fleet.tick(now));
            }
            effects.addAll(fleet.heard(node("late" + i, now), now));
            while (!effects.isEmpty()) {
                List<Effect> next = new ArrayList<>();
                for (Effect effect : effects) {
                    if (effect instanceof Effect.Send send && fleet.awaits(send.part())) {
                        done.get(send.request()).set(send.from(), send.to());
                        next.addAll(fleet.answered(send.part(), 1));
                    } else if (effect instanceof Effect.Completed completed) {
                        ended.add(completed.request());
                    }
                }
                effects = next;
            }
        }
        assertThat(ended).as("all are answered, seed %d", seed).containsAll(sizes.keySet());
        assertThat(fleet.waitingTexts()).as("seed %d", seed).isZero();
    }

    /** A connection broke with a part in it; nobody was lost, and nobody has the part. */
    @Test
    void whatAnIdleNodeNeverGotGoesElsewhere() {
        fleet.heard(node("a", 1), 0);
        Effect.Send lost =
                sends(fleet.admit(texts(1, 10), false, false, FOREVER).effects()).getFirst();
        fleet.heard(node("b", 2), 0);
        assertThat(sends(fleet.heard(idle("a"), Fleet.LOST_MILLIS))).as("on its way").isEmpty();
        List<Effect.Send> again = sends(fleet.heard(idle("a"), Fleet.LOST_MILLIS + 1));
        assertThat(again).extracting(Effect.Send::node).containsExactly("b");
        assertThat(fleet.awaits(lost.part())).isFalse();
        assertThat(fleet.awaits(again.getFirst().part())).isTrue();
    }

    private static Announcement idle(String name) {
        return new Announcement(
                name, "member-" + name, 1, "1.0", "m", "digest", "int8", 1_024, 0, true, false);
    }
}
