package io.ambo.hatests.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What a benchmark leaves behind: {@code result.json} and {@code plot.svg}. */
final class ResultFiles {
    private ResultFiles() {}

    /** @param directory made if need be; an earlier result there is replaced */
    static void write(Path directory, String json, String plot) {
        try {
            Files.createDirectories(directory);
            Files.writeString(directory.resolve("result.json"), json);
            Files.writeString(directory.resolve("plot.svg"), plot);
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }
}
