package neuralcore.bus;

import java.util.HashMap;
import java.util.Map;
import neuralcore.journal.AckSet;
import neuralcore.journal.Durability;
import neuralcore.journal.DurableName;
import neuralcore.journal.Entry;

/** What a durable subscription has settled, here and in the journal. */
final class Durable {
    final DurableName name;
    final AckSet acks;
    final Ledger ledger;

    /** Failed attempts that are remembered from before a restart, by channel number. */
    private final Map<Long, Integer> attempts = new HashMap<>();

    Durable(DurableName name, AckSet acks, Map<Long, Integer> attempts, Ledger ledger) {
        this.name = name;
        this.acks = acks;
        this.ledger = ledger;
        this.attempts.putAll(attempts);
    }

    boolean isSettled(long number) {
        return acks.contains(number);
    }

    /** A message has come to its end. */
    void settle(long number) {
        if (acks.add(number)) {
            attempts.remove(number);
            ledger.write(new Entry.Settled(name, number), Durability.DISK);
        }
    }

    /** Its end is in the journal already. */
    void buried(long number) {
        acks.add(number);
        attempts.remove(number);
    }

    /** Attempts before the next one. */
    int attempts(long number) {
        return attempts.isEmpty() ? 0 : attempts.getOrDefault(number, 0);
    }

    void failed(long number, int count, String reason) {
        ledger.write(new Entry.Attempt(name, number, count, reason), Durability.DISK);
    }
}
