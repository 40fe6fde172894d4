package neuralcore.cluster;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Who listens where on the cluster's event bus, as this node knows it. Each node says it of itself
 * alone, so there is nothing to agree upon: after a split, what a node says when it is back is the
 * truth. Thread-safe.
 */
public final class Roster {
    /** An address that a node listens at; a node may do so more than once, told apart by number. */
    public record Listener(String address, long number) {}

    /** Somebody who listens at the address that was asked for. */
    public record Found(String node, long number, boolean localOnly) {}

    private final String self;
    private final Map<String, Map<Long, Boolean>> own = new LinkedHashMap<>();
    private final Map<String, Map<String, Set<Long>>> others = new LinkedHashMap<>();

    public Roster(String self) {
        this.self = self;
    }

    /** This node listens; those that are for it alone are told to nobody. */
    public synchronized void listen(Listener listener, boolean localOnly) {
        own.computeIfAbsent(listener.address(), address -> new LinkedHashMap<>())
                .put(listener.number(), localOnly);
    }

    /** This node no longer listens. */
    public synchronized void leave(Listener listener) {
        Map<Long, Boolean> at = own.get(listener.address());
        if (at != null && at.remove(listener.number()) != null && at.isEmpty()) {
            own.remove(listener.address());
        }
    }

    /** All that the others are to know of this node. */
    public synchronized List<Listener> told() {
        List<Listener> told = new ArrayList<>();
        own.forEach(
                (address, at) ->
                        at.forEach(
                                (number, localOnly) -> {
                                    if (!localOnly) {
                                        told.add(new Listener(address, number));
                                    }
                                }));
        return told;
    }

    /** Another node has said where it listens; that is all there is of it now. */
    public synchronized Set<String> replace(String node, Collection<Listener> listeners) {
        Set<String> touched = remove(node);
        others.put(node, new LinkedHashMap<>());
        for (Listener listener : listeners) {
            add(node, listener);
            touched.add(listener.address());
        }
        return touched;
    }

    /** Another node listens at one more address; of one that is not there it counts for nothing. */
    public synchronized void add(String node, Listener listener) {
        Map<String, Set<Long>> at = others.get(node);
        if (at != null) {
            at.computeIfAbsent(listener.address(), address -> new HashSet<>())
                    .add(listener.number());
        }
    }

    /** Another node listens at one address less. */
    public synchronized void remove(String node, Listener listener) {
        Map<String, Set<Long>> at = others.get(node);
        if (at != null && at.containsKey(listener.address())) {
            at.get(listener.address()).remove(listener.number());
            if (at.get(listener.address()).isEmpty()) {
                at.remove(listener.address());
            }
        }
    }

    /** Another node is gone; returns the addresses that it listened at. */
    public synchronized Set<String> remove(String node) {
        Map<String, Set<Long>> at = others.remove(node);
        return at == null ? new HashSet<>() : new HashSet<>(at.keySet());
    }

    /** Who listens at an address, this node included. */
    public synchronized List<Found> at(String address) {
        List<Found> found = new ArrayList<>();
        own.getOrDefault(address, Map.of())
                .forEach((number, localOnly) -> found.add(new Found(self, number, localOnly)));
        others.forEach(
                (node, all) ->
                        all.getOrDefault(address, Set.of())
                                .forEach(number -> found.add(new Found(node, number, false))));
        return found;
    }
}
