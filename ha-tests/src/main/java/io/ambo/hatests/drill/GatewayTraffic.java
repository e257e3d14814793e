package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Metronome;
import io.ambo.hatests.traffic.Requests;
import java.net.InetSocketAddress;
import java.util.List;

/** A lab whose ends have floating addresses for their gateways, live TCP connections through it, and numbered datagrams: what became of them. */
final class GatewayTraffic implements AutoCloseable {
    private static final int TALK_PORT = 7030, ECHO_PORT = 7031, CHUNK_BYTES = 256, TALK_MS = 50;
    private static final int FLOWS = 16, PER_SECOND = 1000;
    static final int LIMIT_MS = 20_000;

    private final DrillRun run;
    private final Lab lab;
    private final EchoServer echoServer;
    private final Conversations live;
    private final Metronome ticks;
    private final NetStat clientBefore;
    private final NetStat serverBefore;
    private int mark;

    /** Starts both nodes in this mode; a has the gateways. Everything talks when this returns, and the kernel forwards it. */
    GatewayTraffic(DrillRun run, String mode, int connections) {
        this.run = run;
        lab = run.runningLab(Policy.OPEN.with("limits: { sessions-per-source: 0 }\n").withGateways(), new Lab.Shape(2, mode));
        lab.viaGateways();
        lab.awaitGatewaysOn(lab.a());
        clientBefore = NetStat.of(lab.client());
        serverBefore = NetStat.of(lab.server());
        echoServer = new EchoServer(lab.server(), ECHO_PORT);
        run.progress("opening " + connections + " connections through the gateways' addresses, which a has");
        live = new Conversations(lab, TALK_PORT, connections, CHUNK_BYTES, TALK_MS);
        run.checkEqual("connections that talk both ways before anything happens", live.awaitProgress(LIMIT_MS), connections);
        ticks = new Metronome(lab.client(), echo(), FLOWS, PER_SECOND);
        DrillRun.await(LIMIT_MS, () -> ticks.mark() > 40 * FLOWS);
        mark = ticks.mark();
    }

    /** A drill's name in this mode. */
    static String named(String drill, String mode) {
        return mode.equals("sync") ? drill : drill + "-" + mode;
    }

    /** How what it shows begins. */
    static String inMode(String mode) { return mode.equals("sync") ? "" : mode + " mode: "; }

    Lab lab() { return lab; }

    Metronome ticks() { return ticks; }

    Conversations live() { return live; }

    InetSocketAddress echo() { return new InetSocketAddress(Addresses.of(Addresses.SERVER), ECHO_PORT); }

    /** Records that all connections talk, and that no datagram was lost since the last call. */
    void checkNothingLost(String when) {
        run.checkEqual("connections that talk " + when, live.awaitProgress(LIMIT_MS), live.size());
        int now = ticks.mark();
        Metronome.Count count = ticks.between(mark, now);
        if (count.lost() > 0) {
            run.progress("lost of " + count.sent() + ": " + ticks.lostBetween(mark, now) + "; refused so far " + ticks.refused());
            run.progress("dropped by interfaces so far: " + lab.interfaceDrops() + "; by sockets of the client "
                    + NetStat.of(lab.client()).since(clientBefore, "Udp.RcvbufErrors") + ", of the server "
                    + NetStat.of(lab.server()).since(serverBefore, "Udp.RcvbufErrors"));
        }
        mark = now;
        run.figure("longest time without an answer " + when, ticks.longestGapNs() / 1e6, "ms");
        ticks.forgetGaps();
        run.checkEqual("datagrams lost " + when + " (of " + count.sent() + ")", count.lost(), 0);
    }

    /** Records that new connections come about. */
    void checkNewConnections(String when, int count) {
        Requests.Outcome outcome = Requests.tcp(lab.client(), echo(), count, 4);
        run.check("new connections " + when, outcome.done() == count,
                outcome.done() + " of " + count + (outcome.failures().isEmpty() ? "" : ", the first: " + outcome.failures().getFirst()));
    }

    /** Records that every byte arrived and nothing was reset. */
    void finish() {
        run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), live.size());
        List<String> failures = live.failures();
        run.check("no connection met with an error", failures.isEmpty(),
                failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        run.checkEqual("connections reset", client.since(clientBefore, "Tcp.EstabResets") + server.since(serverBefore, "Tcp.EstabResets"),
                0);
        run.figure("segments sent again", client.since(clientBefore, "Tcp.RetransSegs") + server.since(serverBefore, "Tcp.RetransSegs"),
                "segments");
    }

    static long counter(LabNode node, String name) { return node.control().counters().getOrDefault(name, 0L); }

    @Override
    public void close() {
        ticks.close();
        live.close();
        echoServer.close();
    }
}
