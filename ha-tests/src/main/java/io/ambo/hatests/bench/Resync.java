package io.ambo.hatests.bench;

import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.BarPlot;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator;
import io.ambo.proto.control.Event;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * A node joins while traffic runs: how long until it has all sessions of the other one. Beside it nftables with conntrackd (FT-FW, external cache disabled; the
 * joining node asks with {@code conntrackd -n}), on the same topology in the same run.
 */
final class Resync {
    private static final int ENTRIES = 3_000_000, SENDER_CPU = 0, FILL_MS = 2_000, LONGEST_FILL_S = 150, TRAFFIC_PER_SECOND = 2_000;
    private static final int LONGEST_MS = 60_000, QUIET_MS = 5_000;
    private static final int JOINS = 3;
    /** The traffic of all joins finds room: 13 s of it each. */
    private static final int ROOM_FOR_NEW = 100_000;

    /**
     * What a contender did.
     *
     * @param before  sessions of the node that was there
     * @param came    of these, on the one that joined
     * @param ms      the median of its joins: from its first sight of the other node (conntrackd: from its asking) to its last session; Ambo: until it takes traffic, with a table proven equal
     * @param spread  the shortest and the longest, when there was more than one
     * @param wire    bytes that it received for each session
     * @param table   bytes of memory that its table takes for each; 0: not known
     * @param sent    datagrams of new sessions through the other node meanwhile
     * @param lost    of these
     */
    private record Outcome(String name, long before, long came, long ms, String spread, double wire, double table, long sent, long lost) {
        /** This one, which stands for all of them. */
        Outcome among(List<Outcome> joins) {
            String times = String.format(Locale.ROOT, "%.2f to %.2f", joins.getFirst().ms / 1000.0, joins.getLast().ms / 1000.0);
            return new Outcome(name, before, came, ms, times, wire, table, joins.stream().mapToLong(Outcome::sent).sum(),
                    joins.stream().mapToLong(Outcome::lost).sum());
        }
    }

    private final int sessions;
    private final int fillRate;
    private final List<String> contenders;
    private final PrintStream progress;

    Resync(int sessions, int fillRate, List<String> contenders, PrintStream progress) {
        this.sessions = sessions;
        this.fillRate = fillRate;
        this.contenders = contenders;
        this.progress = progress;
    }

    /** @return the table, or the same as JSON */
    String run(Path directory, boolean json) {
        Map<String, Outcome> outcomes = new LinkedHashMap<>();
        try (ConntrackRoom _ = ConntrackRoom.forEntries(ENTRIES)) {
            if (contenders.contains("conntrackd")) outcomes.put("conntrackd", conntrackd());
            if (contenders.contains("ambo")) outcomes.put("ambo", ambo());
        }
        String text = Json.write(json(outcomes));
        Map<String, Map<String, Double>> bars = new LinkedHashMap<>();
        Map<String, Double> seconds = new LinkedHashMap<>();
        Map<String, Double> parts = new LinkedHashMap<>();
        outcomes.values().forEach(each -> {
            seconds.put(each.name, each.ms / 1000.0);
            parts.put(each.name, 10.0 * each.came / each.before);
        });
        bars.put("seconds", seconds);
        bars.put("tenths that came", parts);
        ResultFiles.write(directory, text, BarPlot.svg(sessions + " sessions to a joining node", bars));
        return json ? text : table(outcomes) + "\nplot and figures: " + directory + "\n";
    }

    private Outcome conntrackd() {
        String name = "nftables + conntrackd";
        try (Line line = Line.build(Policy.OPEN)) {
            line.forwardInKernel();
            for (LabNode node : List.of(line.a(), line.b())) {
                Filter.install(node.host());
                node.host().sysctl("net.netfilter.nf_conntrack_udp_timeout", "3600");
                node.host().sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", "3600");
            }
            ConntrackdHost.start(line.a(), line.b());
            try (Generator source = Generator.answering(line, SENDER_CPU)) {
                fill(name, source, () -> ConntrackdHost.entries(line.a().host()));
                Traffic traffic = new Traffic(source);
                ConntrackdHost.start(line.b(), line.a());
                Pause.ms(500);
                long before = ConntrackdHost.entries(line.a().host());
                long received = received(line.b());
                long beganNs = System.nanoTime();
                ConntrackdHost.requestResync(line.b());
                long came = 0;
                long lastMs = 0;
                for (long ms = 0; ms < LONGEST_MS && ms - lastMs < QUIET_MS; ms = (System.nanoTime() - beganNs) / 1_000_000) {
                    long now = ConntrackdHost.entries(line.b().host());
                    // New sessions keep coming: only what the resync brings counts as news.
                    if (now > came + TRAFFIC_PER_SECOND) {
                        came = now;
                        lastMs = ms;
                    }
                    Pause.ms(100);
                }
                long bytes = received(line.b()) - received;
                traffic.stop();
                return new Outcome(name, before, Math.min(before, came), lastMs, "", (double) bytes / Math.max(1, came), 0, traffic.sent,
                        traffic.lost());
            }
        }
    }

    private Outcome ambo() {
        Policy policy = Policy.OPEN.with("""
                limits: { sessions: %d, sessions-per-source: 0 }
                timeouts: { udp: { single: 1h, multiple: 1h } }
                datapath: { packet-memory: 256MiB }
                """.formatted(sessions + ROOM_FOR_NEW));
        try (Line line = Line.build(policy.withUsualRehearsal())) {
            line.a().start();
            line.a().awaitReady();
            try (Generator source = Generator.answering(line, SENDER_CPU)) {
                fill("Ambo", source, () -> line.a().status().getSessions());
                List<Outcome> joins = new ArrayList<>();
                for (int join = 1; join <= JOINS; join++) {
                    joins.add(join(line, source));
                    progress.printf(Locale.ROOT, "join %d of %d: %.2f s%n", join, JOINS, joins.getLast().ms / 1000.0);
                    if (join < JOINS) forget(line.b());
                }
                joins.sort(Comparator.comparingLong(Outcome::ms));
                return joins.get(JOINS / 2).among(joins);
            }
        }
    }

    private Outcome join(Line line, Generator source) {
        Traffic traffic = new Traffic(source);
        Pause.ms(500);
        long before = line.a().status().getSessions();
        long received = received(line.b());
        line.b().start();
        line.b().awaitMembers(2);
        long bytes = received(line.b()) - received;
        long came = line.b().status().getSessions();
        List<Event> events = line.b().control().events();
        traffic.stop();
        long beganMs = wallMs(events, "view", "");
        for (Event each : events)
            progress.printf(Locale.ROOT, "b: %7.3f s %s %s%n", (each.getWallMs() - beganMs) / 1000.0, each.getKind(), each.getText());
        double table = (double) residentBytes(line.b()) / came;
        return new Outcome("Ambo", before, Math.min(before, came), wallMs(events, "gate", "open: in sync") - beganMs, "",
                (double) bytes / came, table, traffic.sent, traffic.lost());
    }

    /** As a host that was away: it comes back with nothing. */
    private static void forget(LabNode node) {
        node.stop();
        try (Stream<Path> files = Files.walk(node.tableDirectory())) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
        } catch (IOException failed) {
            throw new LabException("cannot delete the table of " + node.name(), failed);
        }
    }

    private static long wallMs(List<Event> events, String kind, String text) {
        return events.stream().filter(each -> each.getKind().equals(kind) && each.getText().startsWith(text)).findFirst()
                .orElseThrow(() -> new LabException("b has told of no " + kind + " " + text + ": " + events)).getWallMs();
    }

    private void fill(String name, Generator source, java.util.function.LongSupplier count) {
        progress.println("filling " + name);
        long deadlineNs = System.nanoTime() + LONGEST_FILL_S * 1_000_000_000L;
        long has = 0;
        while (has < sessions) {
            if (System.nanoTime() > deadlineNs)
                throw new LabException(name + " has only " + has + " sessions after " + LONGEST_FILL_S + " s");
            source.openNew(false, Math.min(FILL_MS, Math.max(100, (sessions - has) * 1000L / fillRate)), fillRate);
            has = count.getAsLong();
        }
        progress.printf(Locale.ROOT, "%s has %,d sessions%n", name, has);
    }

    /** New sessions at a steady rate until it is stopped. */
    private static final class Traffic {
        private final Generator source;
        private final long receivedBefore;
        private final CompletableFuture<Void> done;
        private volatile boolean running = true;
        private long sent;

        Traffic(Generator source) {
            this.source = source;
            receivedBefore = source.received();
            done = CompletableFuture.runAsync(() -> {
                while (running) sent += source.openNew(false, 200, TRAFFIC_PER_SECOND);
            });
        }

        void stop() {
            running = false;
            done.join();
            Pause.ms(300);
        }

        long lost() { return sent - (source.received() - receivedBefore); }
    }

    private static long received(LabNode node) {
        return Long.parseLong(node.host().run("cat", "/sys/class/net/sync/statistics/rx_bytes").strip());
    }

    /** Of the table's file, what is in the process's memory. */
    private static long residentBytes(LabNode node) {
        try {
            long kib = 0;
            boolean ofTable = false;
            for (String line : Files.readAllLines(Path.of("/proc", Long.toString(node.pid()), "smaps"))) {
                if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) ofTable = line.contains("sessions.map");
                else if (ofTable && line.startsWith("Rss:")) kib += Long.parseLong(line.replaceAll("\\D", ""));
            }
            return kib * 1024;
        } catch (IOException failed) {
            throw new LabException("cannot read the memory map of " + node.name(), failed);
        }
    }

    private Map<String, Object> json(Map<String, Outcome> outcomes) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("sessions", sessions);
        outcomes.forEach((key, each) -> {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("sessions_before", each.before);
            one.put("sessions_came", each.came);
            one.put("ms", each.ms);
            if (!each.spread.isEmpty()) one.put("seconds_shortest_to_longest", each.spread);
            one.put("wire_bytes_per_session", each.wire);
            one.put("table_bytes_per_session", each.table);
            one.put("new_sessions_meanwhile", each.sent);
            one.put("of_these_lost", each.lost);
            json.put(key, one);
        });
        return json;
    }

    private static String table(Map<String, Outcome> outcomes) {
        StringBuilder table = new StringBuilder(
                String.format(Locale.ROOT, "%-20s %10s %10s %8s %13s %12s %13s %15s%n", "a node joins", "sessions", "came", "seconds",
                        "of its joins", "B/s. on wire", "B/s. in table", "new ones lost"));
        for (Outcome each : outcomes.values())
            table.append(String.format(Locale.ROOT, "%-20s %,10d %,10d %8.2f %13s %12.1f %13s %15s%n", each.name, each.before, each.came,
                    each.ms / 1000.0, each.spread.isEmpty() ? "1" : each.spread, each.wire,
                    each.table == 0 ? "-" : String.format(Locale.ROOT, "%.1f", each.table), each.lost + " of " + each.sent));
        return table.toString();
    }
}
