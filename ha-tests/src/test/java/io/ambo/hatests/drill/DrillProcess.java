package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Drills in a process and a network namespace of its own, as the launcher starts it. */
final class DrillProcess {
    private static final long LIMIT_MINUTES = 6;

    private DrillProcess() {}

    record Outcome(int status, String output) {}

    static Outcome run(String... drills) {
        String home = System.getProperty("ambo.home");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> words = new ArrayList<>(
                List.of("unshare", "--net", "--", "bash", "-c", "ip link set lo up && exec \"$@\"", "drill", java));
        words.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx1g", "-Dambo.home=" + home));
        words.addAll(List.of("-cp", home + "/ha-tests/target/classes:" + home + "/ha-tests/target/lib/*", "io.ambo.hatests.HaTests",
                "drill"));
        words.addAll(List.of(drills));
        try {
            Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
            process.getOutputStream().close();
            Thread killer = Thread.startVirtualThread(() -> endAfterLimit(process));
            StringBuilder output = new StringBuilder();
            try (BufferedReader lines = new BufferedReader(process.inputReader(StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    // The launcher shows these lines to whoever waits.
                    System.out.println(line);
                    output.append(line).append('\n');
                }
            }
            int status = process.waitFor();
            killer.interrupt();
            return new Outcome(status, output.toString());
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", interrupted);
        }
    }

    private static void endAfterLimit(Process process) {
        try {
            if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) process.destroy();
        } catch (InterruptedException ended) {
            // It ended in time.
        }
    }

    /** Labs of processes that are gone. */
    static List<String> leftovers() { return Lab.abandoned(); }
}
