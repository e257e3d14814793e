package io.ambo.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * What the session table's directory is mounted on. Sessions lie all over the table, so with pages of 4 KiB nearly each look-up has to ask for the page's place as well, and the first
 * sessions of a new table each wait for the kernel to make a page: a sixth of the processor time of a new session. A tmpfs has large pages when it is mounted so.
 */
final class TableMemory {
    private static final Logger LOG = LogManager.getLogger();
    private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
    /** Fields of a line before the first optional one, and behind the separator (proc_pid_mountinfo(5)). */
    private static final int MOUNT_POINT = 4, TYPE = 1, OPTIONS = 3;
    private static final String SEPARATOR = "-";

    private TableMemory() {}

    /** Logs what would be better. */
    static void check(Path directory) {
        try {
            String advice = advice(directory.toRealPath(), Files.readAllLines(MOUNTS));
            if (advice != null) LOG.info(advice);
        } catch (IOException failed) {
            LOG.debug("cannot tell what {} is mounted on: {}", directory, failed.toString());
        }
    }

    /** @return null when there is nothing to be said */
    static @Nullable String advice(Path directory, List<String> mounts) {
        Path mountPoint = Path.of("/");
        String type = "";
        String options = "";
        for (String line : mounts) {
            List<String> words = List.of(line.split(" ", -1));
            int separator = words.indexOf(SEPARATOR);
            if (separator <= MOUNT_POINT || words.size() <= separator + OPTIONS) continue;
            Path at = Path.of(unescaped(words.get(MOUNT_POINT)));
            // Of two on one place, the later one hides the other.
            if (!directory.startsWith(at) || at.getNameCount() < mountPoint.getNameCount()) continue;
            mountPoint = at;
            type = words.get(separator + TYPE);
            options = words.get(separator + OPTIONS);
        }
        if (!type.equals("tmpfs")) {
            return "The session table is in " + directory
                    + ", which is in no tmpfs: what the kernel writes back to the disk, packets wait for (node.table-dir)";
        }
        List<String> all = List.of(options.split(",", -1));
        if (all.contains("huge=always") || all.contains("huge=within_size")) return null;
        return "The session table is in " + directory + ", whose tmpfs " + mountPoint + " has small pages: mounted with huge=within_size,"
                + " new sessions take a sixth less of the processors (node.table-dir in node/CONFIGURATION.md)";
    }

    /** Space, tab, newline and backslash stand there as octal numbers. */
    private static String unescaped(String mountPoint) {
        return mountPoint.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    }
}
