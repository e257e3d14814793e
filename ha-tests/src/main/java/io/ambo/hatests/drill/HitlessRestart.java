package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Generator.Result;
import java.util.concurrent.Future;

/** {@code ambo restart}, as before a new version: the process ends, its flows do not. A stop is a stop all the same. */
final class HitlessRestart implements Drill {
    private static final int FLOWS = 1_000, RATE = 500_000, SECONDS = 30;

    @Override
    public String name() { return "hitless-restart"; }

    @Override
    public String shows() {
        return "ambo restart under 500,000 packets/s: the process goes and the next one comes without a lost packet; after a stop nothing passes";
    }

    @Override
    public void run(DrillRun run) {
        Line line = run.runningLine(Policy.OPEN.with("limits: { sessions-per-source: 0 }\n"), true);
        try (FastFlows flows = new FastFlows(run, line, FLOWS)) {
            flows.open();
            run.progress(RATE + " packets/s for " + SECONDS + " s; ambo restart meanwhile");
            Future<Result> sending = flows.start((long) RATE * SECONDS, RATE);
            Pause.ms(1_000);
            line.a().endForRestart();
            Pause.ms(500);
            long beganNs = System.nanoTime();
            line.a().start();
            line.a().awaitMembers(2);
            run.figure("ready again after", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.check("it is ready while packets are sent", !sending.isDone(), sending.isDone() ? "too late" : "yes");
            flows.checkWhole("while one process goes and the next comes", flows.await(sending));
            run.checkEqual("flows that were adopted", flows.counter("flows_adopted"), FLOWS);

            run.progress("a stop, for comparison");
            line.a().stop();
            run.checkEqual("packets of established flows that pass after a stop", flows.send(10 * FLOWS, RATE).received(), 0);
            run.check("nothing is left in " + line.a().pins(), !java.nio.file.Files.exists(line.a().pins()), "looked");
        }
    }
}
