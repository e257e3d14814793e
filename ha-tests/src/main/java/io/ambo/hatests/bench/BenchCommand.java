package io.ambo.hatests.bench;

import io.ambo.hatests.lab.JvmCommand;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ambo bench NAME}. Progress goes to standard error, the table to standard output. */
@Command(name = "bench", description = "Ambo beside its peers, on the same network in the same run.")
public final class BenchCommand implements Callable<Integer> {
    @Parameters(paramLabel = "NAME", description = "cluster-factor, forward, latency, resync, setup, slow-path, or `list`", defaultValue = "list")
    private String name = "list";

    @Option(names = "--json", description = "the result as JSON")
    private boolean json;

    @Option(names = "--flows", description = "different flows (${DEFAULT-VALUE})", defaultValue = "1000")
    private int flows = 1000;

    @Option(names = "--case", split = ",", description = "forward: these only (udp-1000, udp-50000, udp-1000000, tcp-1000, ...)")
    private List<String> chosen = List.of();

    @Option(names = "--seconds", description = "latency: of each distribution (${DEFAULT-VALUE})", defaultValue = "10")
    private int seconds = 10;

    @Option(names = "--rates", split = ",", description = "setup: new sessions per second to try, rising (${DEFAULT-VALUE})", defaultValue = "20000,30000,40000,50000,60000,70000,80000,90000,100000,110000,120000,130000,140000,150000,180000,220000,270000,320000")
    private List<Integer> rates = List.of();

    @Option(names = "--warm-up", description = "setup: seconds before anything counts (${DEFAULT-VALUE})", defaultValue = "60")
    private int warmUp = 60;

    @Option(names = "--sessions", description = "resync: of the node that is there (${DEFAULT-VALUE})", defaultValue = "1000000")
    private int sessions = 1_000_000;

    @Option(names = "--fill-rate", description = "resync: new sessions per second while it gets them (${DEFAULT-VALUE})", defaultValue = "40000")
    private int fillRate = 40_000;

    @Option(names = "--contender", split = ",", description = "resync, setup: these only (ambo, conntrackd), to look at one more closely")
    private List<String> contenders = List.of("conntrackd", "ambo");

    @Option(names = "--kind", split = ",", description = "setup: sessions begun so only (tcp, udp)")
    private List<String> kinds = List.of("tcp", "udp");

    @Option(names = "--rounds", description = "turns of each contender (${DEFAULT-VALUE})", defaultValue = "5")
    private int rounds = 5;

    @Option(names = "--round-ms", description = "how long a turn is (${DEFAULT-VALUE})", defaultValue = "2000")
    private int roundMs = 2000;

    private List<Forward.Case> cases() {
        for (String each : chosen)
            if (Forward.CASES.stream().noneMatch(known -> known.name().equals(each)))
                throw new IllegalArgumentException(
                        "no case " + each + "; there are " + Forward.CASES.stream().map(Forward.Case::name).toList());
        return Forward.CASES.stream().filter(each -> chosen.isEmpty() || chosen.contains(each.name())).toList();
    }

    @Override
    public Integer call() {
        switch (name) {
            case "list" -> System.out.println("""
                    cluster-factor  what a pair does compared with one node, in both modes
                    forward         established flows: Ambo beside a bare XDP redirect, kernel forwarding, nftables and conntrack
                    latency         one-way delays through Java and through the kernel, alone, under load, and with the collector forced
                    resync          1,000,000 sessions to a node that joins under traffic, beside nftables with conntrackd
                    setup           new sessions per second of a pair, beside nftables with conntrackd
                    slow-path       packets per second through Java alone, beside nftables and conntrack""");
            case "cluster-factor" -> System.out.print(new ClusterFactor(rounds == 5 ? 3 : rounds, System.err)
                    .run(JvmCommand.home().resolve("ha-tests/target/bench/cluster-factor"), json));
            case "forward" -> System.out.print(new Forward(cases(), rounds, roundMs == 2000 ? 700 : roundMs, System.err)
                    .run(JvmCommand.home().resolve("ha-tests/target/bench/forward"), json));
            case "latency" -> System.out
                    .print(new Latency(seconds, System.err).run(JvmCommand.home().resolve("ha-tests/target/bench/latency"), json));
            case "resync" -> {
                if (sessions < 1_000 || sessions > 2_000_000) throw new IllegalArgumentException("--sessions is 1000 to 2000000");
                System.out.print(new Resync(sessions, fillRate, contenders, System.err)
                        .run(JvmCommand.home().resolve("ha-tests/target/bench/resync"), json));
            }
            case "setup" ->
                System.out.print(new Setup(rates, contenders, kinds, warmUp * 1000, System.err)
                        .run(JvmCommand.home().resolve("ha-tests/target/bench/setup"), json));
            case "slow-path" -> {
                if (flows < 1 || flows > 50_000 || rounds < 1 || roundMs < 100)
                    throw new IllegalArgumentException("--flows is 1 to 50000, --rounds at least 1, --round-ms at least 100");
                System.out.print(new SlowPath(flows, rounds, roundMs, System.err).run(json));
            }
            default ->
                throw new IllegalArgumentException(
                        "no benchmark " + name + "; there are cluster-factor, forward, latency, resync, setup, slow-path");
        }
        return 0;
    }
}
