package neuralcore.vectors;

import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import org.roaringbitmap.RoaringBitmap;

/** Fetches rows that nobody searches for by nearness. Stateless; the caller keeps writers away. */
final class TableReader {
    private TableReader() {}

    /**
     * The rows with these ids, in the ids' order; ids that are not there are left out. The next
     * page begins with so many ids as its {@code next} says.
     *
     * @param mostBytes of the page, unless its first row alone takes more
     */
    static Page get(
            Table table,
            String namespace,
            List<Object> wanted,
            boolean vectorsToo,
            long mostBytes) {
        Columns columns = table.columns();
        List<StoredRow> found = new ArrayList<>(wanted.size());
        int number = columns.namespaceNumberOrNone(namespace);
        long bytes = 0;
        for (int i = 0; i < wanted.size(); i++) {
            Integer slot = table.namespaces().slot(number, wanted.get(i));
            if (slot == null) {
                continue;
            }
            bytes += AnswerRoom.bytes(columns, slot, vectorsToo);
            if (bytes > mostBytes && !found.isEmpty()) {
                return new Page(found, i);
            }
            found.add(columns.row(slot, vectorsToo));
        }
        return new Page(found, Page.END);
    }

    /**
     * The rows in scope that come after one, in the order in which their ids were first put. Rows
     * that are put or deleted between two calls neither hide nor double others. The next page is
     * what comes after the order that its {@code next} says.
     *
     * @param after the order of the last row that was seen, −1 to begin
     * @param limit at most so many
     * @param mostBytes of the page, unless its first row alone takes more
     */
    static Page scroll(
            Table table, Scope scope, long after, int limit, boolean vectorsToo, long mostBytes) {
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
        int[] slots = new int[first.size()];
        for (int i = slots.length - 1; i >= 0; i--) {
            slots[i] = first.remove();
        }
        List<StoredRow> rows = new ArrayList<>();
        long bytes = 0;
        for (int slot : slots) {
            bytes += AnswerRoom.bytes(columns, slot, vectorsToo);
            if (bytes > mostBytes && !rows.isEmpty()) {
                return new Page(rows, rows.getLast().order());
            }
            rows.add(columns.row(slot, vectorsToo));
        }
        return new Page(rows, rows.size() == limit ? rows.getLast().order() : Page.END);
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
