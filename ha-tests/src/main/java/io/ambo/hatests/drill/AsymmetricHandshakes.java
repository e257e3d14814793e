package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Ping;
import io.ambo.hatests.traffic.Requests;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The race that others lose: the SYN leaves through a, the SYN-ACK comes back through b before a's delta. The two paths take turns, so that whatever else
 * the machine does falls on both alike.
 */
final class AsymmetricHandshakes implements Drill {
    private static final int PORT = 7000, ROUNDS = 10, AT_ONCE = 4, ONE_BY_ONE = 1;
    private static final int TCP_CONNECTIONS = 10_000, TCP6_CONNECTIONS = 5_000, UDP_REQUESTS = 5_000, PINGS = 500, WARM_UP = 8_000,
            REDIRECT_SHARE = 2, FULL_FACTOR = 10;
    private static final long ADDED_LIMIT_NS = 1_000_000;

    private final String mode;

    /** @param mode cluster.mode */
    AsymmetricHandshakes(String mode) { this.mode = mode; }

    @Override
    public String name() { return isRedirect() ? "asymmetric-handshakes-redirect" : "asymmetric-handshakes"; }

    private boolean isRedirect() { return mode.equals("redirect"); }

    /** Redirect mode has the same checks; its ordinary run has fewer of each. The full one has 100,000 handshakes over each path, in both modes. */
    private int count(DrillRun run, int ordinary) {
        if (run.isFull()) return run.scaled(ordinary * FULL_FACTOR);
        return run.scaled(isRedirect() ? ordinary / REDIRECT_SHARE : ordinary);
    }

    @Override
    public String shows() {
        if (isRedirect())
            return "redirect mode, 5,000 TCP connections out through one node and back through the other: none fails, none loses a SYN or SYN-ACK;"
                    + " also IPv6, UDP, ping (--full: 100,000, p99 within 1 ms of the symmetric path's)";
        return "10,000 TCP connections out through one node and back through the other: none fails, none loses a SYN or SYN-ACK; also IPv6, UDP, ping"
                + " (--full: 100,000, p99 within 1 ms of the symmetric path's)";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN, new Lab.Shape(2, mode));
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            InetAddress ipv4 = Addresses.of(Addresses.SERVER);
            InetAddress ipv6 = Addresses.of(Addresses.SERVER6);
            NetStat client = NetStat.of(lab.client());
            NetStat serverHost = NetStat.of(lab.server());
            warmUp(run, lab, ipv4, ipv6);
            // A latency is promised: several clients at once, each as fast as it can, would wait for each other on two cores.
            int atOnce = run.isFull() ? ONE_BY_ONE : AT_ONCE;
            both(run, lab, "TCP over IPv4", count(run, TCP_CONNECTIONS),
                    (port, count) -> Requests.tcp(lab.client(), new InetSocketAddress(ipv4, port), count, atOnce));
            both(run, lab, "TCP over IPv6", count(run, TCP6_CONNECTIONS),
                    (port, count) -> Requests.tcp(lab.client(), new InetSocketAddress(ipv6, port), count, atOnce));
            both(run, lab, "UDP over IPv4", count(run, UDP_REQUESTS),
                    (port, count) -> Requests.udp(lab.client(), new InetSocketAddress(ipv4, port), count, atOnce));
            both(run, lab, "UDP over IPv6", count(run, UDP_REQUESTS),
                    (port, count) -> Requests.udp(lab.client(), new InetSocketAddress(ipv6, port), count, atOnce));
            for (String address : new String[]{ Addresses.SERVER, Addresses.SERVER6 }) ping(run, lab, address);
            retransmissions(run, lab, client, serverHost);
            Map<String, Long> atB = lab.b().control().counters();
            if (isRedirect()) {
                for (String counter : List.of("strays_redirected", "redirected", "flows_redirected", "redirected_in_kernel",
                        "strays_parked"))
                    run.figure(counter, atB.getOrDefault(counter, 0L), "at b");
                return;
            }
            run.figure("strays released by their delta", atB.getOrDefault("strays_released_by_delta", 0L), "packets at b");
            run.figure("strays handed to a, their delta was late", atB.getOrDefault("strays_redirected", 0L), "packets at b");
        }
    }

    @FunctionalInterface
    private interface Round {
        /** @param port the server's */
        Requests.Outcome of(int port, int count);
    }

    /**
     * The first connections of two JVMs that have just started, while their compilers compete with packets for two cores. They must not fail or need a second SYN
     * either: the check at the end counts them too. How many did is a figure of its own, as the latencies that follow are of the warm path.
     */
    private static void warmUp(DrillRun run, Lab lab, InetAddress ipv4, InetAddress ipv6) {
        run.progress("warming up: " + run.scaled(WARM_UP) + " connections, asymmetric from the first packet on");
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        int half = run.scaled(WARM_UP) / 2;
        Requests.Outcome outcome = Requests.tcp(lab.client(), new InetSocketAddress(ipv4, PORT), half, AT_ONCE)
                .plus(Requests.tcp(lab.client(), new InetSocketAddress(ipv6, PORT), half, AT_ONCE));
        noneFailed(run, "of the first connections of two cold nodes", outcome);
        run.figure("first " + 2 * half + " of cold nodes: SYNs sent again", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"),
                "segments");
        run.figure("first " + 2 * half + " of cold nodes: SYN-ACKs sent again",
                NetStat.of(lab.server()).since(server, "TcpExt.TCPSynRetrans"), "segments");
    }

    private static void both(DrillRun run, Lab lab, String what, int count, Round round) {
        Map<String, Requests.Outcome> outcomes = new LinkedHashMap<>(Map.of());
        outcomes.put("symmetric", Requests.none());
        outcomes.put("asymmetric", Requests.none());
        for (int i = 0; i < ROUNDS; i++) {
            run.progress(what + ": round " + (i + 1) + " of " + ROUNDS);
            // A port of its own for each round: the client has 55,000, and each rests for a minute towards the same server's port.
            int port = PORT + 1 + i;
            try (EchoServer _ = new EchoServer(lab.server(), port)) {
                lab.symmetric(lab.a());
                outcomes.merge("symmetric", round.of(port, count / ROUNDS), Requests.Outcome::plus);
                lab.asymmetric();
                outcomes.merge("asymmetric", round.of(port, count / ROUNDS), Requests.Outcome::plus);
            }
        }
        outcomes.forEach((path, outcome) -> {
            noneFailed(run, what + ", " + path, outcome);
            if (outcome.handshake().getTotalCount() > 0) run.latency(what + ", " + path + ", handshake", outcome.handshake());
            run.latency(what + ", " + path + ", whole exchange", outcome.exchange());
        });
        checkAdded(run, what, outcomes.getOrDefault("symmetric", Requests.none()), outcomes.getOrDefault("asymmetric", Requests.none()));
    }

    private static void checkAdded(DrillRun run, String what, Requests.Outcome symmetric, Requests.Outcome asymmetric) {
        if (asymmetric.handshake().getTotalCount() == 0) return;
        long addedNs = asymmetric.handshake().getValueAtPercentile(99) - symmetric.handshake().getValueAtPercentile(99);
        run.figure(what + ", handshake, p99 over the symmetric path's", addedNs / 1000.0, "µs");
        if (run.isFull())
            run.check("p99 of the handshake, " + what + ", is less than 1 ms over the symmetric path", addedNs < ADDED_LIMIT_NS,
                    addedNs / 1000 + " µs more");
    }

    private static void noneFailed(DrillRun run, String what, Requests.Outcome outcome) {
        int failed = outcome.failures().size();
        run.check("none failed: " + what, failed == 0 && outcome.done() > 0,
                outcome.done() + " done, " + failed + " failed" + (failed == 0 ? "" : ", the first: " + outcome.failures().getFirst()));
    }

    private static void ping(DrillRun run, Lab lab, String address) {
        int count = run.scaled(PINGS);
        lab.symmetric(lab.a());
        Ping symmetric = Ping.of(lab.client(), address, count);
        lab.asymmetric();
        Ping asymmetric = Ping.of(lab.client(), address, count);
        run.figure("ping " + address + ", symmetric, average", symmetric.averageMs() * 1000, "µs");
        run.figure("ping " + address + ", asymmetric, average", asymmetric.averageMs() * 1000, "µs");
        run.checkEqual("every ping to " + address + " is answered, symmetric", symmetric.received(), count);
        run.checkEqual("every ping to " + address + " is answered, asymmetric", asymmetric.received(), count);
    }

    private static void retransmissions(DrillRun run, Lab lab, NetStat clientBefore, NetStat serverBefore) {
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        run.checkEqual("SYNs sent again by the client", client.since(clientBefore, "TcpExt.TCPSynRetrans"), 0);
        run.checkEqual("SYN-ACKs sent again by the server", server.since(serverBefore, "TcpExt.TCPSynRetrans"), 0);
        run.figure("other segments sent again, client", client.since(clientBefore, "Tcp.RetransSegs"), "segments");
        run.figure("other segments sent again, server", server.since(serverBefore, "Tcp.RetransSegs"), "segments");
    }
}
