package neuralcore.ops;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.LoggerFactory;

/**
 * Sets the log up in code: reading logback's XML would add a fifth to the time a start takes.
 * Standard error gets text on a terminal and JSON lines elsewhere; {@code logs/daemon.log} in the
 * data folder gets text.
 */
public final class Logging extends ContextAwareBase implements Configurator {

    /** Logback's own property; {@code conf/logback.xml} is an example of such a file. */
    private static final String STANDARD_ERROR = "stderr";

    private static final String OTHER_FILE = "logback.configurationFile";

    /** Called by logback, which finds the class through {@code META-INF/services}. */
    @Override
    public ExecutionStatus configure(LoggerContext context) {
        if (System.getProperty(OTHER_FILE) != null) {
            return ExecutionStatus.INVOKE_NEXT_IF_ANY;
        }
        LogLine line = new LogLine(isTerminal() ? LogLine.Format.TEXT : LogLine.Format.JSON);
        line.setContext(context);
        line.start();
        OutputStreamAppender<ILoggingEvent> errors = new OutputStreamAppender<>();
        errors.setContext(context);
        errors.setName(STANDARD_ERROR);
        errors.setEncoder(line);
        errors.setOutputStream(new FileOutputStream(FileDescriptor.err));
        errors.start();
        Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.addAppender(errors);
        setLevel(root, "info");
        // Its clients tell all their settings, and each attempt to connect; our relays tell more.
        context.getLogger("org.apache.kafka").setLevel(Level.WARN);
        context.getLogger("org.apache.kafka.clients.NetworkClient").setLevel(Level.ERROR);
        context.getLogger("io.netty").setLevel(Level.WARN);
        return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
    }

    /** Tells Vert.x to log here; before it is touched. */
    static void captureLibraries() {
        System.setProperty(
                "vertx.logger-delegate-factory-class-name",
                "io.vertx.core.logging.SLF4JLogDelegateFactory");
    }

    static void setLevel(String level) {
        setLevel(root(), level);
    }

    static void toFile(Path file) {
        if (System.getProperty(OTHER_FILE) != null) {
            return; // Whoever brings a configuration says where the log goes.
        }
        Logger root = root();
        root.addAppender(PrivateLogFile.at(file, root.getLoggerContext()));
    }

    /** Leaves standard error to the JVM. What is logged goes on to the file, which is bounded. */
    static void leaveStandardError() {
        if (System.getProperty(OTHER_FILE) == null) {
            root().detachAppender(STANDARD_ERROR);
        }
    }

    /** Writes out and closes. What is logged later is lost. */
    static void stop() {
        root().getLoggerContext().stop();
    }

    private static void setLevel(Logger root, String level) {
        root.setLevel(Level.toLevel(level, Level.INFO));
    }

    private static Logger root() {
        return (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    }

    /** Java's own question, {@code System.console()}, is about standard input and output. */
    private static boolean isTerminal() {
        Path descriptor = Path.of("/proc/self/fd/2");
        try {
            if (Files.isSymbolicLink(descriptor)) {
                String target = Files.readSymbolicLink(descriptor).toString();
                return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
            }
        } catch (IOException e) {
            return false;
        }
        return System.console() != null;
    }
}
