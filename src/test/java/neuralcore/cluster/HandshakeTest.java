package neuralcore.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import neuralcore.cluster.Handshake.Outcome;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class HandshakeTest {
    private static final ClusterSecret SECRET = new ClusterSecret("0123456789abcdef");
    private static final Function<Passport, String> WELCOME = other -> "";

    private static Passport node(String name) {
        return new Passport(name, "1.0", "127.0.0.1", 1, "127.0.0.1", 2, "embedding");
    }

    private static Handshake caller(ClusterSecret secret) {
        return new Handshake(secret, node("caller"), true, WELCOME);
    }

    private static Handshake host(ClusterSecret secret) {
        return new Handshake(secret, node("host"), false, WELCOME);
    }

    /** What each side has come to in the end: caller, host. */
    private static List<Outcome> meet(Handshake caller, Handshake host) {
        Outcome atCaller = new Outcome.Say(Map.of());
        Outcome atHost = new Outcome.Say(host.challenge());
        for (int i = 0; i < 4; i++) {
            Map<String, @Nullable Object> said = said(atHost);
            if (!said.isEmpty()) {
                atCaller = caller.heard(new Params(said));
            }
            said = said(atCaller);
            if (!said.isEmpty()) {
                atHost = host.heard(new Params(said));
            }
            if (!(atCaller instanceof Outcome.Say)) {
                break;
            }
        }
        return List.of(atCaller, atHost);
    }

    private static Map<String, @Nullable Object> said(Outcome outcome) {
        return switch (outcome) {
            case Outcome.Say say -> say.message();
            case Outcome.Met met -> met.message();
            case Outcome.Refused refused -> Objects.requireNonNullElse(refused.message(), Map.of());
        };
    }

    @Test
    void twoWhoKnowTheSecretMeet() {
        List<Outcome> ends = meet(caller(SECRET), host(SECRET));
        assertThat(((Outcome.Met) ends.get(0)).peer()).isEqualTo(node("host"));
        assertThat(((Outcome.Met) ends.get(1)).peer()).isEqualTo(node("caller"));
    }

    @Test
    void anotherSecretIsRefusedAndBothSidesKnowWhy() {
        List<Outcome> ends =
                meet(caller(new ClusterSecret("another secret of some length")), host(SECRET));
        for (Outcome end : ends) {
            Outcome.Refused refused = (Outcome.Refused) end;
            assertThat(refused.code()).isEqualTo(ErrorCode.UNAUTHENTICATED);
            assertThat(refused.reason()).contains("another cluster secret");
        }
    }

    @Test
    void anotherProtocolIsRefusedAndBothSidesKnowWhy() {
        Handshake newer = new Handshake(SECRET, node("caller"), true, WELCOME, 2);
        for (Outcome end : meet(newer, host(SECRET))) {
            Outcome.Refused refused = (Outcome.Refused) end;
            assertThat(refused.code()).isEqualTo(ErrorCode.VERSION_MISMATCH);
            assertThat(refused.reason()).contains("protocol 1", "protocol 2");
        }
    }

    @Test
    void whatIsObjectedToIsToldToTheOther() {
        Handshake choosy = new Handshake(SECRET, node("host"), false, other -> "not you");
        for (Outcome end : meet(caller(SECRET), choosy)) {
            assertThat(((Outcome.Refused) end).reason()).isEqualTo("not you");
        }
    }

    /** A host that does not know the secret sends back what it has heard. */
    @Test
    void theCallersOwnProofProvesNothing() {
        Handshake caller = caller(SECRET);
        Outcome hello = caller.heard(new Params(host(new ClusterSecret("unknown")).challenge()));
        Map<String, @Nullable Object> welcome = new LinkedHashMap<>(said(hello));
        welcome.put("type", "welcome");
        assertThat(caller.heard(new Params(welcome))).isInstanceOf(Outcome.Refused.class);
    }

    @Test
    void aProofCountsForItsPassportAndItsMeetingAlone() {
        Handshake host = host(SECRET);
        Map<String, @Nullable Object> hello =
                said(caller(SECRET).heard(new Params(host.challenge())));
        assertThat(host(SECRET).heard(new Params(hello))).isInstanceOf(Outcome.Refused.class);
        Map<String, @Nullable Object> forged = new LinkedHashMap<>(hello);
        forged.put("passport", node("somebody else").toMap());
        assertThat(host.heard(new Params(forged))).isInstanceOf(Outcome.Refused.class);
    }

    @Test
    void aNodeKnowsItself() {
        Handshake self = new Handshake(SECRET, node("host"), true, WELCOME);
        Outcome end = self.heard(new Params(host(SECRET).challenge()));
        assertThat(((Outcome.Refused) end).code()).isEqualTo(ErrorCode.ALREADY_EXISTS);
    }

    @Test
    void wordsOutOfTurnEndIt() {
        Outcome end = host(SECRET).heard(new Params(Map.of("type", "ready")));
        assertThat(((Outcome.Refused) end).code()).isEqualTo(ErrorCode.MALFORMED_FRAME);
    }
}
