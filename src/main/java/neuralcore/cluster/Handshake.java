package neuralcore.cluster;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * How two nodes come to trust each other, one side of it. A plain state machine: each message is
 * handed in, and what to say next comes out.
 *
 * <pre>
 * caller                                         host
 *        ←  challenge: protocol, version, node, nonce
 *        →  hello:     protocol, nonce, passport, proof
 *        ←  welcome:   passport, proof        or refused: reason
 *        →  ready                             or refused: reason
 * </pre>
 *
 * A proof is an HMAC over both nonces, the passport and whose it is, so that neither can be sent
 * back or used twice. The host says first what protocol it speaks: a caller that speaks another can
 * tell its operator so, before it says anything of itself.
 */
public final class Handshake {
    /** Of what nodes say to each other; nodes of another one are refused. */
    public static final int PROTOCOL = 1;

    private static final String CALLER = "caller";
    private static final String HOST = "host";

    /** What comes of a message. */
    public sealed interface Outcome {
        /** Say this and go on. */
        record Say(Map<String, @Nullable Object> message) implements Outcome {}

        /** The other side is who it says; {@code message} is still to be said. */
        record Met(Passport peer, Map<String, @Nullable Object> message) implements Outcome {}

        /** It ends here. {@code message} tells the other side, unless it said so itself. */
        record Refused(
                ErrorCode code, String reason, @Nullable Map<String, @Nullable Object> message)
                implements Outcome {}
    }

    private final ClusterSecret secret;
    private final Passport self;
    private final boolean calling;
    private final int protocol;
    private final Function<Passport, String> objection;
    private final String nonce = ClusterSecret.nonce();
    private String otherNonce = "";
    private @Nullable Passport peer;

    /**
     * @param calling whether this side has dialled
     * @param objection why a node is not to be let in though it knows the secret; empty if it may
     */
    public Handshake(
            ClusterSecret secret,
            Passport self,
            boolean calling,
            Function<Passport, String> objection) {
        this(secret, self, calling, objection, PROTOCOL);
    }

    Handshake(
            ClusterSecret secret,
            Passport self,
            boolean calling,
            Function<Passport, String> objection,
            int protocol) {
        this.secret = secret;
        this.self = self;
        this.calling = calling;
        this.protocol = protocol;
        this.objection = objection;
    }

    /** What a host says first. */
    public Map<String, @Nullable Object> challenge() {
        Map<String, @Nullable Object> challenge = message("challenge");
        challenge.put("node", self.node());
        challenge.put("nonce", nonce);
        return challenge;
    }

    /** The other side has said something. */
    public Outcome heard(Params message) {
        String type = message.string("type");
        if (type.equals("refused")) {
            return new Outcome.Refused(
                    codeOf(message.string("code", "")), message.string("reason"), null);
        }
        if (calling && type.equals("challenge") && otherNonce.isEmpty()) {
            return answer(message);
        }
        if (!calling && type.equals("hello") && peer == null) {
            return admit(message);
        }
        if (calling && type.equals("welcome") && !otherNonce.isEmpty()) {
            return believe(message);
        }
        Passport known = peer;
        if (!calling && type.equals("ready") && known != null) {
            return new Outcome.Met(known, Map.of());
        }
        return refuse(ErrorCode.MALFORMED_FRAME, "'%s' is not expected here.".formatted(type));
    }

    /** A code that this version does not know is the other's affair. */
    private static ErrorCode codeOf(String name) {
        for (ErrorCode code : ErrorCode.values()) {
            if (code.name().equals(name)) {
                return code;
            }
        }
        return ErrorCode.ACCESS_DENIED;
    }

    private Outcome answer(Params challenge) {
        Outcome.Refused refused = otherProtocol(challenge);
        if (refused != null) {
            return refused;
        }
        if (challenge.string("node").equals(self.node())) {
            return refuse(ErrorCode.ALREADY_EXISTS, "it is this node itself");
        }
        otherNonce = challenge.string("nonce");
        Map<String, @Nullable Object> hello = message("hello");
        hello.put("nonce", nonce);
        hello.put("passport", self.toMap());
        hello.put("proof", secret.proof(CALLER, otherNonce, nonce, self.words()));
        return new Outcome.Say(hello);
    }

    private Outcome admit(Params hello) {
        Outcome.Refused refused = otherProtocol(hello);
        if (refused != null) {
            return refused;
        }
        otherNonce = hello.string("nonce");
        Passport caller = passport(hello);
        if (!secret.proves(hello.string("proof"), CALLER, nonce, otherNonce, caller.words())) {
            return refuse(
                    ErrorCode.UNAUTHENTICATED,
                    "the node at %s has another cluster secret".formatted(caller.at()));
        }
        String why = objection.apply(caller);
        if (!why.isEmpty()) {
            return refuse(ErrorCode.ACCESS_DENIED, why);
        }
        peer = caller;
        Map<String, @Nullable Object> welcome = message("welcome");
        welcome.put("passport", self.toMap());
        welcome.put("proof", secret.proof(HOST, otherNonce, nonce, self.words()));
        return new Outcome.Say(welcome);
    }

    private Outcome believe(Params welcome) {
        Passport host = passport(welcome);
        if (!secret.proves(welcome.string("proof"), HOST, nonce, otherNonce, host.words())) {
            return refuse(
                    ErrorCode.UNAUTHENTICATED,
                    "the node at %s has another cluster secret".formatted(host.at()));
        }
        String why = objection.apply(host);
        return why.isEmpty()
                ? new Outcome.Met(host, message("ready"))
                : refuse(ErrorCode.ACCESS_DENIED, why);
    }

    private Outcome.@Nullable Refused otherProtocol(Params message) {
        long theirs = message.integer("protocol");
        if (theirs == protocol) {
            return null;
        }
        return refuse(
                ErrorCode.VERSION_MISMATCH,
                "version %s speaks protocol %d of the cluster, version %s protocol %d; both must be"
                                .formatted(
                                        message.string("version", "unknown"),
                                        theirs,
                                        self.version(),
                                        protocol)
                        + " of one line");
    }

    private static Passport passport(Params message) {
        Map<String, @Nullable Object> keys = message.optionalObject("passport");
        return Passport.of(new Params(keys == null ? Map.of() : keys));
    }

    private Outcome.Refused refuse(ErrorCode code, String reason) {
        Map<String, @Nullable Object> refused = message("refused");
        refused.put("code", code.name());
        refused.put("reason", reason);
        return new Outcome.Refused(code, reason, refused);
    }

    private Map<String, @Nullable Object> message(String type) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("type", type);
        message.put("protocol", (long) protocol);
        message.put("version", self.version());
        return message;
    }
}
