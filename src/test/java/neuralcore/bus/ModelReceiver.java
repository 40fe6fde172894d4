package neuralcore.bus;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Who receives in {@link NamespaceModel}: a subscription or a group, in lists. */
final class ModelReceiver {
    static final class Message {
        final ModelChannel channel;
        final String connection;
        final long publisher;
        final long sequence;
        final long priority;
        final @Nullable String key;

        /** Place among all; letters of one step share theirs, for their order is free. */
        final long order;

        final long number;
        final long arrived;
        final long expires;
        final boolean letter;
        int copies;
        boolean delivered;
        boolean done;
        boolean endedOtherwise;

        Message(
                ModelChannel channel,
                String connection,
                long publisher,
                long sequence,
                long priority,
                @Nullable String key,
                long order,
                long number,
                long arrived,
                long expires,
                boolean letter) {
            this.channel = channel;
            this.connection = connection;
            this.publisher = publisher;
            this.sequence = sequence;
            this.priority = priority;
            this.key = key;
            this.order = order;
            this.number = number;
            this.arrived = arrived;
            this.expires = expires;
            this.letter = letter;
        }

        boolean lost() {
            return copies == 0 && !delivered;
        }

        long priorityAt(long now) {
            long ageing = channel.config.ageingMillis();
            return ageing == 0 ? priority : priority - (now - arrived) / ageing;
        }
    }

    static final class ModelChannel {
        ChannelConfig config;
        final List<ModelReceiver> receivers = new ArrayList<>();
        final Set<String> inFlight = new HashSet<>();
        final Map<String, Long> doneKeys = new HashMap<>();
        final Set<Long> numbersSeen = new HashSet<>();
        double tokens;
        long tokensAt = Long.MIN_VALUE;
        long next = 1;
        long published;
        long copies;
        long delivered;
        long returned;
        long acknowledged;
        long dead;
        long dropped;
        long abandoned;
        long unrouted;
        long delayed;
        long duplicates;
        long limited;

        ModelChannel(ChannelConfig config) {
            this.config = config;
        }
    }

    static final class Member {
        final String connection;
        final int id;
        final long ordinal;
        long credit;

        Member(String connection, int id, long ordinal, long credit) {
            this.connection = connection;
            this.id = id;
            this.ordinal = ordinal;
            this.credit = credit;
        }
    }

    record Lease(Message message, Member holder, int attempt, long due) {}

    /**
     * @param order of parking: a message that was delayed may be parked after younger ones
     */
    record Parked(Message message, long until, long order) {}

    record Retry(Message message, long due) {}

    final String subject;
    final Terms terms;
    final List<Member> members = new ArrayList<>();
    final List<Message> waiting = new ArrayList<>();
    final Map<Long, Lease> leases = new LinkedHashMap<>();
    final List<Retry> retries = new ArrayList<>();
    final Map<Message, Integer> failures = new HashMap<>();
    final Set<Message> settled = new HashSet<>();
    final Map<ModelChannel, List<Parked>> parked = new HashMap<>();
    double tokens;
    long tokensAt;

    ModelReceiver(String subject, Terms terms, long now) {
        this.subject = subject;
        this.terms = terms;
        this.tokensAt = now;
        this.tokens = terms.rate() == null ? 0 : terms.rate().burst();
    }

    boolean wants(Message message) {
        return terms.filter() == null || message.priority <= 5; // The one filter it draws.
    }

    long credit() {
        return members.stream().mapToLong(member -> member.credit).sum();
    }

    long waitingIn(ModelChannel channel) {
        return waiting.stream().filter(message -> message.channel == channel).count();
    }

    boolean isOver(ModelChannel channel) {
        return waitingIn(channel) - credit() > channel.config.maxQueueSize();
    }

    /** A message is no longer in the queue; what waits for room may have it now. */
    void removed(ModelChannel channel) {
        if (!isOver(channel)) {
            parked.remove(channel);
        }
    }

    boolean hasToken(long now) {
        Rate rate = terms.rate();
        if (rate == null) {
            return true;
        }
        tokens = Math.min(rate.burst(), tokens + (now - tokensAt) * rate.perSecond() / 1e3);
        tokensAt = now;
        return tokens >= 1;
    }

    Comparator<Message> order(long now) {
        return Comparator.<Message>comparingLong(message -> message.priorityAt(now))
                .thenComparingLong(message -> message.order);
    }

    @Nullable Message best(long now) {
        return waiting.stream()
                .filter(message -> message.expires > now)
                .min(order(now))
                .orElse(null);
    }
}
