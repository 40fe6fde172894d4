package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class AckSetTest {

    @Test
    void isAFloorAndWhatIsSettledBeyondIt() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int run = 0; run < 200; run++) {
            long start = random.nextInt(10_000);
            AckSet set = new AckSet(start);
            TreeSet<Long> plain = new TreeSet<>();
            long floor = start;
            int spread = 1 + random.nextInt(12_000);
            for (int step = 0; step < 400; step++) {
                long number = Math.max(0, floor + random.nextInt(spread) - 2);
                if (random.nextInt(50) == 0) {
                    long from = floor;
                    long fresh = 0;
                    for (long n = from + 1; n <= number; n++) {
                        fresh += plain.remove(n) ? 0 : 1;
                    }
                    assertThat(set.raiseTo(number)).as("seed %d", seed).isEqualTo(fresh);
                    floor = Math.max(floor, number);
                } else {
                    boolean fresh = number > floor && plain.add(number);
                    assertThat(set.add(number)).as("seed %d", seed).isEqualTo(fresh);
                }
                while (plain.remove(floor + 1)) {
                    floor++;
                }
                assertThat(set.floor()).as("seed %d", seed).isEqualTo(floor);
                assertThat(set.beyond()).as("seed %d", seed).isEqualTo(plain.size());
                assertThat(set.contains(number))
                        .isEqualTo(number <= floor || plain.contains(number));
            }
            List<Long> listed = new ArrayList<>();
            set.forEachBeyond(listed::add);
            assertThat(listed).as("seed %d", seed).containsExactlyElementsOf(plain);
            assertThat(set.copy()).isEqualTo(set);
        }
    }
}
