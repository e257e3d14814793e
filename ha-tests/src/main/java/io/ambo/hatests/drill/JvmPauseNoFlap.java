package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Requests;
import java.util.concurrent.atomic.AtomicInteger;

/** The JVM of the node that has the addresses stands still for two seconds: its host forwards, so nothing moves, and new flows go through the peer. */
final class JvmPauseNoFlap implements Drill {
    private static final int CONNECTIONS = 100, PAUSE_MS = 2_000, NEW_FLOWS_LIMIT_MS = 300, NEW_CONNECTIONS = 100;

    @Override
    public String name() { return "jvm-pause-no-flap"; }

    @Override
    public String shows() {
        return "the JVM that has the floating addresses stands still for 2 s: no address moves, no packet of an established flow is lost, new flows"
                + " pass through the peer within 300 ms";
    }

    @Override
    public void run(DrillRun run) {
        try (GatewayTraffic traffic = new GatewayTraffic(run, "sync", run.scaled(CONNECTIONS))) {
            Lab lab = traffic.lab();
            traffic.checkNothingLost("before the pause");
            long opened = GatewayTraffic.counter(lab.b(), "sessions_opened");
            run.progress("SIGSTOP of a for " + PAUSE_MS + " ms");
            AtomicInteger moved = new AtomicInteger();
            lab.a().pause();
            long pausedNs = System.nanoTime();
            Thread watcher = Thread.ofPlatform().daemon().start(() -> watch(lab, pausedNs, moved));
            try {
                while (Requests.udp(lab.client(), traffic.echo(), 1, 1, 20).done() == 0 && sinceMs(pausedNs) < PAUSE_MS) Pause.ms(1);
                long firstMs = sinceMs(pausedNs);
                run.figure("a new flow passes after", firstMs, "ms");
                run.check("a new flow passes within " + NEW_FLOWS_LIMIT_MS + " ms", firstMs < NEW_FLOWS_LIMIT_MS, firstMs + " ms");
                NetStat before = NetStat.of(lab.client());
                traffic.checkNewConnections("while the JVM stands still", NEW_CONNECTIONS);
                run.checkEqual("SYNs sent again", NetStat.of(lab.client()).since(before, "TcpExt.TCPSynRetrans"), 0);
                run.check("all of them during the pause", sinceMs(pausedNs) < PAUSE_MS, sinceMs(pausedNs) + " ms");
                while (sinceMs(pausedNs) < PAUSE_MS) Pause.ms(5);
            } finally {
                lab.a().resume();
            }
            run.check("b has opened them", GatewayTraffic.counter(lab.b(), "sessions_opened") - opened >= NEW_CONNECTIONS,
                    GatewayTraffic.counter(lab.b(), "sessions_opened") - opened + " sessions");
            traffic.checkNothingLost("while the JVM stood still and after");
            lab.a().awaitMembers(2);
            Pause.ms(1_000);
            join(watcher);
            run.checkEqual("times that an address was not on a, or on b too", moved.get(), 0);
            traffic.checkNewConnections("after the pause", NEW_CONNECTIONS);
            traffic.checkNothingLost("at the end");
            traffic.finish();
        }
    }

    private static void watch(Lab lab, long pausedNs, AtomicInteger moved) {
        while (sinceMs(pausedNs) < PAUSE_MS + 1_000) {
            if (lab.gatewaysOf(lab.a()) != 4 || lab.gatewaysOf(lab.b()) != 0) moved.incrementAndGet();
            Pause.ms(50);
        }
    }

    private static void join(Thread watcher) {
        try {
            watcher.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static long sinceMs(long beganNs) { return (System.nanoTime() - beganNs) / 1_000_000; }
}
