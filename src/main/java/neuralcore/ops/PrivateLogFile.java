package neuralcore.ops;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.util.Duration;
import ch.qos.logback.core.util.FileSize;
import java.io.IOException;
import java.nio.file.Path;

/** A log file that others cannot read, also after it was rotated: 5 files of 10 MiB. */
final class PrivateLogFile extends RollingFileAppender<ILoggingEvent> {
    private static final long MOST_BYTES = 10L << 20;
    private static final int OLDER_FILES = 4;

    private PrivateLogFile() {}

    static PrivateLogFile at(Path file, LoggerContext context) {
        PrivateLogFile appender = new PrivateLogFile();
        LogLine line = new LogLine(LogLine.Format.TEXT);
        line.setContext(context);
        line.start();
        FixedWindowRollingPolicy rolling = new FixedWindowRollingPolicy();
        rolling.setContext(context);
        rolling.setParent(appender);
        rolling.setFileNamePattern(file + ".%i");
        rolling.setMinIndex(1);
        rolling.setMaxIndex(OLDER_FILES);
        SizeBasedTriggeringPolicy<ILoggingEvent> size = new SizeBasedTriggeringPolicy<>();
        size.setContext(context);
        size.setMaxFileSize(new FileSize(MOST_BYTES));
        size.setCheckIncrement(Duration.buildBySeconds(1));
        appender.setContext(context);
        appender.setName("file");
        appender.setFile(file.toString());
        appender.setEncoder(line);
        appender.setRollingPolicy(rolling);
        appender.setTriggeringPolicy(size);
        rolling.start();
        size.start();
        appender.start();
        return appender;
    }

    @Override
    public void openFile(String fileName) throws IOException {
        PrivateFiles.open(Path.of(fileName)).close();
        super.openFile(fileName);
    }
}
