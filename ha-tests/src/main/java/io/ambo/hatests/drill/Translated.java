package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Ping;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;
import java.util.Map;

/**
 * Clients hide behind an address that no host has, and the service is known by another one. The server has no route to the clients' own addresses, so what is not
 * translated is not answered.
 */
final class Translated implements Drill {
    private static final String PUBLIC_NET = "10.10.9.0/24", PUBLIC_NET6 = "fd00:10:9::/64", VIRTUAL_NET = "10.10.8.0/24",
            VIRTUAL_NET6 = "fd00:10:8::/64";
    private static final String VIRTUAL = "10.10.8.80", VIRTUAL6 = "fd00:10:8::80";
    private static final int PORT = 7001, VIRTUAL_PORT = 80, TALK_PORT = 7002, AT_ONCE = 16, LIMIT_MS = 20_000, CHUNK_BYTES = 512,
            INTERVAL_MS = 20;
    private static final int CONNECTIONS = 2_000, PINGS = 50, CONVERSATIONS = 100, SETTLE_MS = 1_000, WATCH_MS = 500;
    /** Packets of these conversations in the kernel for each in Java: nearly all, whatever else passes. */
    private static final int KERNEL_SHARE = 20;
    private static final Policy POLICY = Policy.OPEN
            .with("""
                    nat:
                      - { name: web, from: clients, destination: 10.10.8.80, protocol: [tcp, udp], ports: 80, dnat: 10.10.2.100, dnat-port: 7001 }
                      - { name: web6, from: clients, destination: "fd00:10:8::80", protocol: [tcp, udp], ports: 80, dnat: "fd00:10:2::100", dnat-port: 7001 }
                      - { name: hide, from: clients, to: servers, source: 10.10.1.0/24, snat: 10.10.9.10 }
                      - { name: hide6, from: clients, to: servers, source: "fd00:10:1::/64", snat: "fd00:10:9::10" }
                    """);

    @Override
    public String name() { return "translated"; }

    @Override
    public String shows() {
        return "NAT of source and destination, IPv4 and IPv6, out through one node and back through the other: no handshake is lost; established ones stay in the kernel and outlive their node";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(POLICY);
        lab.server().ip("""
                route del %s0/24
                route del %s/64
                """.formatted(Addresses.LEFT_NET, Addresses.LEFT_NET6));
        paths(lab, lab.a(), lab.b());
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        try (EchoServer _ = new EchoServer(lab.server(), PORT)) {
            for (String address : new String[]{ VIRTUAL, VIRTUAL6 }) {
                InetSocketAddress service = new InetSocketAddress(Addresses.of(address), VIRTUAL_PORT);
                requests(run, "TCP to " + address, Requests.tcp(lab.client(), service, run.scaled(CONNECTIONS), AT_ONCE));
                requests(run, "UDP to " + address, Requests.udp(lab.client(), service, run.scaled(CONNECTIONS), AT_ONCE));
            }
        }
        for (String address : new String[]{ Addresses.SERVER, Addresses.SERVER6 }) {
            int count = run.scaled(PINGS);
            run.checkEqual("every ping to " + address + " is answered", Ping.of(lab.client(), address, count).received(), count);
        }
        run.checkEqual("SYNs sent again by the client", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"), 0);
        run.checkEqual("SYN-ACKs sent again by the server", NetStat.of(lab.server()).since(server, "TcpExt.TCPSynRetrans"), 0);
        outliveTheirNode(run, lab);
    }

    private static void requests(DrillRun run, String what, Requests.Outcome outcome) {
        int failed = outcome.failures().size();
        run.check("none failed: " + what, failed == 0 && outcome.done() > 0,
                outcome.done() + " done, " + failed + " failed" + (failed == 0 ? "" : ", the first: " + outcome.failures().getFirst()));
        run.latency(what + ", whole exchange", outcome.exchange());
    }

    private static void outliveTheirNode(DrillRun run, Lab lab) {
        try (Conversations live = new Conversations(lab, TALK_PORT, run.scaled(CONVERSATIONS), CHUNK_BYTES, INTERVAL_MS)) {
            run.checkEqual("connections that talk both ways", live.awaitProgress(LIMIT_MS), live.size());
            Pause.ms(SETTLE_MS);
            kernelCarries(run, lab.a(), "out");
            kernelCarries(run, lab.b(), "back");
            run.progress("kill -9 of a, and both paths move to b");
            lab.a().kill9();
            paths(lab, lab.b(), lab.b());
            run.checkEqual("connections that go on when the node that translated them is killed", live.awaitProgress(LIMIT_MS),
                    live.size());
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), live.size());
        }
    }

    private static void kernelCarries(DrillRun run, LabNode node, String way) {
        Map<String, Long> before = node.control().counters();
        Pause.ms(WATCH_MS);
        Map<String, Long> after = node.control().counters();
        long inKernel = difference(before, after, "forwarded");
        long inJava = difference(before, after, "punted");
        run.check("the kernel of " + node.name() + " translates what goes " + way, inKernel > KERNEL_SHARE * inJava && inKernel > 0,
                inKernel + " packets, and " + inJava + " went to Java");
    }

    private static long difference(Map<String, Long> before, Map<String, Long> after, String counter) {
        return after.getOrDefault(counter, 0L) - before.getOrDefault(counter, 0L);
    }

    private static void paths(Lab lab, LabNode out, LabNode back) {
        lab.clientVia(out);
        lab.client().ip("""
                route replace %s via %s
                route replace %s via %s
                """.formatted(VIRTUAL_NET, out.leftAddress(), VIRTUAL_NET6, out.leftAddress6()));
        lab.server().ip("""
                route replace %s via %s
                route replace %s via %s
                """.formatted(PUBLIC_NET, back.rightAddress(), PUBLIC_NET6, back.rightAddress6()));
    }
}
