package verticles;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import neuralcore.cluster.Announcement;
import neuralcore.cluster.Fleet;

/**
 * What a door's fleet costs with many nodes, by itself: {@code FleetLoad NODES…} prints, for each
 * number, nanoseconds a part (admitted, sent and answered) and an announcement.
 */
final class FleetLoad {
    private static final int PARTS = 20_000;
    private static final int ROUNDS = 5;
    private static final int TOKENS = 1_024;

    private FleetLoad() {}

    public static void main(String[] nodes) {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true);
        for (String count : nodes) {
            long part = Long.MAX_VALUE;
            long announcement = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
                Fleet fleet = new Fleet(Integer.MAX_VALUE, false);
                announcement = Math.min(announcement, announce(fleet, Integer.parseInt(count)));
                part = Math.min(part, embed(fleet));
            }
            out.println(String.format(Locale.ROOT, "%s %d %d", count, part, announcement));
        }
    }

    private static long announce(Fleet fleet, int nodes) {
        int announcements = Math.max(nodes, 1_000);
        for (int i = 0; i < nodes; i++) {
            fleet.heard(node(i), 0);
        }
        long began = System.nanoTime();
        for (int i = 0; i < announcements; i++) {
            fleet.heard(node(i % nodes), 1);
        }
        return (System.nanoTime() - began) / announcements;
    }

    private static Announcement node(int number) {
        return new Announcement(
                "node-" + number,
                "member-" + number,
                number,
                "1",
                "model",
                "digest",
                "fp32",
                TOKENS,
                0,
                false,
                false);
    }

    /** Twice as many parts under way as there are nodes, each answered in turn. */
    private static long embed(Fleet fleet) {
        Deque<Fleet.Effect.Send> underway = new ArrayDeque<>();
        int ahead = 2 * fleet.seen().size();
        long began = System.nanoTime();
        for (int i = 0; i < PARTS; i++) {
            take(underway, fleet.admit(new int[] {TOKENS}, false, true, Long.MAX_VALUE).effects());
            if (underway.size() > ahead) {
                take(underway, fleet.answered(underway.removeFirst().part(), 10));
            }
        }
        return (System.nanoTime() - began) / PARTS;
    }

    private static void take(Deque<Fleet.Effect.Send> underway, Iterable<Fleet.Effect> effects) {
        for (Fleet.Effect effect : effects) {
            if (effect instanceof Fleet.Effect.Send send) {
                underway.add(send);
            }
        }
    }
}
