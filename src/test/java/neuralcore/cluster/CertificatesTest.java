package neuralcore.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.security.SignatureException;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import neuralcore.cluster.Certificates.Made;
import org.junit.jupiter.api.Test;

class CertificatesTest {
    private static final Duration YEAR = Duration.ofDays(365);
    private static final Instant NOW = Instant.now();

    private static X509Certificate read(Made made) throws Exception {
        return (X509Certificate)
                CertificateFactory.getInstance("X.509")
                        .generateCertificate(new ByteArrayInputStream(made.certificate()));
    }

    @Test
    void aNodesCertificateIsOfItsAuthority() throws Exception {
        Made authority = Certificates.authority("ours", NOW, YEAR);
        Made made =
                Certificates.node(
                        authority, "node1", List.of("10.0.0.1", "node1.example"), NOW, YEAR);
        X509Certificate root = read(authority);
        X509Certificate node = read(made);
        PKIXParameters rules = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        rules.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX")
                .validate(
                        CertificateFactory.getInstance("X.509").generateCertPath(List.of(node)),
                        rules);
        assertThat(root.getBasicConstraints()).isNotNegative();
        assertThat(root.getKeyUsage()[5]).as("signs certificates").isTrue();
        assertThat(node.getBasicConstraints()).isEqualTo(-1);
        assertThat(node.getKeyUsage()[0]).as("signs handshakes").isTrue();
        assertThat(node.getExtendedKeyUsage())
                .containsExactlyInAnyOrder("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
        assertThat(node.getSubjectAlternativeNames().toString())
                .contains("10.0.0.1", "node1.example");
        assertThat(node.getSerialNumber().signum()).isPositive();
        node.checkValidity();
        Made other = Certificates.authority("ours", NOW, YEAR);
        assertThatThrownBy(() -> node.verify(read(other).getPublicKey()))
                .isInstanceOf(SignatureException.class);
    }

    /** Until 2049 certificates have two digits for a year, later four. */
    @Test
    void longLivedCertificatesEndWhenTheyShould() throws Exception {
        Instant end = Instant.parse("2055-06-01T00:00:00Z");
        X509Certificate root =
                read(Certificates.authority("long", NOW, Duration.between(NOW, end)));
        assertThat(Duration.between(root.getNotAfter().toInstant(), end).abs())
                .isLessThan(Duration.ofSeconds(2));
    }
}
