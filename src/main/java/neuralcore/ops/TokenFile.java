package neuralcore.ops;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Pattern;

/** The secret that TCP and HTTP clients show: 256 random bits in a file only this user can read. */
final class TokenFile {
    private static final int BYTES = 32;
    private static final Pattern TOKEN = Pattern.compile("[\\w-]{43,128}");

    private TokenFile() {}

    static Path in(Path runFolder) {
        return runFolder.resolve("token");
    }

    /** The token; a new one if there is none, or if others could have read or damaged it. */
    static String readOrCreate(Path runFolder) throws IOException {
        Path file = in(runFolder);
        if (Files.isRegularFile(file) && !PrivateFiles.isReadableByOthers(file)) {
            String token = Files.readString(file).strip();
            if (TOKEN.matcher(token).matches()) {
                return token;
            }
        }
        byte[] secret = new byte[BYTES];
        new SecureRandom().nextBytes(secret);
        String token = HexFormat.of().formatHex(secret);
        PrivateFiles.replace(file, (token + "\n").getBytes(StandardCharsets.UTF_8));
        return token;
    }
}
