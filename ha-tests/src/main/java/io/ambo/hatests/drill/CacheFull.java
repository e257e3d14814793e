package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Line;
import io.ambo.hatests.lab.Policy;

/** The flow cache is smaller than the table: who finds no room stays on the slow path. */
final class CacheFull implements Drill {
    private static final int FLOWS = 1_000, ROOM = 400, RATE = 20_000, SECONDS = 4;

    @Override
    public String name() { return "cache-full"; }

    @Override
    public String shows() {
        return "1,000 flows and room for 400 in the kernel's flow cache: the others go through Java, counted, and none loses a packet";
    }

    @Override
    public void run(DrillRun run) {
        Line line = run.runningLine(Policy.OPEN.with("limits: { sessions-per-source: 0, flows: " + ROOM + " }\n"), false);
        try (FastFlows flows = new FastFlows(run, line, FLOWS)) {
            flows.open(ROOM);
            flows.generator().burst(500);
            long forwarded = flows.counter("forwarded");
            long slow = flows.counter("packets_forwarded");
            flows.checkWhole("with a full cache", flows.send((long) RATE * SECONDS, RATE));
            run.checkEqual("packets that the kernel forwarded", flows.counter("forwarded") - forwarded,
                    (long) RATE * SECONDS * ROOM / FLOWS);
            run.checkEqual("packets that Java forwarded", flows.counter("packets_forwarded") - slow,
                    (long) RATE * SECONDS * (FLOWS - ROOM) / FLOWS);
            run.check("each refusal is counted", flows.counter("flow_cache_full") >= FLOWS - ROOM,
                    flows.counter("flow_cache_full") + " times");
        }
    }
}
