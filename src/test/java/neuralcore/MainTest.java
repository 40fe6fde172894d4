package neuralcore;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import neuralcore.ops.ExitCode;
import neuralcore.ops.Version;
import org.junit.jupiter.api.Test;

class MainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @Test
    void printsTheConfigurationWithItsSources() {
        assertThat(run("serve", "--print-config", "--port=7", "--owned", "--set", "web.port=8"))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .containsPattern("bridge.port +7 +--port\n")
                .containsPattern("web.port +8 +--set\n")
                .containsPattern("lifecycle.owned +true +--owned\n");
    }

    @Test
    void helps() {
        assertThat(run("--help")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("serve", "doctor", "version").doesNotContain("train");
        assertThat(run("serve", "--help")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("--ready-file FILE", "--owned");
        assertThat(run("version")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("neuralcore " + Version.NUMBER + ", protocol 1");
    }

    @Test
    void refusesWhatItDoesNotKnow() {
        assertThat(run()).isEqualTo(ExitCode.USAGE);
        assertThat(run("srve")).isEqualTo(ExitCode.USAGE);
        assertThat(run("serve", "--port")).isEqualTo(ExitCode.USAGE);
        assertThat(run("serve", "--owned=yes")).isEqualTo(ExitCode.USAGE);
        assertThat(run("serve", "--set", "nonsense")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString())
                .contains("there is no command 'srve'; the nearest is serve")
                .contains("--port needs a value: --port PORT")
                .contains("--owned takes no value")
                .contains("--set nonsense: write it as key=value");
    }

    private ExitCode run(String... arguments) {
        return new Main(new PrintWriter(out), new PrintWriter(err), Map.of()).run(arguments);
    }
}
