package neuralcore.cluster;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;

/**
 * Makes X.509 certificates: of an authority that a cluster has for itself alone, and of its nodes.
 * Java reads and checks certificates but has no way to make one, so the few structures of RFC 5280
 * that a certificate needs are written here, in DER. Keys are of the curve P-256.
 */
public final class Certificates {
    /**
     * A certificate and its key.
     *
     * @param certificate in DER
     */
    public record Made(String name, KeyPair keys, byte[] certificate) {
        public String certificatePem() {
            return pem("CERTIFICATE", certificate);
        }

        public String keyPem() {
            return pem("PRIVATE KEY", keys.getPrivate().getEncoded());
        }
    }

    private static final byte[] ECDSA_WITH_SHA256 =
            sequence(oid(0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2));
    private static final byte[] COMMON_NAME = oid(0x55, 4, 3);
    private static final byte[] BASIC_CONSTRAINTS = oid(0x55, 0x1D, 0x13);
    private static final byte[] KEY_USAGE = oid(0x55, 0x1D, 0x0F);
    private static final byte[] EXTENDED_KEY_USAGE = oid(0x55, 0x1D, 0x25);
    private static final byte[] ALTERNATIVE_NAMES = oid(0x55, 0x1D, 0x11);
    private static final byte[] FOR_SERVERS = oid(0x2B, 6, 1, 5, 5, 7, 3, 1);
    private static final byte[] FOR_CLIENTS = oid(0x2B, 6, 1, 5, 5, 7, 3, 2);
    private static final byte[] TRUE = tagged(0x01, new byte[] {(byte) 0xFF});

    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

    /** A clock may be behind ours. */
    private static final Duration EARLIER = Duration.ofMinutes(10);

    private static final int SERIAL_BITS = 127;
    private static final int LINE = 64;
    private static final SecureRandom RANDOM = new SecureRandom();

    private Certificates() {}

    /** An authority that vouches for itself. */
    public static Made authority(String name, Instant now, Duration lasting) {
        KeyPair keys = keys();
        byte[] extensions =
                sequence(
                        extension(BASIC_CONSTRAINTS, true, sequence(TRUE)),
                        // Bits 5 and 6: it signs certificates and lists of revoked ones.
                        extension(KEY_USAGE, true, bits(1, 0x06)));
        return new Made(
                name, keys, sign(name, name, keys, keys.getPrivate(), now, lasting, extensions));
    }

    /**
     * A node's certificate.
     *
     * @param names host names and addresses at which it is reached
     */
    public static Made node(
            Made authority, String name, List<String> names, Instant now, Duration lasting) {
        KeyPair keys = keys();
        return new Made(
                name,
                keys,
                sign(
                        authority.name(),
                        name,
                        keys,
                        authority.keys().getPrivate(),
                        now,
                        lasting,
                        ofNode(names)));
    }

    private static byte[] ofNode(List<String> names) {
        List<byte[]> extensions = new ArrayList<>();
        extensions.add(extension(BASIC_CONSTRAINTS, true, sequence()));
        // Bit 0: its key signs handshakes.
        extensions.add(extension(KEY_USAGE, true, bits(7, 0x80)));
        extensions.add(extension(EXTENDED_KEY_USAGE, false, sequence(FOR_SERVERS, FOR_CLIENTS)));
        if (!names.isEmpty()) {
            byte[][] all = names.stream().map(Certificates::alternative).toArray(byte[][]::new);
            extensions.add(extension(ALTERNATIVE_NAMES, false, sequence(all)));
        }
        return sequence(extensions.toArray(byte[][]::new));
    }

    private static byte[] alternative(String name) {
        try {
            return tagged(0x87, InetAddress.ofLiteral(name).getAddress());
        } catch (IllegalArgumentException notAnAddress) {
            return tagged(0x82, name.getBytes(StandardCharsets.US_ASCII));
        }
    }

    private static byte[] sign(
            String issuer,
            String subject,
            KeyPair keys,
            PrivateKey signer,
            Instant now,
            Duration lasting,
            byte[] extensions) {
        byte[] told =
                sequence(
                        tagged(0xA0, tagged(0x02, new byte[] {2})), // version 3
                        tagged(0x02, new BigInteger(SERIAL_BITS, RANDOM).toByteArray()),
                        ECDSA_WITH_SHA256,
                        name(issuer),
                        sequence(time(now.minus(EARLIER)), time(now.plus(lasting))),
                        name(subject),
                        keys.getPublic().getEncoded(),
                        tagged(0xA3, extensions));
        try {
            Signature signature = Signature.getInstance("SHA256withECDSA");
            signature.initSign(signer);
            signature.update(told);
            return sequence(told, ECDSA_WITH_SHA256, bits(0, signature.sign()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java signs with P-256", e);
        }
    }

    private static KeyPair keys() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has P-256", e);
        }
    }

    // DER: a tag, a length, the contents.

    private static byte[] name(String commonName) {
        byte[] text = tagged(0x0C, commonName.getBytes(StandardCharsets.UTF_8));
        return sequence(tagged(0x31, sequence(COMMON_NAME, text)));
    }

    /** RFC 5280 wants the year in two digits as long as that will do. */
    private static byte[] time(Instant instant) {
        String text = TIME.format(instant);
        return text.compareTo("2050") < 0
                ? tagged(0x17, text.substring(2).getBytes(StandardCharsets.US_ASCII))
                : tagged(0x18, text.getBytes(StandardCharsets.US_ASCII));
    }

    private static byte[] extension(byte[] id, boolean critical, byte[] value) {
        byte[] octets = tagged(0x04, value);
        return critical ? sequence(id, TRUE, octets) : sequence(id, octets);
    }

    private static byte[] bits(int unused, int value) {
        return bits(unused, new byte[] {(byte) value});
    }

    private static byte[] bits(int unused, byte[] value) {
        byte[] contents = new byte[value.length + 1];
        contents[0] = (byte) unused;
        System.arraycopy(value, 0, contents, 1, value.length);
        return tagged(0x03, contents);
    }

    private static byte[] oid(int... encoded) {
        byte[] bytes = new byte[encoded.length];
        for (int i = 0; i < encoded.length; i++) {
            bytes[i] = (byte) encoded[i];
        }
        return tagged(0x06, bytes);
    }

    private static byte[] sequence(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return tagged(0x30, all.toByteArray());
    }

    private static byte[] tagged(int tag, byte[] contents) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(contents.length + 4);
        out.write(tag);
        if (contents.length < 0x80) {
            out.write(contents.length);
        } else if (contents.length < 0x100) {
            out.write(0x81);
            out.write(contents.length);
        } else {
            out.write(0x82);
            out.write(contents.length >> 8);
            out.write(contents.length);
        }
        out.writeBytes(contents);
        return out.toByteArray();
    }

    private static String pem(String what, byte[] bytes) {
        String lines = Base64.getMimeEncoder(LINE, new byte[] {'\n'}).encodeToString(bytes);
        return "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(what, lines, what);
    }
}
