package io.ambo.node;

import io.ambo.cluster.Rehearsal;
import io.ambo.cluster.time.Clock;
import io.ambo.node.datapath.Datapath;
import io.ambo.node.sys.Scheduling;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.logging.log4j.CloseableThreadContext;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * All that a JVM plays through before it meets real peers and real packets: a join and the packet path once, whatever happens; then joins again and again, until
 * the compilers have hardly any work left with them or the time is over. A method is compiled at last when it has run for long enough <em>while</em> the compilers
 * had time for it, so one long play does less than many short ones. Takes a core; nothing of it is left behind.
 */
final class Rehearsals {
    private static final long LONGEST_JOIN_NS = 5_000_000_000L;
    private static final int FIRST_SESSIONS = 40_000, FIRST_DELTAS = 6_000;
    private static final int SESSIONS = 10_000, DELTAS = 2_000;
    /** Of the time that a play took, the part for which the compilers were at work. */
    private static final double SETTLED = 0.2;
    private static final int ORDINARY_NICE = 0;
    private static final Logger LOG = LogManager.getLogger();

    private final Path directory;
    private final Clock clock;
    private final long endNs;
    private final CompletableFuture<Void> end;
    private volatile boolean inHurry;

    private Rehearsals(Path directory, Clock clock, long atMostMs) {
        this.directory = directory;
        this.clock = clock;
        endNs = clock.monotonicNs() + atMostMs * 1_000_000;
        end = atMostMs == 0
                ? CompletableFuture.completedFuture(null)
                : CompletableFuture.runAsync(this::play, task -> Thread.ofPlatform().name("ambo-rehearsal").daemon().start(task));
    }

    /**
     * Begins.
     *
     * @param directory where tables may be made for the time being
     * @param atMostMs  nothing is played again after that time; 0: nothing is played at all
     */
    static Rehearsals start(Path directory, Clock clock, long atMostMs) { return new Rehearsals(directory, clock, atMostMs); }

    /** The node has sessions already: it is waited for, and it needs fewer of its peers. */
    void hurry() { inHurry = true; }

    void await() { end.join(); }

    private boolean isTimeOver() { return inHurry || clock.monotonicNs() - endNs >= 0; }

    private void play() {
        // It runs code that has yet to be compiled, and must not keep the compilers from it.
        Scheduling.setNiceOfThisThread(ORDINARY_NICE);
        try {
            Path scratch = Files.createTempDirectory(directory, "rehearsal");
            try {
                long sessions = join(scratch, 0, FIRST_SESSIONS, FIRST_DELTAS);
                Datapath.rehearse(scratch.resolve("packets"), clock);
                int acts = 1;
                boolean settled = false;
                while (!settled && !isTimeOver()) {
                    long beganNs = clock.monotonicNs();
                    long compiledMs = Compilers.workMs();
                    sessions += join(scratch, acts++, SESSIONS, DELTAS);
                    settled = (Compilers.workMs() - compiledMs) * 1e6 < SETTLED * (clock.monotonicNs() - beganNs);
                }
                LOG.info("rehearsed {} joins with {} sessions{}", acts, sessions, settled ? "" : "; there was no time for more");
            } finally {
                delete(scratch);
            }
        } catch (IOException failed) {
            throw new UncheckedIOException("no room for the rehearsal's tables in " + directory, failed);
        }
    }

    private long join(Path scratch, int act, int sessions, int deltas) throws IOException {
        Path tables = scratch.resolve("join");
        // What is played is not told: log4j2.xml.
        try (CloseableThreadContext.Instance _ = CloseableThreadContext.put("rehearsal", "yes")) {
            return Rehearsal.run(tables, act, sessions, deltas, clock, LONGEST_JOIN_NS);
        } finally {
            delete(tables);
        }
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) return;
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
        }
    }
}
