package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator.Result;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionState;
import java.util.concurrent.Future;

/** A new policy counts for flows that are open, too, and for those that Java never sees. */
final class PolicyReloadRemoves implements Drill {
    private static final int FLOWS = 1_000, RATE = 100_000, SECONDS = 4, LIMIT_MS = 100;
    private static final String LIMITS = "limits: { sessions-per-source: 0 }\n";
    private static final Policy HALF = Policy.of("""
            firewall:
              default: drop
              rules:
                - { name: half, from: clients, to: servers, protocol: udp, source-ports: 10000-10499, action: allow }
            """).with(LIMITS);
    private static final Policy NONE = Policy.of("firewall: { default: drop }\n").with(LIMITS);

    @Override
    public String name() { return "policy-reload-removes"; }

    @Override
    public String shows() {
        return "flows that a reloaded policy forbids stop within 100 ms, also in the kernel; flows that it allows lose nothing";
    }

    @Override
    public void run(DrillRun run) {
        Line line = run.runningLine(Policy.OPEN.with(LIMITS), false);
        try (FastFlows flows = new FastFlows(run, line, FLOWS)) {
            flows.open();
            run.progress("a policy that allows every second half of them, while all are sent");
            flows.generator().burst(3_000);
            Future<Result> sending = flows.start((long) RATE * SECONDS, RATE);
            Pause.ms(1_000);
            reload(run, line, HALF);
            Result half = flows.await(sending);
            run.checkEqual("packets missing between two of a flow that is still allowed", half.missing() + half.late(), 0);
            run.check("about half of the packets after the reload do not pass", half.lost() > (long) RATE * SECONDS / 4,
                    half.lost() + " lost");
            run.checkEqual("sessions that ended by the policy", flows.counter("sessions_revoked"), FLOWS / 2);
            flows.open(FLOWS / 2);

            run.progress("a policy that allows nothing");
            flows.generator().burst(500);
            sending = flows.start((long) RATE / 5 * SECONDS, RATE / 5);
            Pause.ms(1_000);
            long beganNs = System.nanoTime();
            reload(run, line, NONE);
            flows.await(sending);
            double tookMs = (flows.generator().lastArrivalNs() - beganNs) / 1e6;
            run.figure("last packet after the reload was asked for", tookMs, "ms");
            run.check("the forbidden flows stop within " + LIMIT_MS + " ms", tookMs < LIMIT_MS, tookMs + " ms");
            run.checkEqual("open sessions", line.a().control().sessions(SessionFilter.getDefaultInstance()).stream()
                    .filter(session -> session.getState() != SessionState.CLOSED).count(), 0);
        }
    }

    private static void reload(DrillRun run, Line line, Policy policy) {
        line.a().configure(policy);
        var reload = line.a().control().reload();
        run.check("node a takes the new config", reload.getApplied(), reload.getProblemsList().toString());
    }
}
