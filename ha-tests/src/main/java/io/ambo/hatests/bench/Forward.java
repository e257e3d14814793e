package io.ambo.hatests.bench;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.report.BarPlot;
import io.ambo.hatests.report.Json;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator;
import io.ambo.hatests.traffic.Generator.Load;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What established flows cost: a bare XDP redirect, the kernel's forwarding, nftables and conntrack without and with DNAT, Ambo alone and with a peer. Each has
 * the same line of client, forwarder and server; all are there at once and take turns, in both directions.
 *
 * <p>Source, forwarder and sink share one processor: what the forwarder does is all that differs, and nothing is lost between two. The JVMs have another.
 */
final class Forward {
    /** One kind of traffic, and the least ratios that are promised: to nftables and conntrack, and to the bare redirect. 0: none. */
    record Case(String name, Load load, double least, double leastOfBare) {}

    static final List<Case> CASES = List.of(new Case("udp-1000", Load.udp(1_000), 3.5, 0.7), new Case("udp-50000", Load.udp(50_000), 3, 0),
            new Case("udp-1000000", Load.udp(1_000_000), 2, 0), new Case("tcp-1000", Load.tcp(1_000), 3.5, 0.7),
            new Case("tcp-50000", Load.tcp(50_000), 3, 0), new Case("tcp-1000000", Load.tcp(1_000_000), 2, 0),
            new Case("tcp-1500-bytes", Load.tcpData(1_000), 0, 0));

    private static final String SOURCE = "source alone", BARE = "XDP redirect (limit)", KERNEL = "kernel forwarding",
            NFT = "nftables + conntrack",
            DNAT = "nftables + conntrack, DNAT", ALONE = "Ambo alone", PAIR = "Ambo with a peer";
    private static final String VIRTUAL = "10.10.2.200";
    private static final String TRANSLATION = """
            chain prerouting {
                type nat hook prerouting priority -100;
                ip daddr %s dnat to %s
            }
            """.formatted(VIRTUAL, Addresses.SERVER);
    private static final int OPEN_PER_SECOND = 30_000, OPEN_BURST = 1_000, SETTLE_MS = 500, WARM_UP_FLOWS = 50_000,
            WARM_UP_PER_SECOND = 6_000, PASSES_OF_HANDSHAKES = 4, PROBE = 200_000, SMALLEST_ROUND = 200_000, OPENING_PASSES = 30,
            SOURCE_CPU = 0;
    private static final String JVM_CPU = "1";

    /** One forwarder, its line, and what it did: packets per second of each round, by direction. */
    private static final class Contender implements AutoCloseable {
        final String name;
        final Line line;
        final Generator generator;
        final List<Double> forward = new ArrayList<>();
        final List<Double> reverse = new ArrayList<>();
        long lost;

        Contender(String name, Line line) {
            this.name = name;
            this.line = line;
            generator = new Generator(line.client(), "eth0", line.server(), "eth0", line.a().host().macOf("left"),
                    line.a().host().macOf("right"), SOURCE_CPU);
        }

        boolean isAmbo() { return name.equals(ALONE) || name.equals(PAIR); }

        List<Double> both() {
            List<Double> all = new ArrayList<>(forward);
            all.addAll(reverse);
            return all;
        }

        @Override
        public void close() {
            generator.close();
            line.close();
        }
    }

    /** The figures of one contender in one case. */
    private record Figures(String contender, double forward, double reverse, double median, double lowest, double highest,
            double nanoseconds,
            long lost) {}

    private record Outcome(Case of, double source, List<Figures> figures) {
        double median(String contender) {
            return figures.stream().filter(each -> each.contender.equals(contender)).findFirst().orElseThrow().median;
        }
    }

    private final List<Case> cases;
    private final int rounds;
    private final int roundMs;
    private final PrintStream progress;
    private final List<Contender> contenders = new ArrayList<>();

    Forward(List<Case> cases, int rounds, int roundMs, PrintStream progress) {
        this.cases = cases;
        this.rounds = rounds;
        this.roundMs = roundMs;
        this.progress = progress;
    }

    /** @return the table, or the same as JSON */
    String run(Path directory, boolean json) {
        List<Outcome> outcomes = new ArrayList<>();
        // Tables of all contenders are made for the number of flows.
        for (int flows : cases.stream().map(each -> each.load().flows()).distinct().toList()) {
            try (ConntrackRoom _ = ConntrackRoom.forEntries(4L * flows)) {
                build(flows, (int) cases.stream().filter(each -> each.load().flows() == flows).count() * flows);
                for (Case each : cases) if (each.load().flows() == flows) outcomes.add(measure(each));
            } finally {
                contenders.forEach(Contender::close);
                contenders.clear();
            }
        }
        String text = Json.write(json(outcomes));
        write(directory, text, outcomes);
        return json ? text : table(outcomes) + "\nplot and figures: " + directory + "\n";
    }

    /** @param sessions of all cases with so many flows: those of one last longer than its turns */
    private void build(int flows, int sessions) {
        progress.printf(Locale.ROOT, "%,d flows: building six lines, starting three nodes%n", flows);
        // The same idle times for all: no session ends while others have their turn, nor while the handshakes of a million wait for each other.
        Policy policy = Policy.OPEN.with("""
                limits: { sessions: %d, sessions-per-source: 0, flows: %d }
                datapath: { fast-path-after: 1, packet-memory: 256MiB }
                timeouts: { udp: { single: 1h, multiple: 1h }, tcp: { opening: 5m } }
                """.formatted(Math.max(200_000, sessions / 4 * 5), Math.max(131_072, sessions / 4 * 5)));
        for (String name : List.of(BARE, KERNEL, NFT, DNAT, ALONE, PAIR)) contenders.add(new Contender(name, Line.build(policy)));
        for (Contender each : contenders) {
            switch (each.name) {
                case BARE -> each.generator.redirectBetween(each.line.a().host(), "left", "right");
                case KERNEL -> each.line.forwardInKernel();
                case NFT -> firewall(each, "");
                case DNAT -> {
                    firewall(each, TRANSLATION);
                    each.generator.sendTo(VIRTUAL);
                }
                default -> {
                    each.line.a().runOn(JVM_CPU);
                    each.line.b().runOn(JVM_CPU);
                    each.line.a().start();
                    if (each.name.equals(PAIR)) each.line.b().start();
                    each.line.a().awaitMembers(each.name.equals(PAIR) ? 2 : 1);
                }
            }
        }
    }

    private static void firewall(Contender contender, String translation) {
        contender.line.forwardInKernel();
        Filter.install(contender.line.a().host(), translation);
        for (String timeout : List.of("udp_timeout", "udp_timeout_stream"))
            contender.line.a().host().sysctl("net.netfilter.nf_conntrack_" + timeout, "3600");
    }

    private Outcome measure(Case of) {
        double source = contenders.getFirst().generator.alonePerSecond(of.load(), 2_000_000);
        for (Contender each : contenders) {
            each.forward.clear();
            each.reverse.clear();
            each.lost = 0;
            progress.println(of.name() + ": opening the sessions of " + each.name);
            open(each, of.load());
        }
        for (int round = 1; round <= rounds; round++) {
            for (Contender each : contenders) {
                each.forward.add(turn(each, of.load(), false));
                each.reverse.add(turn(each, of.load(), true));
                progress.printf(Locale.ROOT, "%-14s round %d  %-28s %6.2f  %6.2f Mpps%n", of.name(), round, each.name,
                        each.forward.getLast() / 1e6, each.reverse.getLast() / 1e6);
            }
        }
        return new Outcome(of, source, contenders.stream().map(each -> figures(each, source)).toList());
    }

    private double turn(Contender contender, Load load, boolean reverse) {
        Generator.Result probe = contender.generator.run(load, reverse, PROBE, 0);
        long packets = Math.max(SMALLEST_ROUND, (long) (probe.receivedPerSecond() * roundMs / 1000));
        Generator.Result result = contender.generator.run(load, reverse, packets, 0);
        contender.lost += result.lost();
        return result.receivedPerSecond();
    }

    /** Until every flow is established, and with Ambo every one is in the kernel's flow cache. */
    private void open(Contender contender, Load load) {
        if (!contender.isAmbo()) {
            contender.generator.burst(20_000);
            if (load.isTcp()) contender.generator.openTcp(load.flows(), 500_000);
            contender.generator.run(load, false, load.flows(), 500_000);
            contender.generator.run(load, true, load.flows(), 500_000);
            return;
        }
        contender.generator.burst(OPEN_BURST);
        // A JVM that has one processor, and shares it with its peer's, is slow while it is young.
        if (load.isTcp()) contender.generator.openTcp(Math.min(load.flows(), WARM_UP_FLOWS), WARM_UP_PER_SECOND);
        for (int pass = 0; pass < OPENING_PASSES; pass++) {
            // A handshake that lost a packet is made again. That takes flows out of the cache, so ordinary packets have some passes to put them there first.
            if (load.isTcp() && pass % PASSES_OF_HANDSHAKES == 0) {
                contender.generator.openTcp(load.flows(), OPEN_PER_SECOND);
                Pause.ms(SETTLE_MS);
            }
            contender.generator.run(load, false, load.flows(), OPEN_PER_SECOND);
            Pause.ms(SETTLE_MS);
            long before = forwarded(contender);
            contender.generator.run(load, false, load.flows(), OPEN_PER_SECOND);
            long carried = forwarded(contender) - before;
            if (carried == load.flows()) return;
            progress.printf(Locale.ROOT, "  pass %d: %,d of %,d are in the kernel%n", pass + 1, carried, load.flows());
        }
        throw new LabException(contender.name + " does not get " + load.flows() + " flows into its flow cache: "
                + contender.line.a().control().counters() + "\n" + contender.line.a().tail());
    }

    private static long forwarded(Contender contender) { return contender.line.a().control().counters().getOrDefault("forwarded", 0L); }

    private static Figures figures(Contender contender, double source) {
        List<Double> all = contender.both();
        double median = Spread.median(all);
        return new Figures(contender.name, Spread.median(contender.forward), Spread.median(contender.reverse), median,
                all.stream().mapToDouble(Double::doubleValue).min().orElse(0),
                all.stream().mapToDouble(Double::doubleValue).max().orElse(0),
                1e9 / median - 1e9 / source, contender.lost);
    }

    private static String table(List<Outcome> outcomes) {
        StringBuilder table = new StringBuilder(String.format(Locale.ROOT,
                "forward: million packets per second of established flows, medians; source, forwarder and sink on one CPU; Linux %s%n",
                System.getProperty("os.version")));
        for (Outcome outcome : outcomes) {
            Load load = outcome.of.load();
            double nft = outcome.median(NFT);
            double bare = outcome.median(BARE);
            table.append(String.format(Locale.ROOT, "%n%s, %,d flows, %,d-byte frames; the source alone makes %.2f%n",
                    load.isTcp() ? "TCP" : "UDP",
                    load.flows(), load.frameBytes(), outcome.source / 1e6));
            table.append(String.format("%-28s %6s %6s %13s %7s %7s %7s %6s%n", "", "there", "back", "lowest-highest", "ns/pkt", "x nft",
                    "x bare",
                    "lost"));
            for (Figures each : outcome.figures) {
                table.append(String.format(Locale.ROOT, "%-28s %6.2f %6.2f %6.2f -%6.2f %7.0f %7.2f %7.2f %6d%n", each.contender,
                        each.forward / 1e6,
                        each.reverse / 1e6, each.lowest / 1e6, each.highest / 1e6, each.nanoseconds, each.median / nft, each.median / bare,
                        each.lost));
            }
            for (String promise : promises(outcome)) table.append(promise).append('\n');
        }
        return table.append("\nns/pkt: CPU time of one packet without the source's share. x nft, x bare: ratios in this run.\n").toString();
    }

    private static List<String> promises(Outcome outcome) {
        List<String> promises = new ArrayList<>();
        double ofNft = outcome.median(PAIR) / outcome.median(NFT);
        double ofBare = outcome.median(PAIR) / outcome.median(BARE);
        if (outcome.of.least() > 0) promises.add(promise(NFT, ofNft, outcome.of.least()));
        if (outcome.of.leastOfBare() > 0) promises.add(promise(BARE, ofBare, outcome.of.leastOfBare()));
        return promises;
    }

    private static String promise(String peer, double ratio, double least) {
        return String.format(Locale.ROOT, "promised: %s at least %.1f x %s; found: %.2f x, %s", PAIR, least, peer, ratio,
                ratio >= least ? "reached" : "NOT REACHED");
    }

    private static Map<String, Object> json(List<Outcome> outcomes) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("bench", "forward");
        json.put("kernel", System.getProperty("os.version"));
        json.put("cpus", Runtime.getRuntime().availableProcessors());
        List<Object> all = new ArrayList<>();
        for (Outcome outcome : outcomes) {
            Map<String, Object> each = new LinkedHashMap<>();
            each.put("case", outcome.of.name());
            each.put("flows", outcome.of.load().flows());
            each.put("frameBytes", outcome.of.load().frameBytes());
            each.put(SOURCE.replace(' ', '_'), outcome.source);
            List<Object> figures = new ArrayList<>();
            for (Figures one : outcome.figures) {
                Map<String, Object> described = new LinkedHashMap<>();
                described.put("name", one.contender);
                described.put("forwardPerSecond", one.forward);
                described.put("reversePerSecond", one.reverse);
                described.put("medianPerSecond", one.median);
                described.put("lowest", one.lowest);
                described.put("highest", one.highest);
                described.put("nanosecondsPerPacket", one.nanoseconds);
                described.put("ratioToNftables", one.median / outcome.median(NFT));
                described.put("ratioToBareRedirect", one.median / outcome.median(BARE));
                described.put("lost", one.lost);
                figures.add(described);
            }
            each.put("contenders", figures);
            each.put("promises", promises(outcome));
            all.add(each);
        }
        json.put("cases", all);
        return json;
    }

    private static void write(Path directory, String json, List<Outcome> outcomes) {
        Map<String, Map<String, Double>> groups = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            Map<String, Double> bars = new LinkedHashMap<>();
            for (Figures each : outcome.figures) bars.put(each.contender, each.median / 1e6);
            groups.put(outcome.of.name(), bars);
        }
        ResultFiles.write(directory, json, BarPlot.svg("Established flows, million packets per second on one CPU", groups));
    }
}
