package neuralcore.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import neuralcore.cluster.Roster.Found;
import neuralcore.cluster.Roster.Listener;
import org.junit.jupiter.api.Test;

class RosterTest {
    private final Roster roster = new Roster("self");

    @Test
    void whatIsForThisNodeAloneIsToldToNobody() {
        roster.listen(new Listener("a", 1), true);
        roster.listen(new Listener("a", 2), false);
        assertThat(roster.told()).containsExactly(new Listener("a", 2));
        assertThat(roster.at("a"))
                .containsExactlyInAnyOrder(new Found("self", 1, true), new Found("self", 2, false));
        roster.leave(new Listener("a", 1));
        roster.leave(new Listener("a", 2));
        assertThat(roster.at("a")).isEmpty();
    }

    @Test
    void whatANodeSaysAnewReplacesWhatItSaid() {
        roster.replace("other", List.of(new Listener("a", 1), new Listener("b", 2)));
        assertThat(roster.replace("other", List.of(new Listener("c", 3))))
                .containsExactlyInAnyOrder("a", "b", "c");
        assertThat(roster.at("a")).isEmpty();
        assertThat(roster.at("c")).containsExactly(new Found("other", 3, false));
    }

    @Test
    void aNodeThatIsGoneListensNowhere() {
        roster.replace("other", List.of(new Listener("a", 1)));
        roster.add("other", new Listener("a", 2));
        roster.remove("other", new Listener("a", 1));
        assertThat(roster.at("a")).containsExactly(new Found("other", 2, false));
        assertThat(roster.remove("other")).containsExactly("a");
        roster.add("other", new Listener("a", 3));
        assertThat(roster.at("a")).isEmpty();
    }
}
