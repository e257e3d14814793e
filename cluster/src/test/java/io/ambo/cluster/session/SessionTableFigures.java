package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.time.Clock;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** The table's figures in cluster/README.md: {@code mvn -pl cluster -am test -Dtest=SessionTableFigures -Dambo.figures=1000000}. */
@EnabledIfSystemProperty(named = "ambo.figures", matches = "\\d+")
class SessionTableFigures {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final int sessions = Integer.getInteger("ambo.figures", 1_000_000);
    private final SplittableRandom random = new SplittableRandom(1);
    private final SessionKey key = new SessionKey();
    private final SessionRecord session = Sessions.session(1, 100);
    private int largestSlice;

    @Test
    void print(@TempDir Path dir) throws Exception {
        try (SessionTable table = open(dir, "open, empty")) {
            time("insert", sessions, i -> table.insert(keyOf(i), session));
            assertThat(table.size()).isEqualTo(sessions);
            size(dir);
            time("update a random session", sessions,
                    i -> table.update(keyOf(random.nextInt(sessions)), (k, found) -> found.count(true, 1, 60)));
            time("update one of 1,000 sessions", sessions,
                    i -> table.update(keyOf(random.nextInt(1_000)), (k, found) -> found.count(true, 1, 60)));
            time("merge into a random session", sessions, i -> table.merge(keyOf(random.nextInt(sessions)), session.lastSeenMs(i)));
            time("remove and insert again", sessions, i -> {
                keyOf(random.nextInt(sessions));
                table.remove(key);
                table.insert(key, session);
            });
            time("sweep, for each session", sessions, i -> {
                if (i < table.slices())
                    largestSlice = Math.max(largestSlice, table.sweep(i, (k, found) -> found.has(SessionRecord.CLOSED)));
            });
            time("digest, for each session", sessions, i -> {
                if (i == 0) assertThat(Digest.of(table).count()).isEqualTo(sessions);
            });
            System.out.printf(Locale.ROOT, "slices %,d, the largest has %,d sessions%n", table.slices(), largestSlice);
        }
        open(dir, "open after a clean stop").close();
        Path state = dir.resolve("sessions.state");
        Files.writeString(state, Files.readString(state).replace("closed=true", "closed=false"));
        open(dir, "open with recovery").close();
    }

    private SessionTable open(Path dir, String what) {
        long begin = System.nanoTime();
        SessionTable table = ChronicleSessionTable.open(dir, sessions, Clock.SYSTEM);
        System.out.printf(Locale.ROOT, "%-30s %,10.0f ms%n", what, (System.nanoTime() - begin) / 1e6);
        return table;
    }

    private SessionKey keyOf(int number) {
        Sessions.setKey(key, number);
        return key;
    }

    private static void time(String what, int times, IntConsumer operation) {
        long begin = THREADS.getCurrentThreadCpuTime();
        for (int i = 0; i < times; i++) operation.accept(i);
        System.out.printf(Locale.ROOT, "%-30s %,10.0f ns of CPU time%n", what,
                (double) (THREADS.getCurrentThreadCpuTime() - begin) / times);
    }

    private void size(Path dir) throws IOException, InterruptedException {
        Path map = dir.resolve("sessions.map");
        Process du = new ProcessBuilder("du", "-B1", map.toString()).start();
        long onDisk = Long.parseLong(new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\t", 2)[0]);
        du.waitFor();
        long resident = 0;
        long dirty = 0;
        boolean ours = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (!line.startsWith("VmFlags") && line.matches("^[0-9a-f]+-.*")) ours = line.endsWith("sessions.map");
            long bytes = ours && line.endsWith(" kB") ? 1_024 * Long.parseLong(line.replaceAll("\\D", "")) : 0;
            if (line.startsWith("Rss:")) resident += bytes;
            if (line.startsWith("Shared_Dirty:") || line.startsWith("Private_Dirty:")) dirty += bytes;
        }
        System.out.printf(Locale.ROOT, "bytes for each session: %.1f written in memory, %.1f mapped, %.1f on disk%n",
                (double) dirty / sessions,
                (double) resident / sessions,
                (double) onDisk / sessions);
    }
}
