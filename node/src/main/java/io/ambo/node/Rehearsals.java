package io.ambo.node;

import io.ambo.cluster.time.Clock;
import io.ambo.node.datapath.Datapath;
import io.ambo.node.sys.Scheduling;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.apache.logging.log4j.CloseableThreadContext;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** All that a JVM plays through before it meets real peers and real packets. Takes a core for some seconds; nothing of it is left behind. */
final class Rehearsals {
    private static final long LONGEST_JOIN_NS = 5_000_000_000L;
    private static final int ORDINARY_NICE = 0;
    private static final Logger LOG = LogManager.getLogger();

    private Rehearsals() {}

    /**
     * On a thread of its own.
     *
     * @param directory where tables may be made for the time being
     */
    static void run(Path directory, Clock clock) {
        // It runs code that has yet to be compiled, and must not keep the compilers from it.
        Scheduling.setNiceOfThisThread(ORDINARY_NICE);
        try {
            Path scratch = Files.createTempDirectory(directory, "rehearsal");
            try {
                long handedOver;
                // What is played is not told: log4j2.xml.
                try (CloseableThreadContext.Instance _ = CloseableThreadContext.put("rehearsal", "yes")) {
                    handedOver = io.ambo.cluster.Rehearsal.run(scratch.resolve("join"), clock, LONGEST_JOIN_NS);
                }
                LOG.info("rehearsed a join with {} sessions", handedOver);
                Datapath.rehearse(scratch.resolve("packets"), clock);
            } finally {
                delete(scratch);
            }
        } catch (IOException failed) {
            throw new UncheckedIOException("no room for the rehearsal's tables in " + directory, failed);
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
        }
    }
}
