package verticles;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.kerby.kerberos.kerb.KrbException;
import org.apache.kerby.kerberos.kerb.server.SimpleKdcServer;

/**
 * A real Kerberos server, in this process, that knows one broker and whoever else is asked for. As
 * long as it runs, this JVM logs in there and nowhere else.
 */
final class Kerberos implements AutoCloseable {
    private static final String REALM = "EXAMPLE.COM";
    private static final String PLACE = "java.security.krb5.conf";

    private final Path folder;
    private final SimpleKdcServer server;
    private final String broker;

    /**
     * @param service the broker's, without its host
     */
    Kerberos(Path folder, String service) throws Exception {
        this.folder = Files.createDirectories(folder);
        int port = KafkaServer.freePort();
        server = new SimpleKdcServer();
        server.setWorkDir(folder.toFile());
        server.setKdcRealm(REALM);
        server.setKdcHost("127.0.0.1");
        server.setAllowUdp(false);
        server.setKdcTcpPort(port);
        server.init();
        server.start();
        Files.writeString(
                configuration(),
                """
                [libdefaults]
                    default_realm = %s
                    udp_preference_limit = 1
                    dns_lookup_kdc = false
                    dns_lookup_realm = false
                [realms]
                    %s = {
                        kdc = 127.0.0.1:%d
                    }
                """
                        .formatted(REALM, REALM, port));
        System.setProperty(PLACE, configuration().toString());
        // Kafka's clients ask for the broker by what its address is called here.
        broker = service + "/" + InetAddress.getByName("127.0.0.1").getHostName();
        server.createPrincipals(broker);
    }

    private Path configuration() {
        return folder.resolve("relays.krb5.conf");
    }

    /** The broker's line for {@code sasl.jaas.config}. */
    String brokerLogin() throws KrbException {
        return "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true"
                + " keyTab=\"%s\" principal=\"%s@%s\";".formatted(keytab(broker), broker, REALM);
    }

    /** What the broker's JVM is to be told. Its memory of tickets seen would be a file for all. */
    List<String> options() {
        return List.of("-D" + PLACE + "=" + configuration(), "-Dsun.security.krb5.rcache=none");
    }

    /** Makes somebody known, and gives the file that proves it. */
    Path admit(String name) throws KrbException {
        server.createPrincipals(name + "@" + REALM);
        return keytab(name);
    }

    private Path keytab(String name) throws KrbException {
        Path file = folder.resolve(name.replace('/', '.') + ".keytab");
        server.exportPrincipal(name + "@" + REALM, file.toFile());
        return file;
    }

    @Override
    public void close() throws KrbException {
        System.clearProperty(PLACE);
        server.stop();
    }
}
