package neuralcore.wire;

/**
 * Why a message goes to the dead letters of its channel instead of into it.
 *
 * @param by who says so, as a letter's {@code subscriber}
 * @param reason a JSON object with {@code error_type} and {@code error}
 */
public record Burial(String by, String reason) {}
