package io.ambo.hatests.bench;

import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.BarPlot;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * New sessions per second of a synchronised pair, begun by TCP handshakes (RFC 3511, 5.3) and by datagrams: nftables with conntrackd (FT-FW, external cache disabled: entries go straight into the peer's kernel), and
 * Ambo. Both on the same topology in one run, by turns, the rate rising; counted is what came through, and what the peer had a second after.
 */
final class Setup {
    private static final int STEP_MS = 3_000, SETTLE_MS = 1_000, SENDER_CPU = 0, WORKER_CPU = 1, LEAST = 3;
    /** Both have had this much to do before anything counts: a JVM compiles what is used. */
    private static final int WARM_UP_RATE = 20_000;
    /** A contender that fails at this many rates in a row has had its turn. */
    private static final int FAILURES = 2;
    private static final long LONGEST_REST_NS = 20_000_000_000L;
    private static final String CONNTRACKD = "nftables + conntrackd", AMBO = "Ambo";

    /** Of the rate that is offered, what must be reached for a higher one to make sense. */
    private static final double ENOUGH = 0.8;

    /** How a session begins: a handshake of three packets, or one datagram. */
    private enum Kind {
        TCP, UDP
    }

    /**
     * One rate. On a machine whose processors the pair needs for itself the sender gets what they leave it: then fewer are reached than offered.
     *
     * @param offered sessions per second that were asked for
     * @param reached sessions per second that were opened
     * @param lost    handshakes that were not completed, datagrams that did not come through
     * @param missing sessions that the peer did not have
     */
    private record Step(Kind kind, int offered, int reached, long sent, long lost, long missing) {
        boolean isWhole() { return lost == 0 && missing == 0; }

        boolean mayRise() { return isWhole() && reached >= ENOUGH * offered; }
    }

    private abstract static class Contender implements AutoCloseable {
        final String name;
        final Line line;
        final Generator counter;
        int failures;

        Contender(String name, Line line) {
            this.name = name;
            this.line = line;
            counter = Generator.answering(line, SENDER_CPU);
        }

        long open(Kind kind, long durationMs, int perSecond) { return counter.openNew(kind == Kind.TCP, durationMs, perSecond); }

        /** Sessions that the peer has. */
        abstract long onPeer();

        void beginStep() {}

        /** The other's turn begins: what is left over from this one's must not burden it. */
        void rest() {}

        void wake() {}

        /** What both nodes counted since the step began, as far as it explains a loss; may be empty. */
        String sinceStepBegan() {
            return "";
        }

        @Override
        public void close() {
            counter.close();
            line.close();
        }
    }

    private static final class Conntrackd extends Contender {
        Conntrackd(Line line) {
            super(CONNTRACKD, line);
            line.forwardInKernel();
            for (LabNode node : List.of(line.a(), line.b())) {
                Filter.install(node.host());
                node.host().sysctl("net.netfilter.nf_conntrack_udp_timeout", "3600");
                node.host().sysctl("net.netfilter.nf_conntrack_udp_timeout_stream", "3600");
            }
            ConntrackdHost.start(line.a(), line.b());
            ConntrackdHost.start(line.b(), line.a());
        }

        /** It works off what it could not do in time, at most so long; then it stands still. It would go before everything else, being a real-time process. */
        @Override
        void rest() {
            long deadlineNs = System.nanoTime() + LONGEST_REST_NS;
            for (long before = -1, now = onPeer(); before != now && System.nanoTime() < deadlineNs; now = onPeer()) {
                before = now;
                Pause.ms(SETTLE_MS);
            }
            signal("STOP");
        }

        @Override
        void wake() { signal("CONT"); }

        private void signal(String signal) { for (LabNode node : List.of(line.a(), line.b())) node.host().signal("conntrackd", signal); }

        @Override
        public void close() {
            signal("CONT");
            super.close();
        }

        @Override
        long onPeer() { return ConntrackdHost.entries(line.b().host()); }
    }

    private static final class Ambo extends Contender {
        private final Map<LabNode, Map<String, Long>> counted = new HashMap<>();

        Ambo(Line line) {
            super(AMBO, line);
            for (LabNode node : List.of(line.a(), line.b())) node.start();
            for (LabNode node : List.of(line.a(), line.b())) node.awaitMembers(2);
        }

        @Override
        long onPeer() { return line.b().status().getSessions(); }

        @Override
        void beginStep() { for (LabNode node : List.of(line.a(), line.b())) counted.put(node, node.control().counters()); }

        @Override
        String sinceStepBegan() { return since(line.a()) + since(line.b()); }

        private String since(LabNode node) {
            Map<String, Long> now = node.control().counters();
            Map<String, Long> before = counted.getOrDefault(node, Map.of());
            StringBuilder text = new StringBuilder();
            new TreeMap<>(now).forEach((name, value) -> {
                long more = value - before.getOrDefault(name, 0L);
                if (more != 0) text.append(' ').append(name).append('=').append(more);
            });
            return "\n    " + node.name() + ":" + text;
        }
    }

    private final List<Integer> rates;
    private final List<String> chosen;
    private final List<Kind> kinds;
    private final int warmUpMs;
    private final PrintStream progress;
    private final Map<String, List<Step>> outcomes = new LinkedHashMap<>();

    /**
     * @param rates      new sessions per second to try, rising
     * @param contenders conntrackd, ambo, or both
     * @param kinds      tcp, udp, or both
     * @param warmUpMs   of each contender and kind
     */
    Setup(List<Integer> rates, List<String> contenders, List<String> kinds, int warmUpMs, PrintStream progress) {
        this.rates = rates;
        this.warmUpMs = warmUpMs;
        for (String each : contenders)
            if (!each.equals("conntrackd") && !each.equals("ambo"))
                throw new IllegalArgumentException("no contender " + each + "; there are conntrackd and ambo");
        for (String each : kinds)
            if (!each.equals("tcp") && !each.equals("udp"))
                throw new IllegalArgumentException("no kind " + each + "; there are tcp and udp");
        chosen = List.copyOf(contenders);
        this.kinds = kinds.stream().map(each -> Kind.valueOf(each.toUpperCase(Locale.ROOT))).toList();
        this.progress = progress;
    }

    /** @return the table, or the same as JSON */
    String run(Path directory, boolean json) {
        int entries = entries();
        Policy policy = Policy.OPEN.with("""
                limits: { sessions: %d, sessions-per-source: 0 }
                timeouts: { udp: { single: 1h, multiple: 1h }, tcp: { opening: 5m } }
                datapath: { packet-memory: 256MiB, cpus: [%d] }
                """.formatted(entries, WORKER_CPU));
        try (ConntrackRoom _ = ConntrackRoom.forEntries(entries)) {
            for (Kind kind : kinds) {
                progress.println(kind + ": building the pairs");
                compare(kind, policy);
            }
        }
        return report(directory, json);
    }

    /** Room for all that is begun, since none ends before its pair does: a full table must not decide. */
    private int entries() {
        long begun = (long) WARM_UP_RATE * warmUpMs / 1_000;
        for (int rate : rates) begun += (long) rate * STEP_MS / 1_000;
        return Math.toIntExact(begun + begun / 20);
    }

    /** With pairs of its own: what is left over from an overload by sessions of the other kind (handshakes that time out, a daemon that catches up) must not be counted here. */
    private void compare(Kind kind, Policy policy) {
        List<Contender> contenders = new ArrayList<>();
        try {
            if (chosen.contains("conntrackd")) contenders.add(new Conntrackd(Line.build(policy)));
            if (chosen.contains("ambo")) contenders.add(new Ambo(Line.build(policy.withLargePages())));
            for (Contender each : contenders) {
                progress.println(kind + ": warming up " + each.name);
                each.wake();
                each.open(kind, warmUpMs, WARM_UP_RATE);
                each.rest();
            }
            for (int rate : rates) for (Contender each : contenders) if (each.failures < FAILURES) step(kind, each, rate);
        } finally {
            contenders.forEach(Contender::close);
        }
    }

    private void step(Kind kind, Contender contender, int rate) {
        contender.wake();
        Pause.ms(SETTLE_MS);
        contender.beginStep();
        long peerBefore = contender.onPeer();
        long receivedBefore = contender.counter.received();
        long beganNs = System.nanoTime();
        long sent = contender.open(kind, STEP_MS, rate);
        int reached = (int) (sent * 1_000_000_000L / (System.nanoTime() - beganNs));
        Pause.ms(SETTLE_MS);
        Step step = new Step(kind, rate, Math.min(rate, reached), sent, sent - (contender.counter.received() - receivedBefore),
                sent - (contender.onPeer() - peerBefore));
        outcomes.computeIfAbsent(contender.name, _ -> new ArrayList<>()).add(step);
        contender.rest();
        contender.failures = step.mayRise() ? 0 : contender.failures + 1;
        progress.printf(Locale.ROOT, "%s %-22s offered %,8d/s, reached %,8d/s: %,d not through, %,d missing on the peer%s%n", kind,
                contender.name, rate, step.reached, step.lost, step.missing, step.isWhole() ? "" : contender.sinceStepBegan());
    }

    private long best(String contender, Kind kind) {
        return outcomes.getOrDefault(contender, List.of()).stream().filter(step -> step.kind == kind && step.isWhole())
                .mapToInt(Step::reached).max().orElse(0);
    }

    private String report(Path directory, boolean json) {
        String text = Json.write(json());
        Map<String, Map<String, Double>> bars = new LinkedHashMap<>();
        for (Kind kind : kinds) {
            Map<String, Double> best = new LinkedHashMap<>();
            for (String each : outcomes.keySet()) best.put(each, best(each, kind) / 1000.0);
            bars.put(kind + ", without loss", best);
        }
        ResultFiles.write(directory, text, BarPlot.svg("New replicated sessions, thousands per second", bars));
        return json ? text : table() + "\nplot and figures: " + directory + "\n";
    }

    private String table() {
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT,
                "setup: new sessions per second of a pair, %d s at each rate; missing: on the peer, %d ms after; Linux %s%n",
                STEP_MS / 1000,
                SETTLE_MS, System.getProperty("os.version")));
        table.append(String.format("%-4s %-23s %9s %9s %10s %11s %9s%n", "", "", "offered/s", "reached/s", "sessions", "lost", "missing"));
        outcomes.forEach((name, steps) -> {
            for (Step step : steps)
                table.append(String.format(Locale.ROOT, "%-4s %-23s %,9d %,9d %,10d %,11d %,9d%n", step.kind, name, step.offered,
                        step.reached, step.sent, step.lost, step.missing));
        });
        return table.append('\n').append(verdict()).append('\n').toString();
    }

    private String verdict() {
        if (chosen.size() < 2) return "no comparison: one contender only";
        StringBuilder verdict = new StringBuilder();
        for (Kind kind : kinds) {
            long theirs = best(CONNTRACKD, kind);
            long ours = best(AMBO, kind);
            if (!verdict.isEmpty()) verdict.append('\n');
            verdict.append(String.format(Locale.ROOT,
                    "%s, promised: at least %d x the highest rate of conntrackd without loss; found: %,d/s beside %,d/s: %s", kind, LEAST,
                    ours, theirs, theirs == 0
                            ? "no comparison, theirs failed at the lowest rate"
                            : ours >= LEAST * theirs ? "reached" : "NOT REACHED"));
        }
        return verdict.toString();
    }

    private Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bench", "setup");
        json.put("kernel", System.getProperty("os.version"));
        outcomes.forEach((name, steps) -> {
            List<Object> each = new ArrayList<>();
            for (Step step : steps)
                each.add(Map.of("kind", step.kind.name(), "offered", step.offered, "reached", step.reached, "sent", step.sent,
                        "notThrough", step.lost, "missing",
                        step.missing));
            json.put(name, each);
        });
        json.put("verdict", verdict());
        return json;
    }
}
