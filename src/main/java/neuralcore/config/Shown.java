package neuralcore.config;

/** Makes a stranger's text fit for a message: short, and without control characters. */
final class Shown {
    private static final int MOST = 80;

    private Shown() {}

    static String of(String text) {
        StringBuilder shown = new StringBuilder();
        text.codePoints()
                .limit(MOST)
                .forEach(
                        c -> {
                            if (Character.isISOControl(c)) {
                                shown.append("\\u%04x".formatted(c));
                            } else {
                                shown.appendCodePoint(c);
                            }
                        });
        if (text.codePointCount(0, text.length()) > MOST) {
            shown.append('…');
        }
        return shown.toString();
    }
}
