package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Metronome;
import io.ambo.proto.control.Event;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/** The node that has all floating addresses loses all its links at once. The other notices, takes them, and carries everything on. */
final class PowerOff implements Drill {
    private static final int TALK_PORT = 7020, ECHO_PORT = 7021;
    private static final int CONNECTIONS = 400, FULL_CONNECTIONS = 10_000, ROUNDS = 1, FULL_ROUNDS = 5;
    private static final int CHUNK_BYTES = 128, TALK_MS = 100, FULL_TALK_MS = 2_000, LIMIT_MS = 30_000;
    private static final int FLOWS = 16, PER_SECOND = 500;
    private static final long BLACKOUT_LIMIT_NS = 300_000_000;

    @Override
    public String name() { return "power-off"; }

    @Override
    public String shows() {
        return "all links of the node that has the gateways' addresses are cut at once: every live TCP connection goes on"
                + " (--full: 10,000 connections, blackout under 300 ms at the median of 5)";
    }

    @Override
    public void run(DrillRun run) {
        boolean full = run.isFull();
        int rounds = full ? FULL_ROUNDS : ROUNDS;
        int count = run.scaled(full ? FULL_CONNECTIONS : CONNECTIONS);
        Lab lab = run.runningLab(Policy.OPEN.with("limits: { sessions-per-source: 0 }\n").withGateways());
        lab.viaGateways();
        lab.awaitGatewaysOn(lab.a());
        NetStat clientBefore = NetStat.of(lab.client());
        NetStat serverBefore = NetStat.of(lab.server());
        List<Long> blackouts = new ArrayList<>();
        InetSocketAddress echo = new InetSocketAddress(Addresses.of(Addresses.SERVER), ECHO_PORT);
        run.progress("opening " + count + " connections through the gateways' addresses, which a has");
        try (EchoServer _ = new EchoServer(lab.server(), ECHO_PORT);
                Conversations live = new Conversations(lab, TALK_PORT, count, CHUNK_BYTES, full ? FULL_TALK_MS : TALK_MS);
                Metronome ticks = new Metronome(lab.client(), echo, FLOWS, PER_SECOND)) {
            run.checkEqual("connections that talk both ways before anything happens", live.awaitProgress(LIMIT_MS), count);
            Pause.ms(1_000);
            for (int round = 1; round <= rounds; round++) {
                cut(run, lab, live, ticks, blackouts);
                run.progress("a boots again, is in sync, and takes its addresses back");
                lab.loseKernelState(lab.a());
                lab.mend(lab.a());
                lab.a().start();
                lab.a().awaitMembers(2);
                lab.awaitGatewaysOn(lab.a());
                run.checkEqual("connections that talk when a is back", live.awaitProgress(LIMIT_MS), count);
                Pause.ms(1_000);
            }
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), count);
            List<String> failures = live.failures();
            run.check("no connection met with an error", failures.isEmpty(),
                    failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
        }
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        run.checkEqual("connections reset", client.since(clientBefore, "Tcp.EstabResets") + server.since(serverBefore, "Tcp.EstabResets"),
                0);
        long median = blackouts.stream().sorted().toList().get(blackouts.size() / 2);
        run.figure("blackout, median of " + blackouts.size(), median / 1e6, "ms");
        // One sample is no median: the promise is checked where there are five.
        if (full)
            run.check("blackout under 300 ms at the median of " + blackouts.size(), median < BLACKOUT_LIMIT_NS, median / 1_000_000 + " ms");
    }

    private static void cut(DrillRun run, Lab lab, Conversations live, Metronome ticks, List<Long> blackouts) {
        run.progress("cutting all links of a");
        live.forgetSilences();
        ticks.forgetGaps();
        long cutMs = System.currentTimeMillis();
        lab.cut(lab.a());
        // Looking costs processor time that b needs just now.
        Pause.ms(1_000);
        tellWhatHappened(run, lab, cutMs);
        boolean moved = DrillRun.await(5_000, () -> lab.gatewaysOf(lab.b()) == 4);
        run.check("b has the addresses", moved, lab.gatewaysOf(lab.b()) + " of 4");
        run.checkEqual("connections that go on", live.awaitProgress(LIMIT_MS), live.size());
        blackouts.add(ticks.longestGapNs());
        run.figure("blackout, datagrams", ticks.longestGapNs() / 1e6, "ms");
        Histogram silences = live.silences();
        run.latency("longest silence of a connection", silences);
    }

    /** By b's own events, milliseconds after the first link was cut. */
    private static void tellWhatHappened(DrillRun run, Lab lab, long cutMs) {
        for (Event each : lab.b().control().events())
            if (each.getWallMs() >= cutMs) run.progress("b, after " + (each.getWallMs() - cutMs) + " ms: " + each.getText());
    }
}
