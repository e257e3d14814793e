package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.BarPlot;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Flood;
import io.ambo.hatests.traffic.Requests;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a pair does compared with one node, in both modes. Each pass starts one node, a pair in sync mode and a pair in redirect mode, one after the other; a factor of 2
 * would be two nodes that do not know of each other, on twice the processors.
 */
final class ClusterFactor {
    private static final int PORT = 7100, AT_ONCE = 4, WARM_UP = 10_000, CONNECTIONS = 4_000, FLOWS = 1_000, FLOOD_MS = 3_000,
            FLOOD_WARM_UP_MS = 1_500;
    private static final String POLICY = "limits: { sessions-per-source: 0 }\n";

    /** Who forwards. */
    private enum Contender {
        ONE("one node", 1, "sync"), SYNC("pair, sync mode", 2, "sync"), REDIRECT("pair, redirect mode", 2, "redirect");

        final String title;
        final int nodes;
        final String mode;

        Contender(String title, int nodes, String mode) {
            this.title = title;
            this.nodes = nodes;
            this.mode = mode;
        }
    }

    /** What is measured. */
    private enum Load {
        CONNECTIONS_WHOLE("connections/s, each through one node"), CONNECTIONS_CROSSED(
                "connections/s, out through one, back through another"), PACKETS_STICKY(
                        "packets/s, each flow through one node"), PACKETS_DEALT("packets/s, each flow through both nodes");

        final String title;

        Load(String title) { this.title = title; }

        boolean isConnections() { return this == CONNECTIONS_WHOLE || this == CONNECTIONS_CROSSED; }
    }

    private final int passes;
    private final PrintStream progress;
    private final Map<Load, Map<Contender, List<Double>>> rates = new LinkedHashMap<>();
    private final Map<Contender, Long> failures = new LinkedHashMap<>();
    private int servers;

    ClusterFactor(int passes, PrintStream progress) {
        this.passes = passes;
        this.progress = progress;
        for (Load load : Load.values()) {
            Map<Contender, List<Double>> each = new LinkedHashMap<>();
            for (Contender contender : Contender.values()) each.put(contender, new ArrayList<>());
            rates.put(load, each);
        }
    }

    /** @return the table, or the same as JSON */
    String run(Path directory, boolean json) {
        for (int pass = 1; pass <= passes; pass++) {
            for (Contender contender : Contender.values()) {
                progress.println("pass " + pass + " of " + passes + ": " + contender.title);
                measure(contender);
            }
        }
        String text = Json.write(json());
        Map<String, Map<String, Double>> bars = new LinkedHashMap<>();
        for (Load load : Load.values()) {
            Map<String, Double> each = new LinkedHashMap<>();
            for (Contender contender : Contender.values()) each.put(contender.title, factor(load, contender));
            bars.put(load.title, each);
        }
        ResultFiles.write(directory, text, BarPlot.svg("a pair beside one node", bars));
        return json ? text : table() + "\nplot and figures: " + directory + "\n";
    }

    private void measure(Contender contender) {
        try (Lab lab = Lab.build(Policy.OPEN.with(POLICY), new Lab.Shape(2, contender.mode))) {
            List<LabNode> nodes = lab.nodes().subList(0, contender.nodes);
            nodes.forEach(LabNode::start);
            for (LabNode node : nodes) {
                if (contender.nodes == 1) node.awaitReady();
                else
                    node.awaitMembers(contender.nodes);
            }
            connections(lab, contender, nodes, false, WARM_UP);
            add(Load.CONNECTIONS_WHOLE, contender, connections(lab, contender, nodes, false, CONNECTIONS));
            // One node has no other way back: the same load again, so that a factor has something to stand on.
            connections(lab, contender, nodes, true, WARM_UP / 2);
            add(Load.CONNECTIONS_CROSSED, contender, connections(lab, contender, nodes, true, CONNECTIONS));
            add(Load.PACKETS_STICKY, contender, packets(lab, nodes, true));
            add(Load.PACKETS_DEALT, contender, packets(lab, nodes, false));
        }
    }

    private void add(Load load, Contender contender, double perSecond) {
        progress.printf(Locale.ROOT, "  %-54s %,12.0f%n", load.title, perSecond);
        rates.getOrDefault(load, Map.of()).getOrDefault(contender, new ArrayList<>()).add(perSecond);
    }

    /** Each connection through one node, by turns; or all of them out through the first and back through the last. */
    private double connections(Lab lab, Contender contender, List<LabNode> nodes, boolean crossed, int count) {
        int port = PORT + servers++ % 100;
        InetSocketAddress server = new InetSocketAddress(Addresses.of(Addresses.SERVER), port);
        int parts = crossed ? 1 : nodes.size();
        double seconds = 0;
        int done = 0;
        try (EchoServer _ = new EchoServer(lab.server(), port)) {
            for (int part = 0; part < parts; part++) {
                if (crossed) {
                    lab.clientVia(nodes.getFirst());
                    lab.serverVia(nodes.getLast());
                } else {
                    lab.symmetric(nodes.get(part));
                }
                long beganNs = System.nanoTime();
                Requests.Outcome outcome = Requests.tcp(lab.client(), server, count / parts, AT_ONCE);
                seconds += (System.nanoTime() - beganNs) / 1e9;
                done += outcome.done();
                failures.merge(contender, (long) outcome.failures().size(), Long::sum);
            }
        }
        return done / seconds;
    }

    private static double packets(Lab lab, List<LabNode> nodes, boolean sticky) {
        lab.symmetric(nodes.getFirst());
        try (Flood flood = new Flood(lab, nodes, FLOWS, sticky)) {
            flood.run(FLOOD_WARM_UP_MS);
            return flood.run(FLOOD_MS).receivedPerSecond();
        }
    }

    private double median(Load load, Contender contender) {
        return Spread.median(rates.getOrDefault(load, Map.of()).getOrDefault(contender, List.of(0.0)));
    }

    private double factor(Load load, Contender contender) { return median(load, contender) / median(load, Contender.ONE); }

    private String table() {
        StringBuilder table = new StringBuilder(
                String.format(Locale.ROOT, "medians of %d passes; %d processors for nodes, client and server%n",
                        passes, Runtime.getRuntime().availableProcessors()));
        table.append(String.format("%-53s %11s %17s %17s%n", "", "one node", "pair, sync", "pair, redirect"));
        for (Load load : Load.values())
            table.append(
                    String.format(Locale.ROOT, "%-53s %,11.0f %,10.0f x %4.2f %,10.0f x %4.2f%n", load.title, median(load, Contender.ONE),
                            median(load, Contender.SYNC), factor(load, Contender.SYNC), median(load, Contender.REDIRECT),
                            factor(load, Contender.REDIRECT)));
        failures.forEach((contender, failed) -> {
            if (failed > 0) table.append(contender.title).append(": ").append(failed).append(" connections failed\n");
        });
        return table.append("One node takes both loads of a pair alone, on the same processors.\n").toString();
    }

    private Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bench", "cluster-factor");
        json.put("cpus", Runtime.getRuntime().availableProcessors());
        json.put("kernel", System.getProperty("os.version"));
        json.put("passes", passes);
        List<Map<String, Object>> loads = new ArrayList<>();
        for (Load load : Load.values()) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("load", load.title);
            each.put("unit", load.isConnections() ? "connections per second" : "packets per second");
            for (Contender contender : Contender.values()) {
                Map<String, Object> what = new LinkedHashMap<>();
                what.put("median", median(load, contender));
                what.put("factor", factor(load, contender));
                what.put("passes", rates.getOrDefault(load, Map.of()).getOrDefault(contender, List.of()));
                each.put(contender.title, what);
            }
            loads.add(each);
        }
        json.put("loads", loads);
        Map<String, Object> failed = new LinkedHashMap<>();
        failures.forEach((contender, count) -> failed.put(contender.title, count));
        json.put("failedConnections", failed);
        return json;
    }
}
