package neuralcore.mesh;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.core.http.ClientAuth;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import neuralcore.cluster.ClusterSecret;

/**
 * How a node takes part in a cluster.
 *
 * @param host to listen at
 * @param port to listen at; 0 takes a free one
 * @param eventPort of the event bus; 0 takes a free one
 * @param publicHost at which others reach this node
 * @param publicPort at which others reach its membership; 0 is the one it listens at
 * @param publicEventPort at which others reach its event bus; 0 is the one it listens at
 * @param join nodes to dial, as {@code host:port}
 * @param roles of this node
 * @param version of the program
 * @param tls who this node is and whom it trusts
 * @param secret of the cluster
 */
public record MeshOptions(
        String host,
        int port,
        int eventPort,
        String publicHost,
        int publicPort,
        int publicEventPort,
        List<String> join,
        Set<String> roles,
        String version,
        Tls tls,
        ClusterSecret secret) {

    /** Older versions have handshakes that tell a listener who is talking. */
    private static final Set<String> PROTOCOLS = Set.of("TLSv1.3");

    /** An event bus that does not answer is given up before the membership gives the node up. */
    private static final long PING_MILLIS = 1_500;

    private static final long PONG_MILLIS = 2_500;

    private static final int CONNECT_MILLIS = 5_000;

    /**
     * All in PEM.
     *
     * @param authority that nodes' certificates must be of
     */
    public record Tls(String authority, String certificate, String key) {
        private PemKeyCertOptions identity() {
            return new PemKeyCertOptions()
                    .setCertValue(Buffer.buffer(certificate))
                    .setKeyValue(Buffer.buffer(key));
        }

        private PemTrustOptions trust() {
            return new PemTrustOptions().addCertValue(Buffer.buffer(authority));
        }

        @Override
        public String toString() {
            return "Tls[not shown]";
        }
    }

    public MeshOptions {
        join = List.copyOf(join);
        roles = Set.copyOf(roles);
    }

    /** For the event bus: only who has a certificate of the cluster's authority gets in. */
    public EventBusOptions eventBus() {
        EventBusOptions options = new EventBusOptions();
        options.setSsl(true)
                .setKeyCertOptions(tls.identity())
                .setTrustOptions(tls.trust())
                .setEnabledSecureTransportProtocols(PROTOCOLS);
        if (publicEventPort != 0) {
            options.setClusterPublicPort(publicEventPort);
        }
        return options.setHost(host)
                .setPort(eventPort)
                .setClusterPublicHost(publicHost)
                .setClientAuth(ClientAuth.REQUIRED)
                .setClusterPingInterval(PING_MILLIS)
                .setClusterPingReplyInterval(PONG_MILLIS)
                .setConnectTimeout(CONNECT_MILLIS);
    }

    NetServerOptions server() {
        NetServerOptions options = new NetServerOptions();
        options.setSsl(true)
                .setKeyCertOptions(tls.identity())
                .setTrustOptions(tls.trust())
                .setEnabledSecureTransportProtocols(PROTOCOLS);
        return options.setClientAuth(ClientAuth.REQUIRED);
    }

    /** Names are not compared: a certificate of the authority is a node's, wherever it runs. */
    NetClientOptions client() {
        NetClientOptions options = new NetClientOptions();
        options.setSsl(true)
                .setKeyCertOptions(tls.identity())
                .setTrustOptions(tls.trust())
                .setEnabledSecureTransportProtocols(PROTOCOLS);
        options.setSslHandshakeTimeout(CONNECT_MILLIS)
                .setSslHandshakeTimeoutUnit(TimeUnit.MILLISECONDS);
        return options.setHostnameVerificationAlgorithm("").setConnectTimeout(CONNECT_MILLIS);
    }
}
