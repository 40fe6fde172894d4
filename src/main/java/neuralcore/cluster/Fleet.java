package neuralcore.cluster;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Spreads embedding requests over the nodes that embed.
 *
 * <p>A plain state machine: each method is an event and returns what is to be done about it. It has
 * no thread and no clock; one thread at a time may use it.
 *
 * <h2>Who gets what</h2>
 *
 * A request is cut into <em>parts</em> of about {@link #PART_TOKENS} tokens, in the order of its
 * texts. A part goes where it will be <em>finished first</em>: what a node has of ours, and what
 * waits there of others, over the rate at which it has worked so far. A node gets at most {@link
 * #WINDOW} times its capacity at once, so that one which has just joined, or is slow, finds work
 * left to take and has little to lose. Queries' parts go before documents'.
 *
 * <h2>When a node fails</h2>
 *
 * What it had waits again, before all else, and goes to a node that has not had it: a part that
 * kills whoever takes it meets each node once. So does what was lost on its way, with a connection:
 * a node that says it has nothing to do does not have the part that it was sent. An answer that
 * comes late, from a node that was given up, belongs to a part that is no longer there. A request
 * fails when its time is up, when every node has failed it, or when a node says that the request
 * itself is wrong.
 *
 * <h2>Whose vectors count</h2>
 *
 * Vectors must not depend on where they were computed. The node that has been there longest sets
 * version, model, precision and the digest of the model's files; one that differs is refused, with
 * the reason, until it is the oldest itself.
 */
public final class Fleet {
    /** Tokens of a part, about. Enough that the way there costs little beside the work. */
    static final int PART_TOKENS = 1_024;

    /** How many times its capacity a node may have from here. */
    static final int WINDOW = 8;

    /** A node that has been silent for so long is taken for gone. */
    static final long SILENCE_MILLIS = 5_000;

    /** What a node that has nothing to do was sent so long ago has not come there. */
    static final long LOST_MILLIS = 5_000;

    /** Whoever has not looked for so long was itself held up, and has heard nobody meanwhile. */
    private static final long HELD_UP_MILLIS = 2_000;

    private static final double RATE_MEMORY = 0.8;
    private static final int TOKENS_OF_A_WAITING_TEXT = 16;

    /** What is to be done after an event. */
    public sealed interface Effect {

        /**
         * Have a node embed the texts {@code from} to {@code to} (excluded) of a request; {@link
         * #answered} or {@link #failed} tells the end.
         */
        record Send(long part, long request, String node, int from, int to) implements Effect {}

        /** All parts of a request have been answered. */
        record Completed(long request) implements Effect {}

        /** A request has failed. */
        record Failed(long request, NeuralCoreException reason) implements Effect {}

        /** A node may be sent to from now on. */
        record Accepted(String node) implements Effect {}

        /** A node must not be mixed with the others. */
        record Refused(String node, String reason) implements Effect {}

        /** A node is no longer there; so many parts that it had wait again. */
        record Lost(String node, String reason, int parts) implements Effect {}
    }

    /**
     * A node as the operator sees it.
     *
     * @param texts that it has embedded for this one
     */
    public record Seen(
            Announcement announcement,
            String refused,
            long tokensInFlight,
            double tokensASecond,
            long texts) {}

    private static final class Member {
        private Announcement told;
        private long heardMillis;
        private String refused = "";
        private boolean greeted;
        private long tokens;
        private double rate;
        private long texts;

        Member(Announcement told) {
            this.told = told;
        }

        boolean takes() {
            return refused.isEmpty() && !told.leaving();
        }

        long room() {
            return (long) WINDOW * told.capacity() - tokens;
        }

        /** Seconds, or what stands for them while no rate is known, until it has done so much. */
        double finishes(long more) {
            // Some of what waits there is ours.
            long others = Math.max(0, (long) told.waiting() * TOKENS_OF_A_WAITING_TEXT - tokens);
            double speed = rate == 0 ? told.capacity() : rate;
            return (tokens + others + more) / speed;
        }
    }

    private static final class Job {
        private final boolean query;
        private final long deadlineMillis;
        private final Set<Long> parts = new LinkedHashSet<>();

        Job(boolean query, long deadlineMillis) {
            this.query = query;
            this.deadlineMillis = deadlineMillis;
        }
    }

    private record Part(
            long id,
            long request,
            int from,
            int to,
            long tokens,
            Set<String> tried,
            String node,
            long sentMillis) {

        Part at(long newId, String newNode, long nowMillis) {
            Set<String> all = new HashSet<>(tried);
            if (!newNode.isEmpty()) {
                all.add(newNode);
            }
            return new Part(newId, request, from, to, tokens, Set.copyOf(all), newNode, nowMillis);
        }
    }

    private final int maxTexts;
    private final Map<String, Member> members = new TreeMap<>();
    private final Map<Long, Job> jobs = new LinkedHashMap<>();
    private final Map<Long, Part> sent = new HashMap<>();
    private final ArrayDeque<Part> queries = new ArrayDeque<>();
    private final ArrayDeque<Part> documents = new ArrayDeque<>();
    private boolean expecting;
    private int waitingTexts;
    private long lastId;
    private long lastTickMillis = Long.MAX_VALUE;
    private long nowMillis;

    /**
     * @param maxTexts texts that may wait here before requests are refused
     * @param expecting whether a node is sure to come, so that requests wait for the first one
     */
    public Fleet(int maxTexts, boolean expecting) {
        this.maxTexts = maxTexts;
        this.expecting = expecting;
    }

    /** Texts that no node has yet. */
    public int waitingTexts() {
        return waitingTexts;
    }

    /** The nodes there are. */
    public List<Seen> seen() {
        return members.values().stream()
                .map(
                        member ->
                                new Seen(
                                        member.told,
                                        member.refused,
                                        member.tokens,
                                        member.rate,
                                        member.texts))
                .toList();
    }

    // Nodes

    /** A node has told of itself. */
    public List<Effect> heard(Announcement told, long now) {
        nowMillis = now;
        Member member = members.computeIfAbsent(told.node(), name -> new Member(told));
        member.told = told;
        member.heardMillis = nowMillis;
        expecting = false;
        List<Effect> effects = new ArrayList<>();
        judge(effects);
        if (told.idle()) {
            for (Part part : List.copyOf(sent.values())) {
                if (part.node().equals(told.node()) && now - part.sentMillis() > LOST_MILLIS) {
                    putBack(part);
                }
            }
        }
        dispatch(effects);
        return effects;
    }

    /** The membership says that a node is gone. */
    public List<Effect> memberGone(String member) {
        List<Effect> effects = new ArrayList<>();
        for (Member one : List.copyOf(members.values())) {
            if (one.told.member().equals(member)) {
                lose(one.told.node(), "it left the cluster", effects);
            }
        }
        judge(effects);
        dispatch(effects);
        return effects;
    }

    /** Time has passed: nodes may have been silent for too long, requests be too late. */
    public List<Effect> tick(long now) {
        nowMillis = now;
        List<Effect> effects = new ArrayList<>();
        long heldUp = nowMillis - lastTickMillis;
        lastTickMillis = nowMillis;
        for (Member one : List.copyOf(members.values())) {
            one.heardMillis += heldUp > HELD_UP_MILLIS ? heldUp : 0;
            if (nowMillis - one.heardMillis > SILENCE_MILLIS) {
                lose(
                        one.told.node(),
                        "it has been silent for %d ms".formatted(nowMillis - one.heardMillis),
                        effects);
            }
        }
        judge(effects);
        for (Map.Entry<Long, Job> entry : List.copyOf(jobs.entrySet())) {
            if (nowMillis >= entry.getValue().deadlineMillis) {
                end(
                        entry.getKey(),
                        new NeuralCoreException(
                                ErrorCode.TIMEOUT,
                                "No node of the cluster had embedded the texts in time."),
                        effects);
            }
        }
        dispatch(effects);
        return effects;
    }

    /** The oldest node sets what counts; whoever differs is refused. */
    private void judge(List<Effect> effects) {
        Announcement reference =
                members.values().stream()
                        .map(member -> member.told)
                        .min(
                                Comparator.comparingLong(Announcement::since)
                                        .thenComparing(Announcement::node))
                        .orElse(null);
        if (reference == null) {
            return;
        }
        for (Member member : members.values()) {
            String conflict = member.told.conflictWith(reference);
            if (!conflict.isEmpty() && !conflict.equals(member.refused)) {
                effects.add(new Effect.Refused(member.told.node(), conflict));
                member.greeted = false;
            } else if (conflict.isEmpty() && !member.greeted) {
                effects.add(new Effect.Accepted(member.told.node()));
                member.greeted = true;
            }
            member.refused = conflict;
        }
    }

    private void lose(String node, String why, List<Effect> effects) {
        members.remove(node);
        List<Part> had = sent.values().stream().filter(part -> part.node().equals(node)).toList();
        had.forEach(part -> putBack(part));
        effects.add(new Effect.Lost(node, why, had.size()));
    }

    // Requests

    /**
     * A request has come.
     *
     * @param tokens about how many tokens each text has
     * @param whole whether it must not be cut
     * @param deadlineMillis when its caller gives up, on the clock of {@link #tick}
     * @throws NeuralCoreException {@link ErrorCode#UNAVAILABLE} if no node is there, or too much
     *     waits
     */
    public Admitted admit(int[] tokens, boolean query, boolean whole, long deadlineMillis) {
        if (!expecting && members.values().stream().noneMatch(Member::takes)) {
            throw new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    members.isEmpty()
                            ? "No node of the cluster embeds: start one with 'serve --roles"
                                    + " embedding --join HOST:PORT'."
                            : "None of the cluster's %d embedding nodes can be used: %s."
                                    .formatted(members.size(), reasons()),
                    1.0);
        }
        if (waitingTexts > 0 && waitingTexts + tokens.length > maxTexts) {
            throw new NeuralCoreException(
                    ErrorCode.UNAVAILABLE,
                    "%d texts wait already for a node; %d may.".formatted(waitingTexts, maxTexts),
                    1.0);
        }
        long id = ++lastId;
        Job job = new Job(query, deadlineMillis);
        jobs.put(id, job);
        int from = 0;
        long sum = 0;
        for (int text = 0; text < tokens.length; text++) {
            sum += Math.max(1, tokens[text]);
            boolean last = text == tokens.length - 1;
            if (last || (!whole && sum >= PART_TOKENS)) {
                Part part = new Part(++lastId, id, from, text + 1, sum, Set.of(), "", nowMillis);
                job.parts.add(part.id());
                queue(query).addLast(part);
                waitingTexts += text + 1 - from;
                from = text + 1;
                sum = 0;
            }
        }
        List<Effect> effects = new ArrayList<>();
        dispatch(effects);
        return new Admitted(id, effects);
    }

    /** A request's number, and what is to be done. */
    public record Admitted(long request, List<Effect> effects) {}

    /** Whether a part is still awaited: its answer is to be taken and {@link #answered} called. */
    public boolean awaits(long part) {
        return sent.containsKey(part);
    }

    /** A node has answered a part. */
    public List<Effect> answered(long id, long tookMillis) {
        Part part = sent.remove(id);
        if (part == null) {
            return List.of();
        }
        Member member = members.get(part.node());
        if (member != null) {
            member.tokens -= part.tokens();
            member.texts += part.to() - part.from();
            double rate = part.tokens() * 1_000.0 / Math.max(1, tookMillis);
            member.rate =
                    member.rate == 0 ? rate : RATE_MEMORY * member.rate + (1 - RATE_MEMORY) * rate;
        }
        List<Effect> effects = new ArrayList<>();
        Job job = jobs.get(part.request());
        if (job != null) {
            job.parts.remove(id);
            if (job.parts.isEmpty()) {
                jobs.remove(part.request());
                effects.add(new Effect.Completed(part.request()));
            }
        }
        dispatch(effects);
        return effects;
    }

    /** A node could not do a part: another may, unless the request itself is at fault. */
    public List<Effect> failed(long id, NeuralCoreException reason) {
        Part part = sent.get(id);
        if (part == null) {
            return List.of();
        }
        List<Effect> effects = new ArrayList<>();
        if (isTheNodes(reason.code())) {
            Part again = putBack(part);
            boolean hope =
                    members.values().stream()
                            .anyMatch(
                                    member ->
                                            member.takes()
                                                    && !again.tried().contains(member.told.node()));
            if (!hope && !members.isEmpty()) {
                end(part.request(), reason, effects);
            }
        } else {
            release(part);
            end(part.request(), reason, effects);
        }
        dispatch(effects);
        return effects;
    }

    /** Whether another node may do what this one could not. */
    private static boolean isTheNodes(ErrorCode code) {
        return code == ErrorCode.UNKNOWN_ADDRESS
                || code == ErrorCode.UNAVAILABLE
                || code == ErrorCode.SHUTTING_DOWN
                || code == ErrorCode.CONNECTION_LOST
                || code == ErrorCode.MODEL_NOT_READY;
    }

    /** Nobody waits for a request any longer. */
    public void abandon(long request) {
        end(
                request,
                new NeuralCoreException(ErrorCode.UNAVAILABLE, "The client has left."),
                new ArrayList<>());
    }

    private void release(Part part) {
        sent.remove(part.id());
        Member member = members.get(part.node());
        if (member != null) {
            member.tokens -= part.tokens();
        }
    }

    /** A part waits again, under another number, so that a late answer finds nobody. */
    private Part putBack(Part part) {
        release(part);
        Part again = part.at(++lastId, "", nowMillis);
        Job job = jobs.get(part.request());
        if (job != null) {
            job.parts.remove(part.id());
            job.parts.add(again.id());
            queue(job.query).addFirst(again);
            waitingTexts += again.to() - again.from();
        }
        return again;
    }

    private void end(long request, NeuralCoreException reason, List<Effect> effects) {
        Job job = jobs.remove(request);
        if (job == null) {
            return;
        }
        for (ArrayDeque<Part> queue : List.of(queries, documents)) {
            queue.removeIf(
                    part -> {
                        boolean gone = part.request() == request;
                        waitingTexts -= gone ? part.to() - part.from() : 0;
                        return gone;
                    });
        }
        for (Part part : List.copyOf(sent.values())) {
            if (part.request() == request) {
                release(part);
            }
        }
        effects.add(new Effect.Failed(request, reason));
    }

    private void dispatch(List<Effect> effects) {
        dispatch(queries, effects);
        dispatch(documents, effects);
    }

    private void dispatch(ArrayDeque<Part> queue, List<Effect> effects) {
        List<Part> stay = new ArrayList<>();
        while (!queue.isEmpty()) {
            Part part = queue.removeFirst();
            Member member = soonest(part);
            if (member == null) {
                stay.add(part);
                if (part.tried().isEmpty()) {
                    break; // nobody has room for what is behind it, either
                }
                continue;
            }
            Part going = part.at(part.id(), member.told.node(), nowMillis);
            member.tokens += going.tokens();
            sent.put(going.id(), going);
            waitingTexts -= going.to() - going.from();
            effects.add(
                    new Effect.Send(
                            going.id(), going.request(), going.node(), going.from(), going.to()));
        }
        for (int i = stay.size() - 1; i >= 0; i--) {
            queue.addFirst(stay.get(i));
        }
    }

    private @Nullable Member soonest(Part part) {
        Member best = null;
        for (Member member : members.values()) {
            boolean fits = member.tokens == 0 || member.room() >= part.tokens();
            if (member.takes()
                    && fits
                    && !part.tried().contains(member.told.node())
                    && (best == null
                            || member.finishes(part.tokens()) < best.finishes(part.tokens()))) {
                best = member;
            }
        }
        return best;
    }

    private ArrayDeque<Part> queue(boolean query) {
        return query ? queries : documents;
    }

    private String reasons() {
        return String.join(
                "; ",
                members.values().stream()
                        .map(
                                member ->
                                        member.told.node()
                                                + ": "
                                                + (member.refused.isEmpty()
                                                        ? "it is leaving"
                                                        : member.refused))
                        .toList());
    }
}
