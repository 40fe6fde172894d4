package neuralcore.vectors;

import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import org.roaringbitmap.RoaringBitmap;

/** Fetches rows that nobody searches for by nearness. Stateless; the caller keeps writers away. */
final class TableReader {
    private TableReader() {}

    /** The rows with these ids, in the ids' order; ids that are not there are left out. */
    static List<StoredRow> get(
            Table table, String namespace, List<Object> wanted, boolean vectorsToo) {
        List<StoredRow> found = new ArrayList<>(wanted.size());
        int number = table.columns().namespaceNumberOrNone(namespace);
        for (Object id : wanted) {
            Integer slot = table.namespaces().slot(number, id);
            if (slot != null) {
                found.add(table.columns().row(slot, vectorsToo));
            }
        }
        return found;
    }

    /**
     * The rows in scope that come after one, in the order in which their ids were first put. Rows
     * that are put or deleted between two calls neither hide nor double others.
     *
     * @param after the order of the last row that was seen, −1 to begin
     * @param limit at most so many
     */
    static List<StoredRow> scroll(
            Table table, Scope scope, long after, int limit, boolean vectorsToo) {
        Columns columns = table.columns();
        // The slots with the lowest orders, the highest of them on top.
        PriorityQueue<Integer> first =
                new PriorityQueue<>((a, b) -> Long.compare(columns.order(b), columns.order(a)));
        table.find(scope)
                .forEach(
                        (int slot) -> {
                            long order = columns.order(slot);
                            if (order > after
                                    && (first.size() < limit
                                            || order < columns.order(first.element()))) {
                                first.add(slot);
                                if (first.size() > limit) {
                                    first.remove();
                                }
                            }
                        });
        List<StoredRow> rows = new ArrayList<>(first.size());
        while (!first.isEmpty()) {
            rows.add(columns.row(first.remove(), vectorsToo));
        }
        return rows.reversed();
    }

    /** Some of the rows, spread evenly over the slots. */
    static List<StoredRow> sample(Table table, int most) {
        RoaringBitmap live = table.columns().live();
        int step = Math.max(1, live.getCardinality() / most);
        List<StoredRow> rows = new ArrayList<>();
        for (int i = 0; i < live.getCardinality() && rows.size() < most; i += step) {
            rows.add(table.columns().row(live.select(i), true));
        }
        return rows;
    }
}
