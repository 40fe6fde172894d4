package neuralcore.ops;

import java.util.List;
import java.util.Locale;

/** Whether this JVM was given a cache of loaded classes, and whether it took it. */
final class AotCache {
    private static final String OPTION = "-XX:AOTCache=";

    private AotCache() {}

    /** The file named on the JVM's command line, or an empty text. */
    static String path(List<String> jvmArguments) {
        return jvmArguments.stream()
                .filter(argument -> argument.startsWith(OPTION))
                .map(argument -> argument.substring(OPTION.length()))
                .reduce("", (first, last) -> last);
    }

    /** A JVM that refuses a cache runs without any, and says so in its own description. */
    static boolean isUsed() {
        return System.getProperty("java.vm.info", "").toLowerCase(Locale.ROOT).contains("sharing");
    }
}
