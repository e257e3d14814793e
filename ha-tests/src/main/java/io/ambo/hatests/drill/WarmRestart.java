package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import java.util.List;

/** Both nodes die at once: nobody is left to ask, the table's file is all there is. */
final class WarmRestart implements Drill {
    private static final int PORT = 7020, CONNECTIONS = 100, CHUNK_BYTES = 512, INTERVAL_MS = 20;
    private static final int LIMIT_MS = 60_000;

    @Override
    public String name() { return "warm-restart"; }

    @Override
    public String shows() {
        return "without the fast path: both nodes are killed with -9 at once and started again: live TCP connections go on, from the table's file";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(Policy.OPEN.with("datapath: { fast-path: false }\n"));
        int count = run.scaled(CONNECTIONS);
        NetStat clientBefore = NetStat.of(lab.client());
        NetStat serverBefore = NetStat.of(lab.server());
        try (Conversations live = new Conversations(lab, PORT, count, CHUNK_BYTES, INTERVAL_MS)) {
            run.checkEqual("connections that talk both ways before anything happens", live.awaitProgress(LIMIT_MS), count);
            Pause.ms(1_000);
            run.progress("kill -9 of both nodes");
            live.forgetSilences();
            lab.a().kill9();
            lab.b().kill9();
            // What was under way arrives; after that nothing may.
            Pause.ms(300);
            run.checkEqual("connections that talk while no node runs", live.awaitProgress(500), 0);

            run.progress("starting both again");
            long beganNs = System.nanoTime();
            lab.startNodes();
            run.figure("both are ready after", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.checkEqual("connections that go on", live.awaitProgress(LIMIT_MS), count);
            run.latency("longest silence of a connection", live.silences());
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), count);
            List<String> failures = live.failures();
            run.check("no connection met with an error", failures.isEmpty(),
                    failures.isEmpty() ? "none" : failures.size() + ", the first: " + failures.getFirst());
        }
        run.checkEqual("connections reset",
                NetStat.of(lab.client()).since(clientBefore, "Tcp.EstabResets")
                        + NetStat.of(lab.server()).since(serverBefore, "Tcp.EstabResets"),
                0);
    }
}
