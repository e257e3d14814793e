package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.traffic.Flood;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Packets per second through Java alone, beside the kernel's forwarding with nftables and conntrack: the same network twice, by turns, in one run. Ambo's JVM
 * stands still while the kernel has its turn.
 */
final class SlowPath {
    private static final int WARM_UP_MS = 5_000;

    private final int flows;
    private final int rounds;
    private final int roundMs;
    private final PrintStream progress;

    SlowPath(int flows, int rounds, int roundMs, PrintStream progress) {
        this.flows = flows;
        this.rounds = rounds;
        this.roundMs = roundMs;
        this.progress = progress;
    }

    /** The rounds of one contender. */
    private record Contender(String name, List<Flood.Round> rounds) {
        double median() {
            double[] sorted = rounds.stream().mapToDouble(Flood.Round::receivedPerSecond).sorted().toArray();
            return sorted[sorted.length / 2];
        }

        double best() { return rounds.stream().mapToDouble(Flood.Round::receivedPerSecond).max().orElse(0); }

        double sent() { return rounds.stream().mapToDouble(Flood.Round::sentPerSecond).average().orElse(0); }
    }

    /** @return the table, or the same as JSON */
    String run(boolean json) {
        Contender java = new Contender("Ambo, Java alone (AF_XDP)", new ArrayList<>());
        Contender kernel = new Contender("kernel, nftables and conntrack", new ArrayList<>());
        progress.println("building the network twice, starting node a in one of them");
        try (Lab ofJava = Lab.build(Policy.OPEN.with("limits:\n  sessions-per-source: 0\ndatapath:\n  fast-path: false\n"));
                Lab ofKernel = Lab.build(Policy.OPEN)) {
            ofJava.symmetric(ofJava.a());
            ofJava.a().start();
            ofJava.a().awaitReady();
            ofKernel.symmetric(ofKernel.a());
            ofKernel.forwardInKernel(true);
            Filter.install(ofKernel.a().host());
            try (Flood intoJava = new Flood(ofJava, flows); Flood intoKernel = new Flood(ofKernel, flows)) {
                progress.println("warming up");
                show("warm-up", java.name(), intoJava.run(WARM_UP_MS));
                show("warm-up", kernel.name(), intoKernel.run(1_000));
                for (int round = 1; round <= rounds; round++) {
                    java.rounds().add(show("round " + round, java.name(), intoJava.run(roundMs)));
                    ofJava.a().pause();
                    kernel.rounds().add(show("round " + round, kernel.name(), intoKernel.run(roundMs)));
                    ofJava.a().resume();
                }
            }
        }
        return json ? json(List.of(java, kernel)) : table(List.of(java, kernel), kernel.median());
    }

    private Flood.Round show(String which, String who, Flood.Round round) {
        progress.printf(Locale.ROOT, "%-9s %-32s sent %,11.0f/s  received %,11.0f/s%n", which, who, round.sentPerSecond(),
                round.receivedPerSecond());
        return round;
    }

    private String table(List<Contender> contenders, double reference) {
        StringBuilder table = new StringBuilder();
        table.append(String.format(Locale.ROOT,
                "slow-path: UDP, %d-byte frames, %,d flows, median of %d rounds of %d ms, by turns; %d CPUs, Linux %s%n",
                Flood.FRAME_BYTES, flows, rounds, roundMs, Runtime.getRuntime().availableProcessors(), System.getProperty("os.version")));
        table.append(String.format("%-34s %14s %14s %14s %8s%n", "", "packets/s", "best round", "offered/s", "ratio"));
        for (Contender contender : contenders)
            table.append(String.format(Locale.ROOT, "%-34s %,14.0f %,14.0f %,14.0f %8.2f%n", contender.name(), contender.median(),
                    contender.best(),
                    contender.sent(), contender.median() / reference));
        return table.append("The sender has one CPU; the kernel forwards on that same CPU, Java on another.\n").toString();
    }

    private String json(List<Contender> contenders) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bench", "slow-path");
        json.put("frameBytes", Flood.FRAME_BYTES);
        json.put("flows", flows);
        json.put("roundMs", roundMs);
        json.put("cpus", Runtime.getRuntime().availableProcessors());
        json.put("kernel", System.getProperty("os.version"));
        json.put("contenders", contenders.stream().map(SlowPath::describe).toList());
        return Json.write(json);
    }

    private static Map<String, Object> describe(Contender contender) {
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("name", contender.name());
        described.put("packetsPerSecond", contender.median());
        described.put("best", contender.best());
        described.put("offeredPerSecond", contender.sent());
        described.put("rounds", contender.rounds().stream().map(Flood.Round::receivedPerSecond).toList());
        return described;
    }
}
