package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator.Load;
import io.ambo.hatests.traffic.Generator.Result;
import java.util.concurrent.Future;

/** The fast path is pinned: nothing of it dies with the JVM, and the next JVM takes it over. */
final class JvmDeath implements Drill {
    private static final int FLOWS = 1_000, RATE = 500_000, SECONDS = 6, RESTART_SECONDS = 25, STRANGERS_RATE = 40_000;

    @Override
    public String name() { return "jvm-death"; }

    @Override
    public String shows() {
        return "kill -9 of a node's JVM under 500,000 packets/s of established flows, and its start: no packet is lost, no new flow passes unjudged";
    }

    @Override
    public void run(DrillRun run) {
        Line line = run.runningLine(Policy.OPEN.with("limits: { sessions-per-source: 0 }\n"), true);
        try (FastFlows flows = new FastFlows(run, line, FLOWS)) {
            flows.open();
            run.progress(RATE + " packets/s for " + SECONDS + " s; kill -9 in the middle");
            Future<Result> sending = flows.start((long) RATE * SECONDS, RATE);
            Pause.ms(SECONDS * 500L);
            line.a().kill9();
            flows.checkWhole("with a kill -9 in the middle", flows.await(sending));

            Result strangers = flows.generator().run(Load.udp(2 * FLOWS), false, 2 * FLOWS, STRANGERS_RATE);
            run.checkEqual("packets of " + FLOWS + " new flows that pass while no JVM is there", strangers.received() - FLOWS, 0);

            run.progress(RATE + " packets/s for " + RESTART_SECONDS + " s; the JVM starts meanwhile");
            sending = flows.start((long) RATE * RESTART_SECONDS, RATE);
            long beganNs = System.nanoTime();
            line.a().start();
            line.a().awaitMembers(2);
            run.figure("ready again after", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.check("it is ready while packets are sent", !sending.isDone(), sending.isDone() ? "too late" : "yes");
            flows.checkWhole("while the JVM starts and takes over", flows.await(sending));
            run.checkEqual("flows that the new JVM has adopted", flows.counter("flows_adopted"), FLOWS);
            long expected = FLOWS + (long) RATE * (SECONDS + RESTART_SECONDS);
            run.check("the kernel's counters went on", flows.counter("forwarded") >= expected,
                    flows.counter("forwarded") + " of " + expected);
            Pause.ms(1_500);
            long counted = line.a().control().sessions(io.ambo.proto.control.SessionFilter.getDefaultInstance()).stream()
                    .mapToLong(session -> session.getOriginalTraffic().getPackets()).sum();
            run.check("the sessions' counters, too", counted >= expected, counted + " of " + expected);

            run.progress("new flows are judged again");
            flows.generator().burst(500);
            Load more = Load.udp(2 * FLOWS);
            boolean judged = DrillRun.await(5_000, () -> flows.generator().run(more, false, 2 * FLOWS, STRANGERS_RATE).lost() == 0);
            run.check("the new flows pass now", judged, judged ? "all" : "not all");
        }
    }
}
