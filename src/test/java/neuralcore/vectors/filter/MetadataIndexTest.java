package neuralcore.vectors.filter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.roaringbitmap.RoaringBitmap;

class MetadataIndexTest {
    private static final int SEEDS = 300;

    /** A failure names the seed. */
    @Test
    void findsWhatLookingAtEachRowFinds() {
        long first = new Random().nextInt();
        for (long seed = first; seed < first + SEEDS; seed++) {
            Random random = new Random(seed);
            Map<Integer, @Nullable Map<String, @Nullable Object>> rows = new HashMap<>();
            MetadataIndex index = new MetadataIndex();
            RoaringBitmap all = new RoaringBitmap();
            for (int step = 0; step < 150; step++) {
                int slot = random.nextInt(60);
                if (rows.containsKey(slot)) {
                    Map<String, @Nullable Object> gone = rows.remove(slot);
                    if (gone != null) {
                        index.remove(slot, gone);
                    }
                    all.remove(slot);
                } else {
                    Map<String, @Nullable Object> metadata = FilterModel.randomMetadata(random);
                    rows.put(slot, metadata);
                    if (metadata != null) {
                        index.add(slot, metadata);
                    }
                    all.add(slot);
                }
                Map<String, @Nullable Object> filter = FilterModel.randomFilter(random, 3);
                RoaringBitmap expected = new RoaringBitmap();
                rows.forEach(
                        (row, metadata) -> {
                            if (FilterModel.holds(filter, metadata)) {
                                expected.add(row);
                            }
                        });
                assertThat(index.find(FilterParser.parse(filter), all))
                        .as("seed %d, filter %s, rows %s", seed, filter, rows)
                        .isEqualTo(expected);
            }
        }
    }

    @Test
    void numbersAreEqualHoweverTheyAreWrittenAndNothingElseIs() {
        MetadataIndex index = new MetadataIndex();
        index.add(0, Map.of("x", 1L));
        index.add(1, Map.of("x", 1.0));
        index.add(2, Map.of("x", true));
        index.add(3, Map.of("x", "1"));
        index.add(4, Map.of("x", (1L << 53) + 1));
        index.add(5, Map.of("x", new BigInteger("18446744073709551617")));
        index.add(6, Map.of("x", new BigInteger("18446744073709551616")));
        index.add(7, Map.of("x", 0x1p64));
        RoaringBitmap all = RoaringBitmap.bitmapOf(0, 1, 2, 3, 4, 5, 6, 7);
        assertThat(index.find(FilterParser.parse(Map.of("x", 1L)), all))
                .isEqualTo(RoaringBitmap.bitmapOf(0, 1));
        assertThat(index.find(FilterParser.parse(Map.of("x", Map.of("$gt", 0x1p53))), all))
                .isEqualTo(RoaringBitmap.bitmapOf(4, 5, 6, 7));
        assertThat(index.find(FilterParser.parse(Map.of("x", Map.of("$gt", 0x1p64))), all))
                .isEqualTo(RoaringBitmap.bitmapOf(5));
        assertThat(index.find(FilterParser.parse(Map.of("x", 0x1p64)), all))
                .isEqualTo(RoaringBitmap.bitmapOf(6, 7));
    }

    @Test
    void listsAreEqualIfTheirElementsAre() {
        MetadataIndex index = new MetadataIndex();
        index.add(0, Map.of("x", List.of(1L, Map.of("a", 2L, "b", "c"))));
        index.add(1, Map.of("x", List.of(1.0, Map.of("b", "c", "a", 2.0))));
        index.add(2, Map.of("x", List.of(true, Map.of("a", 2L, "b", "c"))));
        Object wanted = List.of(1L, Map.of("b", "c", "a", 2L));
        assertThat(
                        index.find(
                                FilterParser.parse(Map.of("x", wanted)),
                                RoaringBitmap.bitmapOf(0, 1, 2)))
                .isEqualTo(RoaringBitmap.bitmapOf(0, 1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"$regex", "$and", "$in", "$gt", "$exists", "$not"})
    void whatCannotBeUnderstoodIsNamed(String operator) {
        Map<String, @Nullable Object> filter = Map.of("x", Map.of(operator, Map.of("y", 1L)));
        if (operator.equals("$not")) {
            assertThat(FilterParser.parse(filter)).isNotNull();
            return;
        }
        assertThatThrownBy(() -> FilterParser.parse(filter))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining(operator);
    }

    @Test
    void operatorsNeedAFieldAndBoundsOneKind() {
        assertThatThrownBy(() -> FilterParser.parse(Map.of("$gt", 1L)))
                .hasMessageContaining("outside of a field");
        assertThatThrownBy(() -> FilterParser.parse(Map.of("x", Map.of("$gt", 1L, "$lt", "b"))))
                .hasMessageContaining("a number and a string");
        assertThatThrownBy(() -> FilterParser.parse(Map.of("$or", List.of())))
                .hasMessageContaining("at least one");
    }
}
