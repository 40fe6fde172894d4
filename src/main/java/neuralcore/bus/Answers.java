package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import neuralcore.wire.Frame;

/** Answers that wait until what they tell of is kept. Not thread-safe. */
final class Answers {
    /** Where something is kept: a namespace's journal, and a position in it. */
    record Place(String namespace, long position) {}

    /** An answer, the places it waits for, and what of it could not be kept. */
    private static final class Waiting {
        final Consumer<List<Frame.Rejection>> answer;
        final List<Frame.Rejection> refused = new ArrayList<>();
        int places;

        Waiting(Consumer<List<Frame.Rejection>> answer, int places) {
            this.answer = answer;
            this.places = places;
        }
    }

    private record At(long position, Waiting waiting) {}

    private final Map<String, Deque<At>> byNamespace = new HashMap<>();

    /**
     * @param answer takes what of it could not be kept, once the rest is
     */
    void await(List<Place> places, Consumer<List<Frame.Rejection>> answer) {
        if (places.isEmpty()) {
            answer.accept(List.of());
            return;
        }
        Waiting waiting = new Waiting(answer, places.size());
        for (Place place : places) {
            byNamespace
                    .computeIfAbsent(place.namespace, name -> new ArrayDeque<>())
                    .add(new At(place.position, waiting));
        }
    }

    void kept(String namespace, long position) {
        Deque<At> all = byNamespace.get(namespace);
        if (all == null) {
            return;
        }
        for (At first = all.peek(); first != null && first.position <= position; ) {
            all.remove();
            if (--first.waiting.places == 0) {
                first.waiting.answer.accept(first.waiting.refused);
            }
            first = all.peek();
        }
    }

    /** Whether an answer takes this upon itself; it is given once the place has been passed. */
    boolean refused(String namespace, long position, List<Frame.Rejection> rejections) {
        for (At at : byNamespace.getOrDefault(namespace, new ArrayDeque<>())) {
            if (at.position == position) {
                at.waiting.refused.addAll(rejections);
                return true;
            }
        }
        return false;
    }
}
