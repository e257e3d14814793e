package io.ambo.node;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** The JVM's own compiler threads, as the kernel sees them: the management beans tell of a compilation only when it has ended. */
final class Compilers {
    private static final Path TASKS = Path.of("/proc/self/task");
    private static final String NAME = "CompilerThre";
    private static final int TICKS_PER_SECOND = 100;
    private static final long LOOK_MS = 100;
    /** Of a processor: what still comes now and then. */
    private static final double REST = 0.3;

    private Compilers() {}

    /** Processor time that they have had, in milliseconds; 0 when it cannot be told. */
    static long workMs() {
        try {
            return ticks() * 1000 / TICKS_PER_SECOND;
        } catch (IOException gone) {
            return 0;
        }
    }

    /** Waits until they have next to nothing to do. @return false when they still had after that time */
    static boolean awaitRest(long atMostMs) {
        long endNs = System.nanoTime() + atMostMs * 1_000_000;
        try {
            for (long before = ticks(); System.nanoTime() - endNs < 0;) {
                Thread.sleep(LOOK_MS);
                long now = ticks();
                if (now - before < REST * LOOK_MS * TICKS_PER_SECOND / 1000) return true;
                before = now;
            }
        } catch (IOException gone) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return false;
    }

    /** Processor time that they have had. */
    private static long ticks() throws IOException {
        long ticks = 0;
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
            for (Path task : tasks) {
                String stat = stat(task);
                int nameEnd = stat.lastIndexOf(')');
                if (nameEnd < 0 || !stat.substring(0, nameEnd).endsWith(NAME)) continue;
                // proc_pid_stat(5): utime and stime are the 14th and 15th field, the name is the 2nd.
                String[] fields = stat.substring(nameEnd + 2).split(" ", 14);
                ticks += Long.parseLong(fields[11]) + Long.parseLong(fields[12]);
            }
        }
        return ticks;
    }

    /** @return empty when that thread has just ended */
    private static String stat(Path task) {
        try {
            return Files.readString(task.resolve("stat"));
        } catch (IOException gone) {
            return "";
        }
    }
}
