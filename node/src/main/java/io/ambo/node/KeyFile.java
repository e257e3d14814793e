package io.ambo.node;

import io.ambo.cluster.ClusterKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The cluster's keys in force, and their file. Guarded by the one who reloads. */
final class KeyFile {
    private final Path file;
    private ClusterKey key;
    private Consumer<ClusterKey> listener = ignored -> {};

    /** @throws IllegalArgumentException when the file cannot be read or holds no sound keys; the message says what to do */
    KeyFile(Path file) {
        this.file = file;
        key = read();
    }

    /** Who puts changed keys into force. */
    void onChange(Consumer<ClusterKey> newListener) { listener = newListener; }

    ClusterKey key() { return key; }

    /** @return the file's keys, when they are not those in force; else null */
    @Nullable
    ClusterKey changed() {
        ClusterKey now = read();
        return now.fingerprints().equals(key.fingerprints()) ? null : now;
    }

    void apply(ClusterKey changed) {
        listener.accept(changed);
        key = changed;
    }

    private ClusterKey read() {
        try {
            return ClusterKey.of(Files.readAllBytes(file));
        } catch (IOException unreadable) {
            throw new IllegalArgumentException("cluster.key-file = " + file + " cannot be read: " + unreadable.getMessage(), unreadable);
        } catch (IllegalArgumentException bad) {
            throw new IllegalArgumentException("cluster.key-file = " + file + ": " + bad.getMessage(), bad);
        }
    }
}
