package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.Seed;
import io.ambo.cluster.time.Clock;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** kill -9, again and again, at work and during the recovery itself. */
class SessionTableCrashTest {
    private static final int KILLS = 4;

    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void aKilledNodeFindsEverythingItHadAcknowledged(@TempDir Path dir) throws Exception {
        SplittableRandom random = Seed.random("SessionTableCrashTest");
        int acknowledged = 0;
        for (int kill = 0; kill < KILLS; kill++) {
            if (kill > 0) killWhileItOpens(dir, acknowledged, random);
            acknowledged = killAtWork(dir, acknowledged + 1, random);
            assertIntact(dir, acknowledged, kill);
        }
    }

    private static int killAtWork(Path dir, int first, SplittableRandom random) throws Exception {
        Process process = start(dir, first);
        int last = first - 1;
        try (BufferedReader acknowledgements = process.inputReader()) {
            int wanted = first + random.nextInt(15_000, 60_000);
            String line;
            while (last < wanted && (line = acknowledgements.readLine()) != null) last = Integer.parseInt(line);
            process.destroyForcibly().waitFor();
        }
        assertThat(last).as("the process worked; its errors: %s", Files.readString(errors(dir))).isGreaterThanOrEqualTo(first);
        return last;
    }

    /** At some moment of start, recovery or the first operations. What it does to the sessions is not acknowledged, and only adds. */
    private static void killWhileItOpens(Path dir, int acknowledged, SplittableRandom random) throws Exception {
        Process process = start(dir, acknowledged + 1);
        process.waitFor(random.nextInt(300, 1_500), TimeUnit.MILLISECONDS);
        process.destroyForcibly().waitFor();
    }

    private static void assertIntact(Path dir, int acknowledged, int kill) throws IOException {
        SessionRecord out = new SessionRecord();
        try (var files = Files.list(dir)) {
            assertThat(files.filter(file -> file.toString().contains("unreadable"))).isEmpty();
        }
        try (SessionTable table = ChronicleSessionTable.open(dir, HammeringProcess.CAPACITY, Clock.SYSTEM)) {
            for (int number = 0; number < Math.min(HammeringProcess.KEPT, acknowledged); number++) {
                assertThat(table.read(Sessions.key(number), out)).as("session %d after kill %d", number, kill).isTrue();
                assertThat(out.rule()).as("session %d after kill %d", number, kill).isGreaterThanOrEqualTo(lastOf(number, acknowledged));
            }
            for (int number = HammeringProcess.KEPT; number < HammeringProcess.KEPT + HammeringProcess.CHURNED; number++) {
                boolean was = table.remove(Sessions.key(number));
                assertThat(table.insert(Sessions.key(number), out)).as("session %d, there before: %s", number, was)
                        .isEqualTo(SessionTable.Insert.INSERTED);
            }
            long seen = 0;
            for (int slice = 0; slice < table.slices(); slice++) seen += table.sweep(slice, (key, session) -> false);
            assertThat(table.size()).isEqualTo(seen);
        }
        // Closed well, the table would need no recovery; the next process is to find it as a kill leaves it.
        Path state = dir.resolve("sessions.state");
        Files.writeString(state, Files.readString(state).replace("closed=true", "closed=false"));
    }

    /** The last acknowledged operation on a session. */
    private static int lastOf(int number, int acknowledged) {
        return acknowledged - Math.floorMod(acknowledged - number, HammeringProcess.KEPT);
    }

    private static Process start(Path dir, int first) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (option.startsWith("--") || option.startsWith("-Dchronicle")) command.add(option);
        }
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-cp", classPath, HammeringProcess.class.getName(), dir.toString(), Integer.toString(first)));
        return new ProcessBuilder(command).redirectError(errors(dir).toFile()).start();
    }

    private static Path errors(Path dir) { return dir.resolve("stderr"); }
}
