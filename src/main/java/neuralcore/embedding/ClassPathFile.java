package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.jar.JarEntry;
import org.jspecify.annotations.Nullable;

/**
 * A file of the class path.
 *
 * @param url where it is
 * @param size in bytes
 * @param tag differs for another content: the checksum that its jar keeps anyway
 */
record ClassPathFile(URL url, long size, String tag) {

    static @Nullable ClassPathFile find(String resource) throws IOException {
        URL url = ClassPathFile.class.getClassLoader().getResource(resource);
        if (url == null) {
            return null;
        }
        URLConnection connection = url.openConnection();
        if (connection instanceof JarURLConnection jar) {
            JarEntry entry = jar.getJarEntry();
            return new ClassPathFile(
                    url, entry.getSize(), HexFormat.of().toHexDigits((int) entry.getCrc()));
        }
        return new ClassPathFile(
                url,
                connection.getContentLengthLong(),
                HexFormat.of().toHexDigits(connection.getLastModified()));
    }

    void copyTo(Path target) throws IOException {
        try (InputStream in = url.openStream()) {
            Files.copy(in, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
