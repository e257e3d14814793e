package io.ambo.hatests.drill;

import io.ambo.cluster.cli.AmboCli;
import io.ambo.hatests.lab.Command;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Are the tables of all nodes equal? Asked as an operator does: {@code ambo verify}. And what drills about the sync link have in common besides. */
final class Tables {
    private static final Pattern USED = Pattern.compile("ZHeap\\s+used (\\d+)M");

    private Tables() {}

    /** Records how long it took, and a check that it was in time. */
    static void checkEqual(DrillRun run, LabNode asked, String when, long limitMs) {
        long beganNs = System.nanoTime();
        String answer;
        long tookMs;
        boolean equal;
        do {
            answer = verify(asked);
            tookMs = (System.nanoTime() - beganNs) / 1_000_000;
            equal = answer.startsWith("equal:");
        } while (!equal && tookMs < limitMs);
        run.figure("until ambo verify says equal, " + when, tookMs, "ms");
        run.check("ambo verify says equal " + when + ", within " + limitMs + " ms", equal && tookMs <= limitMs,
                answer.lines().limit(4).toList().toString());
    }

    /** What {@code ambo verify} says now; it begins with "equal:" when the tables of all members are, and all have answered. */
    static String verify(LabNode asked) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = AmboCli.run(List.of("verify", "--quiet", "--settle", "200", "--socket", asked.controlSocket().toString()),
                Map.of("COLUMNS", "200"), new PrintWriter(out), new PrintWriter(err));
        String said = out.toString() + err;
        return exitCode == 0 ? said.strip() : "ended with " + exitCode + ": " + said.strip();
    }

    /** Heap that is in use after a collection of everything. */
    static long heapKib(LabNode node) {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        String pid = Long.toString(node.pid());
        Command.run(jcmd, pid, "GC.run");
        Command.Outcome heap = Command.attempt(Duration.ofSeconds(20), jcmd, pid, "GC.heap_info");
        Matcher used = USED.matcher(heap.output());
        if (!used.find()) throw new LabException("jcmd says nothing of a heap: " + heap.output());
        return Long.parseLong(used.group(1)) * 1024;
    }

    static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            throw new LabException("interrupted", interrupted);
        }
    }
}
